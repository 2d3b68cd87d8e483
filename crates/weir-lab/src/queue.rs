//! The node's receive queue: a kernel thread of its own on a core of its own, as a network card's interrupt would be.
//!
//! Without this the kernel would receive on the core that sends, inside the sender's time: the flood would be slowed down by
//! what it does to its victim, and nothing would ever be overloaded.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Pid;

use crate::cpu::{self, Rank};
use crate::plan::UPLINK;
use crate::tool;
use crate::topology::Layout;

const PATIENCE: Duration = Duration::from_secs(5);

/// Gives the uplink's queue its thread and its core.
pub fn separate(layout: &Layout) -> Result<()> {
    // Labs beside this one have such threads too, and may end at any moment: theirs are none of ours.
    let others = threads()?;
    // /sys/class/net shows the namespace that it was mounted in; `ip netns exec` mounts one for the command.
    let switch = format!("echo 1 > /sys/class/net/{UPLINK}/threaded");
    tool::run("ip", &["netns", "exec", layout.node.name(), "sh", "-c", &switch])
        .context("the kernel knows no threaded NAPI")?;
    let core = cpu::cores()?.receive();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ours: Vec<i32> = threads()?.into_iter().filter(|thread| !others.contains(thread)).collect();
        for thread in &ours {
            cpu::tie(Pid::from_raw(*thread), &[core])?;
            cpu::rank(Pid::from_raw(*thread), Rank::Packets)?;
        }
        if !ours.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the kernel made no thread for the uplink's queue");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Kernel threads that serve an interface called like the lab's uplink.
fn threads() -> Result<Vec<i32>> {
    let wanted = format!("napi/{UPLINK}-");
    let pids = fs::read_dir("/proc").context("/proc")?.flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    let serves =
        |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with(&wanted));
    Ok(pids.filter(serves).collect())
}
