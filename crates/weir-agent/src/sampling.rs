//! How many packets are sampled, and the last ones: enough to see what goes on, few enough that a flood costs nothing.

use std::collections::VecDeque;
use std::time::SystemTime;

use weir_abi::Sample;

/// Samples a second of each kind, passed and dropped, that are aimed at. What one kind has no use for is the other's: together at most
/// twice this, and SYNs that pass beside them, see `weir_core`'s sampling.
const AIM_PER_SECOND: f64 = 1000.0;

/// Chooses how many packets lie between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Of passed packets one in `pass_mask + 1`.
    pub pass_mask: u32,
    /// Of dropped packets (and those that would have been) one in `drop_mask + 1`.
    pub drop_mask: u32,
}

impl Default for Rates {
    /// Before anything is known: sparse enough for a flood.
    fn default() -> Self {
        Self { pass_mask: (1 << 10) - 1, drop_mask: (1 << 10) - 1 }
    }
}

impl Rates {
    /// The first rates that are measured: what a target's customers look like is known the sooner the more of them are seen.
    #[must_use]
    pub fn first(passed_per_s: f64, dropped_per_s: f64) -> Self {
        Self::stepped(0, 0, passed_per_s, dropped_per_s)
    }

    /// The rates for this many packets a second. Sparser at once, denser by one step at a time, so that a pulsing flood
    /// does not swing them.
    #[must_use]
    pub fn adapt(self, passed_per_s: f64, dropped_per_s: f64) -> Self {
        Self::stepped(self.pass_mask.trailing_ones(), self.drop_mask.trailing_ones(), passed_per_s, dropped_per_s)
    }

    fn stepped(pass_bits: u32, drop_bits: u32, passed_per_s: f64, dropped_per_s: f64) -> Self {
        Self {
            pass_mask: step(pass_bits, passed_per_s, aim(dropped_per_s)),
            drop_mask: step(drop_bits, dropped_per_s, aim(passed_per_s)),
        }
    }
}

/// What is aimed at for one kind, when so many of the other come.
fn aim(others_per_s: f64) -> f64 {
    2.0 * AIM_PER_SECOND - others_per_s.min(AIM_PER_SECOND)
}

/// A mask of the fewest bits that keeps `rate` packets a second within an aim, at most one bit shorter than now.
fn step(bits: u32, rate: f64, aim: f64) -> u32 {
    let mut wanted = 0;
    while wanted < 31 && rate / f64::from(1u32 << wanted) > aim {
        wanted += 1;
    }
    let bits = if wanted < bits { bits - 1 } else { wanted };
    (1u32 << bits) - 1
}

/// The last samples, oldest first.
#[derive(Debug)]
pub struct Recent {
    ring: VecDeque<(SystemTime, Sample)>,
    capacity: usize,
    /// Samples received since the start.
    pub received: u64,
}

impl Recent {
    /// Room for this many.
    pub fn new(capacity: usize) -> Self {
        Self { ring: VecDeque::with_capacity(capacity), capacity, received: 0 }
    }

    /// Adds what just came.
    pub fn extend(&mut self, now: SystemTime, samples: &[Sample]) {
        self.received += samples.len() as u64;
        for sample in samples.iter().skip(samples.len().saturating_sub(self.capacity)) {
            if self.ring.len() == self.capacity {
                self.ring.pop_front();
            }
            self.ring.push_back((now, *sample));
        }
    }

    /// Newest first.
    pub fn iter(&self) -> impl Iterator<Item = &(SystemTime, Sample)> {
        self.ring.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_sampled_sparsely_at_once_and_calm_comes_back_step_by_step() {
        let mut rates = Rates::default().adapt(100.0, 10_000_000.0);
        assert_eq!(rates, Rates { pass_mask: 511, drop_mask: 8191 });
        for _ in 0..40 {
            rates = rates.adapt(100.0, 0.0);
        }
        assert_eq!(rates, Rates { pass_mask: 0, drop_mask: 0 });
        rates = rates.adapt(1_000_000.0, 0.0);
        assert_eq!(rates.pass_mask, 511);
        assert!(1_000_000.0 / f64::from(rates.pass_mask + 1) <= 2.0 * AIM_PER_SECOND);
        assert_eq!(Rates::first(1_000_000.0, 900.0).pass_mask, 1023, "the others need theirs");
        assert_eq!(Rates::default().adapt(f64::MAX, f64::NAN).pass_mask, (1 << 31) - 1);
    }

    #[test]
    fn the_first_measurement_counts_at_once() {
        assert_eq!(Rates::first(100.0, 0.0), Rates { pass_mask: 0, drop_mask: 0 });
        assert_eq!(Rates::first(3000.0, 1_000_000.0), Rates { pass_mask: 3, drop_mask: 1023 });
        assert_eq!(Rates::first(3000.0, 0.0), Rates { pass_mask: 1, drop_mask: 0 });
    }

    #[test]
    fn the_ring_keeps_the_newest() {
        let sample = |n: u64| Sample {
            time_ns: n,
            length: 0,
            target: 0,
            reason: 0,
            verdict: 0,
            rule: 0,
            ifindex: 0,
            weight: 1,
            captured: 0,
            pad: 0,
            bytes: [0; weir_abi::sample::SAMPLE_BYTES],
        };
        let mut recent = Recent::new(4);
        let all: Vec<Sample> = (0..10).map(sample).collect();
        recent.extend(SystemTime::UNIX_EPOCH, &all[..3]);
        recent.extend(SystemTime::UNIX_EPOCH, &all[3..]);
        let times: Vec<u64> = recent.iter().map(|(_, s)| s.time_ns).collect();
        assert_eq!((times, recent.received), (vec![9, 8, 7, 6], 10));
    }
}
