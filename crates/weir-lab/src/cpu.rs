//! Which core does what: floods are made on one core and received on another, so that what they cost the attacker is not
//! charged to the victim.

use std::num::NonZeroU64;

use anyhow::{Context, Result};
use rustix::process::{Pid, getpid, setpriority_process};
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

/// Cores by task. On a machine with one core both are the same, and figures mean little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cores {
    /// Where floods are made.
    pub attack: usize,
    /// Where the node receives.
    pub node: usize,
    /// How many there are.
    pub count: usize,
}

/// The first and the last core that this process may use.
pub fn cores() -> Result<Cores> {
    // The process's main thread, whose choice is not narrowed by what the calling thread pinned itself to.
    let allowed = sched_getaffinity(Some(getpid())).context("cannot ask for the usable cores")?;
    let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let (Some(&attack), Some(&node)) = (usable.first(), usable.last()) else {
        anyhow::bail!("this process may use no core at all");
    };
    Ok(Cores { attack, node, count: usable.len() })
}

/// Ties a thread to one core, with a priority above or below others there (as with `nice`).
pub fn pin(thread: Option<Pid>, core: usize, nice: i32) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(thread, &only).with_context(|| format!("cannot pin a thread to core {core}"))?;
    setpriority_process(Some(thread.unwrap_or_else(gettid)), nice).context("cannot set a thread's priority")
}

/// Lets the calling thread sleep for microseconds: usually sleeps are stretched by 50 to wake several sleepers at once.
pub fn sleep_exactly() -> Result<()> {
    set_current_timer_slack(NonZeroU64::new(1)).context("cannot set the timer slack")
}
