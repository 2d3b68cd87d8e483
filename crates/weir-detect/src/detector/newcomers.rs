//! D1 once more, for what comes from sources that were not there before: more of that than usual. Where customers come again, a flood with forged
//! sources, or of machines that were never seen, stands out of its first packets, long before it is much beside what customers send.
//!
//! A source counts once a window, however much it sends: one customer who does much is no flood. What samples stand for is counted, so that sampling
//! more closely makes no newcomers. Where all sources are new all the time, this says the same as the rate.

use std::collections::BTreeSet;

use weir_abi::Addr;

use super::rate::Cusum;
use super::{CAP, Family, Score, words};
use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::regulars::one;
use crate::reservoir::mixed;
use crate::watch::Sampled;

/// Sources that are remembered, two bytes each; the newest take the places of others. One newcomer in 32,768 is taken for one of them.
const SEEN: usize = 4096;
/// Windows, two seconds of them, after which it is known who comes; until then all are new.
const ACQUAINTED: u64 = 2 * WINDOWS_PER_SECOND as u64;
/// Windows of which it is known how many newcomers are usual, three seconds of them at least.
const LEARNED: u64 = 3 * WINDOWS_PER_SECOND as u64;
/// The sum at which it alarms: in the first whole window of a flood, and an incident needs two such windows. Customers who do more than
/// usual raise a rate, and not this.
const THRESHOLD: f64 = 6.0;
/// Thresholds that are as much as it can say. With a shape that is wholly another its alarm is enough.
const SURE: f64 = 1.5;
/// Newcomers come in groups, in one office after the other, say: so many in a window, at least, are one deviation. Some two dozen are ten.
const GROUP: f64 = 2.5;
/// An alarm needs more packets than usual, too: so many times that, and so many deviations above it.
const TIMES: f64 = 2.0;
const DEVIATIONS: f64 = 3.0;

/// Sources that were there in calm times.
#[derive(Clone, Debug, Default)]
struct Seen(Vec<u16>);

impl Seen {
    /// Where a source's mark is, and the mark; never 0. Who wants to collide with customers has to know them, and could use their addresses as well.
    fn place(source: Addr) -> (usize, u16) {
        let source = one(source);
        let z = mixed(source.hi.rotate_left(32) ^ source.lo);
        ((z >> 32) as usize % SEEN, z as u16 | 1)
    }

    fn has(&self, source: Addr) -> bool {
        let (at, mark) = Self::place(source);
        self.0.get(at) == Some(&mark)
    }

    fn add(&mut self, source: Addr) {
        if self.0.is_empty() {
            self.0.resize(SEEN, 0);
        }
        let (at, mark) = Self::place(source);
        self.0[at] = mark;
    }
}

/// How much comes from newcomers.
#[derive(Clone, Debug, Default)]
pub struct Newcomers {
    seen: Seen,
    usual: Fast,
    /// Windows whose sources are remembered.
    acquainted: u64,
    sum: Cusum,
}

impl Newcomers {
    /// Packets of a window that are newcomers' first ones, of all that came; nothing where there are no samples to tell.
    fn told(&self, samples: &[Sampled], count: u64) -> Option<u64> {
        if count == 0 {
            return Some(0);
        }
        let all: u64 = samples.iter().map(|sampled| u64::from(sampled.weight)).sum();
        let mut once = BTreeSet::new();
        let new = samples.iter().filter(|sampled| !self.seen.has(sampled.source) && once.insert(one(sampled.source)));
        let new: u64 = new.map(|sampled| u64::from(sampled.weight)).sum();
        (all > 0).then(|| (count as f64 * new as f64 / all as f64).round() as u64)
    }

    /// Looks at a window of so many packets; call before it is learned. `packets`: how many are usual, whoever sends. Nothing where there are no samples
    /// to tell, or what is usual is not known.
    pub fn window(&mut self, samples: &[Sampled], count: u64, packets: &Fast) -> Option<Score> {
        if self.usual.windows() < LEARNED {
            return None;
        }
        let new = self.told(samples, count)? as f64;
        let z = (new - self.usual.mean()) / self.usual.deviation().max(GROUP);
        let sum = self.sum.add(z, THRESHOLD);
        // Where others stay away meanwhile nothing has come on top. The sum goes on.
        let many = count as f64 > TIMES * packets.mean() && packets.z(count as f64) > DEVIATIONS;
        let alarm = sum > 1.0 && many;
        let value = if alarm { (CAP * sum / SURE).min(CAP) } else { sum.min(1.0) - 1.0 };
        let evidence = words(alarm, || {
            let per_second = f64::from(WINDOWS_PER_SECOND);
            let (new, usual) = (new * per_second, self.usual.mean() * per_second);
            format!("{new:.0} packets/s of sources that were not there before, usual {usual:.0}")
        });
        Some(Score { detector: "newcomers", family: Family::Volume, value, alarm, evidence })
    }

    /// Learns how many are usual of a calm window.
    pub fn learn(&mut self, samples: &[Sampled], count: u64) {
        if self.acquainted >= ACQUAINTED
            && let Some(new) = self.told(samples, count)
        {
            self.usual.learn(new as f64);
        }
        // Of those who send nothing everybody is known.
        self.acquainted += u64::from(count == 0);
    }

    /// Remembers who was there in a calm window.
    pub fn meet(&mut self, samples: &[Sampled]) {
        samples.iter().for_each(|sampled| self.seen.add(sampled.source));
        self.acquainted += u64::from(!samples.is_empty());
    }

    /// Nothing was above the usual lately.
    pub fn is_calm(&self) -> bool {
        self.sum.is_calm()
    }

