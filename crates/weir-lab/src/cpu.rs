//! Which core does what. The world outside has the first core: floods are made and customers live there. The node has the
//! others: it receives, serves and runs Weir there. What an attack costs the attacker is then not charged to the victim, and
//! a customer's own machine is never the slow one.

use std::num::NonZeroU64;
use std::sync::Once;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, getpid, setpriority_process};
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity, set_current_timer_slack};

use crate::tool;

/// Cores by task. On a machine with one core all are the same, and figures mean little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores {
    /// Where floods are made.
    pub attack: usize,
    /// Where customers live: beside the floods, unless there are cores to spare.
    pub customers: usize,
    /// The node's.
    pub node: Vec<usize>,
}

impl Cores {
    /// The node's core that receives.
    pub fn receive(&self) -> usize {
        *self.node.last().unwrap_or(&self.attack)
    }

    /// The node's cores, as `taskset` reads them.
    pub fn node_list(&self) -> String {
        self.node.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
    }
}

/// Shares out the cores that this process may use.
pub fn cores() -> Result<Cores> {
    // The process's main thread, whose choice is not narrowed by what the calling thread was tied to.
    let allowed = sched_getaffinity(Some(getpid())).context("cannot ask for the usable cores")?;
    share((0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect())
}

fn share(usable: Vec<usize>) -> Result<Cores> {
    Ok(match usable[..] {
        [] => bail!("this process may use no core at all"),
        [only] => Cores { attack: only, customers: only, node: vec![only] },
        [attack, ref node @ ..] if node.len() < 3 => Cores { attack, customers: attack, node: node.to_vec() },
        [attack, customers, ref node @ ..] => Cores { attack, customers, node: node.to_vec() },
    })
}

/// Who goes first on a core that several want. These are tasks that other machines, or a network card's interrupts, would do:
/// no program of this machine may slow them down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// The flood, or the reception of packets.
    Packets = 1,
    /// Customers, who share a core with the flood but are not its victims there.
    Customers = 2,
}

/// Ties a thread to some cores; `None` is the calling one.
pub fn tie(thread: Option<Pid>, cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(thread, &set).with_context(|| format!("cannot tie a thread to cores {cores:?}"))
}

/// Lets a thread go before all ordinary programs: real-time scheduling, or where that is not to be had, the highest of the
/// ordinary priorities.
pub fn rank(thread: Option<Pid>, rank: Rank) -> Result<()> {
    static WARNED: Once = Once::new();
    let thread = thread.unwrap_or_else(gettid);
    let number = thread.as_raw_nonzero().to_string();
    // Children must not inherit it (-R).
    if let Err(error) = tool::run("chrt", &["-f", "-R", "-p", &(rank as i32).to_string(), &number]) {
        WARNED.call_once(|| {
            eprintln!(
                "warning: no real-time scheduling ({error:#}): other programs on this machine will blur the figures"
            );
        });
        setpriority_process(Some(thread), -20).context("cannot set a thread's priority")?;
    }
    Ok(())
}

/// Lets the calling thread sleep for microseconds: usually sleeps are stretched by 50 to wake several sleepers at once.
pub fn sleep_exactly() -> Result<()> {
    set_current_timer_slack(NonZeroU64::new(1)).context("cannot set the timer slack")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_core_and_the_flood_its_own_where_it_can() {
        let shared = |count: usize| share((0..count).collect()).expect("cores");
        assert!(share(Vec::new()).is_err());
        assert_eq!(shared(1), Cores { attack: 0, customers: 0, node: vec![0] });
        assert_eq!(shared(2), Cores { attack: 0, customers: 0, node: vec![1] });
        assert_eq!(shared(3), Cores { attack: 0, customers: 0, node: vec![1, 2] });
        assert_eq!(shared(4), Cores { attack: 0, customers: 1, node: vec![2, 3] });
        assert_eq!((shared(4).receive(), shared(4).node_list()), (3, "2,3".to_owned()));
    }
}
