//! Waiting for packets that are on their way: what they have read already must not be pulled from under them.
//!
//! A packet reads several tables one after the other. Steps of a difference are safe in between packets; within one, what is
//! read first and what is read then must not come from before a step and from behind the next but one. So some steps wait
//! until every packet that may have seen the tables of before has ended: an RCU grace period, some ten milliseconds.

use std::time::Duration;

use weir_policy::diff::Step;

use super::looks::Looks;

/// What was written since the last grace period that packets on their way may not have seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Slots, parts, lengths: what says where to look for prefixes.
    looks: Looks,
    prefixes: bool,
    targets: bool,
    policies: bool,
    rules: bool,
}

impl Unseen {
    /// Tables that another process may have been writing.
    pub fn anything() -> Self {
        Self { looks: Looks::All, prefixes: true, targets: true, policies: true, rules: true }
    }

    /// Whether packets on their way must have ended before this step.
    pub fn must_end_before(&self, step: &Step) -> bool {
        match step {
            // Who looks as before must not find what is only to be seen together with what he does not look for.
            // Another address's way does not matter: a million blocks one after the other wait for nobody.
            Step::PutPrefixes(prefixes) => self.looks.reach(prefixes.iter().map(|(key, _)| key)),
            // Who still looks for it must find it.
            Step::RemovePrefixes(_) => !self.looks.is_none() || self.prefixes || self.policies,
            Step::RemoveParts4(_) | Step::RemoveLengths(_) => !self.looks.is_none() || self.policies,
            Step::RemoveTargets(_) => self.targets,
            // A target must not be found before its policy.
            Step::PutTargets(_) => self.policies,
            // The copy about to be written was the one in force before the last flip; rules are read after policies.
            Step::Policies(_) => self.policies,
            Step::Rules(_) => self.policies || self.rules,
            Step::Flags(_)
            | Step::Failsafe(_)
            | Step::PutParts4(_)
            | Step::Slots4(_)
            | Step::WideLens4(_)
            | Step::PutLengths(_)
            | Step::Slots6(_)
            | Step::Names(_) => false,
        }
    }

    /// Notes that this step was carried out.
    pub fn note(&mut self, step: &Step) {
        match step {
            Step::PutParts4(_) | Step::Slots4(_) | Step::WideLens4(_) | Step::PutLengths(_) | Step::Slots6(_) => {
                self.looks.note(step);
            }
            Step::PutPrefixes(_) => self.prefixes = true,
            Step::PutTargets(_) => self.targets = true,
            Step::Policies(_) => self.policies = true,
            Step::Rules(_) => self.rules = true,
            // Removed is what nobody looks for; flags and ports are one word each.
            Step::RemovePrefixes(_)
            | Step::RemoveParts4(_)
            | Step::RemoveLengths(_)
            | Step::RemoveTargets(_)
            | Step::Flags(_)
            | Step::Failsafe(_)
            | Step::Names(_) => {}
        }
    }

    /// Waits until every packet has ended that is on its way now.
    pub fn wait(&mut self) {
        wait();
        *self = Self::default();
    }
}

/// Packets are judged inside RCU read-side sections; this membarrier(2) is the system call that waits for all of those
/// (`synchronize_rcu` in kernel/sched/membarrier.c).
fn wait() {
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    // SAFETY: plain numbers.
    if unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) } != 0 {
        // Kernels with isolated CPUs (nohz_full) do not offer it. A packet takes microseconds.
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    //! The two ways of a change of lists.
    use super::*;
    use weir_abi::{Addr, Part4, PrefixEntry, PrefixKey};

    fn block(ip: u32) -> [Step; 3] {
        let key = PrefixKey::new(Addr::v4(ip), 0, 128);
        [
            Step::PutPrefixes(vec![(key, PrefixEntry::default())]),
            Step::PutParts4(vec![(ip >> 8, Part4::default())]),
            Step::Slots4(vec![(ip >> 13, 3)]),
        ]
    }

    #[test]
    fn blocks_apart_wait_for_nobody_and_their_end_does() {
        let mut unseen = Unseen::default();
        for step in [block(0x0a00_0001), block(0x0b00_0001)].concat() {
            assert!(!unseen.must_end_before(&step), "{step:?}");
            unseen.note(&step);
        }
        // The same /24 again: who looked there before knew nothing of its timed entries.
        assert!(unseen.must_end_before(&block(0x0a00_0002)[0]));
        for step in [Step::RemovePrefixes(vec![]), Step::RemoveParts4(vec![])] {
            assert!(unseen.must_end_before(&step), "{step:?}");
        }
    }

    #[test]
    fn the_copy_in_force_before_is_not_written_while_it_may_be_read() {
        let mut unseen = Unseen::default();
        assert!(!unseen.must_end_before(&Step::Policies(vec![])));
        unseen.note(&Step::Policies(vec![]));
        assert!(unseen.must_end_before(&Step::Policies(vec![])));
        unseen.wait();
        assert_eq!(unseen, Unseen::default());
    }
}
