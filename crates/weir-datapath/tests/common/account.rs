//! Exact accounts: every counter of the packet path is what the test says, and no other has moved.

use std::collections::BTreeMap;

use weir_abi::{Counter, Reason};
use weir_datapath::Counters;

use super::wait;

/// What is expected in the counters: by target, whether it only would have happened, and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account(BTreeMap<(u32, bool, Reason), (u64, u64)>);

impl Account {
    /// Adds a packet.
    pub fn add(&mut self, target: u32, reason: Reason, frame: &[u8]) {
        self.book(target, false, reason, frame);
    }

    /// Adds a packet that would have been dropped.
    pub fn add_would(&mut self, target: u32, reason: Reason, frame: &[u8]) {
        self.book(target, true, reason, frame);
    }

    fn book(&mut self, target: u32, would: bool, reason: Reason, frame: &[u8]) {
        let entry = self.0.entry((target, would, reason)).or_default();
        entry.0 += 1;
        entry.1 += frame.len() as u64;
    }

    /// What the counters say.
    pub fn read(counters: &Counters) -> Self {
        let all = counters.read(u32::MAX);
        Self(all.into_iter().map(|c| ((c.target, c.would, c.reason), (c.counter.packets, c.counter.bytes))).collect())
    }

    /// Packets in all.
    pub fn packets(&self) -> u64 {
        self.0.values().map(|(packets, _)| packets).sum()
    }

    /// One of the counters.
    pub fn one(&self, target: u32, would: bool, reason: Reason) -> Counter {
        let (packets, bytes) = self.0.get(&(target, would, reason)).copied().unwrap_or_default();
        Counter { packets, bytes }
    }

    /// Waits until as many packets were counted as are expected, and holds every counter to it.
    pub fn check(&self, counters: &Counters) {
        wait::until(&format!("{} packets counted", self.packets()), || {
            Self::read(counters).packets() >= self.packets()
        });
        let counted = Self::read(counters);
        assert!(&counted == self, "counted   {:#?}\nexpected  {:#?}", counted.0, self.0);
    }
}
