//! Removing a lab: its processes, mounts, namespaces and files. The same code ends a run and clears away a crashed one.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, Signal, kill_process};

use crate::name::LabId;
use crate::netns::Netns;
use crate::state::{self, Claim};

/// Where Weir's maps of a run are pinned, below the run's directory: a file system of its own, which vanishes with its mount.
pub const PINS: &str = "bpf";

const PATIENCE: Duration = Duration::from_secs(5);

/// Removes all that belongs to the claimed run. Goes on after errors, so that one failure leaves as little as possible.
pub fn remove(claim: Claim) -> Result<()> {
    let mut failed = Vec::new();
    let mut note = |what: Result<()>| {
        if let Err(error) = what {
            failed.push(format!("{error:#}"));
        }
    };
    // The record tells what was planned; the prefix finds the same things should the record be damaged.
    match Netns::with_prefix(&claim.id.name("")) {
        Ok(namespaces) => {
            for ns in namespaces {
                note(end_processes(&ns));
                note(ns.remove());
            }
        }
        Err(error) => note(Err(error)),
    }
    note(unmount_pins(&claim));
    if !failed.is_empty() {
        bail!("lab {}: {}", claim.id, failed.join("; "));
    }
    claim.remove()
}

/// Removes every run whose owner is gone; tells which.
pub fn crashed() -> Result<Vec<LabId>> {
    let mut removed = Vec::new();
    for id in state::all()? {
        if let Some(claim) = Claim::take_over(&id)? {
            remove(claim)?;
            removed.push(id);
        }
    }
    Ok(removed)
}

/// Ends what still runs in a namespace of the lab. Children of a run die with it anyhow; this catches what they left.
fn end_processes(ns: &Netns) -> Result<()> {
    let own = std::process::id() as i32;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A thread of this very process may be in there: it is not to be killed, and ends by itself.
        let others: Vec<i32> = ns.processes()?.into_iter().filter(|pid| *pid != own).collect();
        if others.is_empty() {
            return Ok(());
        }
        for pid in &others {
            match Pid::from_raw(*pid).map_or(Ok(()), |pid| kill_process(pid, Signal::KILL)) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => bail!("cannot end process {pid} in {}: {error}", ns.name()),
            }
        }
        if Instant::now() > deadline {
            bail!("processes {others:?} in {} do not end", ns.name());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn unmount_pins(claim: &Claim) -> Result<()> {
    match unmount(claim.dir().join(PINS), UnmountFlags::DETACH) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        Err(error) => bail!("cannot unmount the pins: {error}"),
    }
}
