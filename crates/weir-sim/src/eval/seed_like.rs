//! The idea that this project starts from, as a comparator: each source counted by itself, blocked for a minute when it sends more
//! than so many packets within a second.
//!
//! The class of Sadiq et al. (Applied Sciences 13(8), 4700, 2023), not its numbers: a map of 64k sources of which the least recently
//! seen ones give way, a fixed threshold.

use std::collections::HashMap;

use weir_abi::Addr;

/// Sources that are remembered.
const SOURCES: usize = 1 << 16;
/// How long a source is blocked.
const BLOCK_NS: u64 = 60_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// The thresholds that are tried, packets per second.
pub const THRESHOLDS: [u64; 3] = [100, 1_000, 10_000];

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    second: u64,
    packets: u64,
    last_ns: u64,
    blocked_until_ns: u64,
}

/// One filter.
#[derive(Clone, Debug)]
pub struct SeedLike {
    threshold: u64,
    sources: HashMap<Addr, Seen>,
}

impl SeedLike {
    /// With a threshold in packets per second.
    pub fn new(threshold: u64) -> Self {
        Self { threshold, sources: HashMap::new() }
    }

    /// Whether it drops a packet.
    pub fn drops(&mut self, time_ns: u64, source: Addr) -> bool {
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            self.make_room();
        }
        let seen = self.sources.entry(source).or_default();
        seen.last_ns = time_ns;
        if time_ns < seen.blocked_until_ns {
            return true;
        }
        let second = time_ns / SECOND_NS;
        if seen.second != second {
            (seen.second, seen.packets) = (second, 0);
        }
        seen.packets += 1;
        if seen.packets > self.threshold {
            seen.blocked_until_ns = time_ns + BLOCK_NS;
            return true;
        }
        false
    }

    /// The half that was not seen for longest goes.
    fn make_room(&mut self) {
        let mut times = self.sources.values().map(|seen| seen.last_ns).collect::<Vec<_>>();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.sources.retain(|_, seen| seen.last_ns > median);
    }
}

#[cfg(test)]
mod tests {
    //! What it sees and what it does not.
    use super::*;

    #[test]
    fn one_loud_source_is_blocked_and_many_quiet_ones_are_not() {
        let mut filter = SeedLike::new(100);
        let source = |lo| Addr { hi: 0, lo };
        let dropped = (0..1000).filter(|i| filter.drops(i * 1_000_000, source(1))).count();
        assert_eq!(dropped, 900);
        assert!(filter.drops(30 * SECOND_NS, source(1)) && !filter.drops(62 * SECOND_NS, source(1)));
        let forged = (0..200_000u64).filter(|i| filter.drops(70 * SECOND_NS + i, source(1000 + i))).count();
        assert_eq!(forged, 0, "that is why it is not enough");
        assert!(filter.sources.len() <= SOURCES);
    }
}
