//! Which sources come to a target regularly: seen in calm times, and again some time later. Under a flood that no rule tells from customers they
//! come first (see `weir_abi::regular`).
//!
//! Only packets that no connection vouches for are looked at, and those that ask for one; what was seen is believed a second late: a flood that is noticed
//! within its first windows has taught nothing. A forged address comes once.

use std::collections::{BTreeMap, VecDeque};

use weir_abi::Addr;

use crate::baseline::WINDOWS_PER_SECOND;
use crate::vector::Vector;

/// Windows that a source is held back.
const HELD: u64 = WINDOWS_PER_SECOND as u64;
/// Windows after which a source that comes again comes regularly: ten seconds.
const AGAIN: u64 = 10 * WINDOWS_PER_SECOND as u64;
/// Sources that are held back at most; more are not looked at.
const WAITING: usize = 4096;
/// Sources that were seen and are remembered, of all targets: some 6 MiB.
const SEEN: usize = 1 << 16;

/// The sources.
#[derive(Clone, Debug, Default)]
pub struct Regulars {
    waiting: VecDeque<(u64, u32, Addr)>,
    /// When each was seen first, or was told last.
    seen: BTreeMap<(u32, Addr), u64>,
}

/// A source as limits see it: one IPv4 address, or one IPv6 /64.
pub(crate) fn one(source: Addr) -> Addr {
    if source.is_v4() { source } else { Addr { lo: 0, ..source } }
}

impl Regulars {
    /// Sees a packet of a kind that came for a target within a window.
    pub fn see(&mut self, window: u64, target: u32, vector: Vector, source: Addr) {
        let connected = matches!(vector, Vector::SynAck | Vector::Tcp | Vector::RstFin);
        if connected || self.waiting.len() >= WAITING {
            return;
        }
        self.waiting.push_back((window, target, one(source)));
    }

    /// Ends a window; says who comes regularly. What was seen of a target that is not calm is forgotten.
    pub fn window(&mut self, now: u64, is_calm: impl Fn(u32) -> bool) -> Vec<(u32, Addr)> {
        self.waiting.retain(|(_, target, _)| is_calm(*target));
        let mut told = Vec::new();
        while let Some((seen, target, source)) = self.waiting.front().copied()
            && seen + HELD <= now
        {
            self.waiting.pop_front();
            let first = self.seen.entry((target, source)).or_insert(seen);
            if seen >= *first + AGAIN {
                *first = seen;
                told.push((target, source));
            }
        }
        if self.seen.len() > SEEN {
            self.forget_older_half();
        }
        told
    }

    /// A number that stands for another target now.
    pub fn forget(&mut self, target: u32) {
        self.waiting.retain(|(_, of, _)| *of != target);
        self.seen.retain(|(of, _), _| *of != target);
    }

    fn forget_older_half(&mut self) {
        let mut times = self.seen.values().copied().collect::<Vec<_>>();
        let middle = times.len() / 2;
        let (_, middle, _) = times.select_nth_unstable(middle);
        let middle = *middle;
        self.seen.retain(|_, time| *time > middle);
    }
}

#[cfg(test)]
mod tests {
    //! Customers come again, floods do not.
    use super::*;

    fn v4(n: u32) -> Addr {
        Addr::v4(0x0a00_0000 + n)
    }

    /// A packet of each window's sources, and who is told in the end.
    fn told(windows: u64, sources: impl Fn(u64) -> Vec<u32>, is_calm: impl Fn(u64) -> bool) -> Vec<u32> {
        let mut regulars = Regulars::default();
        let mut all = Vec::new();
        for now in 0..windows {
            for n in sources(now) {
                regulars.see(now, 1, Vector::Udp, v4(n));
                // Connections are known otherwise.
                regulars.see(now, 1, Vector::Tcp, v4(1_000_000 + n));
            }
            all.extend(regulars.window(now, |_| is_calm(now)).into_iter().map(|(_, a)| a.ip4() - 0x0a00_0000));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn who_comes_again_after_ten_seconds_is_a_regular() {
        let often = |now: u64| if now.is_multiple_of(20) { vec![1] } else { Vec::new() };
        assert_eq!(told(110, often, |_| true), Vec::<u32>::new(), "not yet, and a second late");
        assert_eq!(told(400, often, |_| true), [1]);
        assert_eq!(told(400, |now| vec![now as u32], |_| true), Vec::<u32>::new(), "each comes once");
    }

    #[test]
    fn a_flood_teaches_nothing_from_its_first_window_on() {
        // The same thousand addresses in every window, noticed after three windows.
        let flood = |now: u64| if now >= 200 { (0..1000).collect() } else { Vec::new() };
        assert_eq!(told(1000, flood, |now| now < 203), Vec::<u32>::new());
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go_first() {
        let mut regulars = Regulars::default();
        for now in 0..200u64 {
            (0..1000).for_each(|n| regulars.see(now, 1, Vector::Icmp, v4((now * 1000 + n) as u32)));
            regulars.window(now, |_| true);
            assert!(regulars.seen.len() <= SEEN && regulars.waiting.len() <= WAITING);
        }
        assert!(regulars.seen.keys().any(|(_, a)| a.ip4() > 0x0a00_0000 + 150_000));
        regulars.forget(1);
        assert!(regulars.seen.is_empty());
    }
}
