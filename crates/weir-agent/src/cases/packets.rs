//! The packets of an incident that were sampled: some from just before it, its first ones, and its last ones, dropped and passed
//! each by themselves, so that neither pushes the other out.

use std::collections::VecDeque;
use std::time::SystemTime;

use weir_abi::{Sample, Verdict};

/// Packets from before it.
pub(crate) const BEFORE: usize = 64;
/// Packets of its beginning.
const FIRST: usize = 256;
/// Packets of its end that were dropped or would have been, and as many that passed.
const LAST: usize = 128;

/// A packet and when it came.
pub(crate) type Seen = (SystemTime, Sample);

/// The packets of one incident.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packets {
    before: Vec<Seen>,
    first: Vec<Seen>,
    dropped: VecDeque<Seen>,
    passed: VecDeque<Seen>,
    /// Packets that were there and had to go, so that all incidents together stay small.
    pub given_up: bool,
}

impl Packets {
    /// Takes what came just before, the oldest first.
    pub fn before(&mut self, packets: impl Iterator<Item = Seen>) {
        self.before = packets.collect();
        let surplus = self.before.len().saturating_sub(BEFORE);
        self.before.drain(..surplus);
    }

    /// Takes one.
    pub fn add(&mut self, packet: Seen) {
        if self.given_up {
            return;
        }
        if self.first.len() < FIRST {
            self.first.push(packet);
            return;
        }
        let last = if packet.1.verdict == Verdict::Pass as u8 { &mut self.passed } else { &mut self.dropped };
        if last.len() == LAST {
            last.pop_front();
        }
        last.push_back(packet);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.before.len() + self.first.len() + self.dropped.len() + self.passed.len()
    }

    /// Gives all of them up, and takes no more.
    pub fn give_up(&mut self) {
        *self = Self { given_up: true, ..Self::default() };
    }

    /// All of them in the order in which they came.
    pub fn all(&self) -> Vec<Seen> {
        let parts = self.before.iter().chain(&self.first).chain(&self.dropped).chain(&self.passed);
        let mut all: Vec<Seen> = parts.copied().collect();
        all.sort_by_key(|(at, _)| *at);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use std::time::Duration;

    fn packet(number: u32, verdict: Verdict) -> Seen {
        let sample = Sample { length: number, verdict: verdict as u8, ..fake::sample(1, &[]) };
        (SystemTime::UNIX_EPOCH + Duration::from_millis(number.into()), sample)
    }

    #[test]
    fn beginning_and_end_are_kept_and_drops_do_not_push_out_what_passed() {
        let mut packets = Packets::default();
        packets.before((0..100).map(|n| packet(n, Verdict::Pass)));
        (100..356).for_each(|n| packets.add(packet(n, Verdict::Pass)));
        (1000..1010).for_each(|n| packets.add(packet(n, Verdict::Pass)));
        (2000..9000).for_each(|n| packets.add(packet(n, Verdict::Drop)));
        let numbers: Vec<u32> = packets.all().iter().map(|(_, sample)| sample.length).collect();
        let expected: Vec<u32> = (36..356).chain(1000..1010).chain(8872..9000).collect();
        assert_eq!(numbers, expected);
        assert_eq!(packets.len(), BEFORE + FIRST + 10 + LAST);
        packets.give_up();
        packets.add(packet(1, Verdict::Drop));
        assert_eq!((packets.len(), packets.all().len(), packets.given_up), (0, 0, true));
    }
}