    /// Forgets what was above it.
    pub fn reset(&mut self) {
        self.sum = Cusum::default();
    }
}

#[cfg(test)]
mod tests {
    //! Customers who come again, some who do not, and what a flood adds to them.
    use super::*;

    fn from(source: u32) -> Sampled {
        Sampled { packet: [0; weir_abi::rules::FIELDS], source: Addr::v4(source), weight: 1, proven: false }
    }

    /// A window of twenty customers' packets, of fifty customers, and one of somebody new.
    fn calm(window: u32) -> Vec<Sampled> {
        (0..20).map(|i| from((window * 20 + i) % 50)).chain([from(1_000_000 + window)]).collect()
    }

    /// What calm windows taught.
    struct Taught {
        newcomers: Newcomers,
        packets: Fast,
    }

    impl Taught {
        fn by(windows: u32, window: impl Fn(u32) -> Vec<Sampled>) -> Self {
            let mut taught = Self { newcomers: Newcomers::default(), packets: Fast::default() };
            for i in 0..windows {
                let samples = window(i);
                assert!(!taught.says(&samples).is_some_and(|score| score.alarm), "window {i}");
                taught.packets.learn(samples.len() as f64);
                taught.newcomers.learn(&samples, samples.len() as u64);
                taught.newcomers.meet(&samples);
            }
            taught
        }

        fn says(&mut self, samples: &[Sampled]) -> Option<Score> {
            self.newcomers.window(samples, samples.len() as u64, &self.packets)
        }
    }

    #[test]
    fn forged_sources_stand_out_where_they_are_hardly_more_than_customers() {
        let mut taught = Taught::by(100, calm);
        let mut flood = calm(100);
        flood.extend((0..25).map(|i| from(2_000_000 + i)));
        let score = taught.says(&flood).unwrap();
        assert!(score.alarm && score.value > 3.0, "{score:?}");
        assert_eq!(score.evidence, "260 packets/s of sources that were not there before, usual 10");
        assert!((0..9).all(|i| !taught.says(&calm(101 + i)).unwrap().alarm), "over is over");
        assert!(taught.newcomers.is_calm());
    }

    #[test]
    fn a_group_of_newcomers_is_no_flood() {
        let mut taught = Taught::by(100, calm);
        let group =
            |i: u32| calm(100 + i).into_iter().chain((0..15).map(move |n| from(2_000_000 + 15 * i + n))).chain(calm(i));
        for i in 0..2 {
            let score = taught.says(&group(i).collect::<Vec<_>>()).unwrap();
            assert!(!score.alarm, "{score:?}");
        }
    }

    #[test]
    fn one_that_does_much_and_customers_who_do_more_are_none() {
        let mut taught = Taught::by(100, calm);
        let busy = |i| (0..200).map(move |_| from(3_000_000)).chain(calm(i)).collect::<Vec<_>>();
        let more =
            |i| (0..5).flat_map(|n| calm(i * 5 + n)).filter(|sampled| sampled.source.ip4() < 50).collect::<Vec<_>>();
        for i in 0..20 {
            assert!(!taught.says(&busy(100 + i)).unwrap().alarm);
            assert!(!taught.says(&more(100 + i)).unwrap().alarm);
        }
    }

    #[test]
    fn those_who_come_instead_of_others_are_no_flood() {
        let mut taught = Taught::by(100, calm);
        let others = |i: u32| (0..21).map(|n| from(4_000_000 + 21 * i + n)).collect::<Vec<_>>();
        assert!((0..20).all(|i| !taught.says(&others(i)).unwrap().alarm));
    }

    #[test]
    fn sampling_more_closely_makes_no_newcomers() {
        // One in twenty is seen at first, all of them later; all are new all the time.
        let sparse = |i: u32| (0..5).map(|n| Sampled { weight: 20, ..from(100 + i * 5 + n) }).collect::<Vec<_>>();
        let mut taught = Taught { newcomers: Newcomers::default(), packets: Fast::default() };
        for i in 0..200 {
            taught.packets.learn(100.0);
            taught.newcomers.learn(&sparse(i), 100);
            taught.newcomers.meet(&sparse(i));
        }
        let close = |i: u32| (0..100).map(|n| from(1_000_000 + i * 100 + n)).collect::<Vec<_>>();
        let told = |i| taught.newcomers.clone().told(&close(i), 100);
        assert!((0..10).all(|i| told(i) == Some(100)));
        assert!((0..10).all(|i| !taught.newcomers.window(&close(i), 100, &taught.packets).unwrap().alarm));
        assert!(taught.newcomers.is_calm());
    }

    #[test]
    fn nothing_is_said_before_it_is_known_who_comes() {
        let mut newcomers = Newcomers::default();
        for i in 0..(ACQUAINTED + LEARNED) as u32 {
            assert_eq!(newcomers.window(&calm(i), 21, &Fast::default()), None);
            newcomers.learn(&calm(i), 21);
            newcomers.meet(&calm(i));
        }
        assert!(newcomers.window(&calm(0), 21, &Fast::default()).is_some());
        assert_eq!(newcomers.window(&[], 21, &Fast::default()), None, "nothing was sampled");
    }

    #[test]
    fn addresses_of_one_subscriber_are_one_source() {
        let mut newcomers = Newcomers::default();
        let at = |lo| Sampled { source: Addr { hi: 0x2001_0db8_0066_0001, lo }, ..from(0) };
        newcomers.meet(&[at(1)]);
        assert_eq!(newcomers.told(&[at(2), at(3)], 2), Some(0));
        assert_eq!(newcomers.told(&[from(9)], 2), Some(2));
    }
}
