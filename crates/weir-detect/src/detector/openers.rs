//! Connection floods (HTTP floods and their like): every connection comes about, and nothing in a packet is wrong. What gives them away is who opens
//! them: new sources, each of which opens far more than any did in calm times. A crowd is many sources that each open what one opens.
//!
//! Sources are known from samples of SYNs, which are few; so what one source opens is not counted for each but estimated for all at once, from how
//! often two samples have the same source (the birthday problem): with `s` the share of pairs that do, the connection that somebody opens next is one of
//! `s` times the rate of all that its source opens in a second.
//!
//! That takes a while, since a browser opens six connections at once and is no flood. Who goes on opening is known sooner, from pairs of which one is
//! of the last window and the other was before it: of six that are opened one after the other each comes after two and a half (none, one, … five) on
//! average, of browsers that come at different times.
//!
//! Sources that were there in calm times are left out of it: where all customers come through one proxy, a crowd is one source that opens much.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use weir_abi::Addr;

use super::waits::usually;
use super::{CAP, Family, Score};
use crate::baseline::WINDOWS_PER_SECOND;
use crate::regulars::one;
use crate::slow::{GROWTH, Sketch};
use crate::sources::Sources;

/// Samples of a window that are looked at.
const SAMPLES: usize = 256;
/// Windows that they are kept for: a second.
const SECOND: usize = WINDOWS_PER_SECOND as usize;
/// Seconds over which it is learned what a source opens, and the fewest.
const SPAN: usize = 10;
const LEAST_SPAN: usize = 3;
/// Samples of a source, at least, for what it opened to be known.
const OFTEN: f64 = 4.0;
/// Known sources of a target; those that opened least go first.
const KNOWN: usize = 1024;
/// More than any source did: so many times the busiest one of calm times, each of those who open most of it …
const TIMES: f64 = 2.0;
/// … and more than a browser opens at once, which is six, so that its first second is no flood.
const LEAST: f64 = 10.0;
/// Pairs of samples that have the same source, at least: fewer may be chance …
const PAIRS: usize = 10;
/// … and from so many on what they say is within a fifth, and one window is enough.
const SURE: usize = 30;
/// A browser's connections, six, come after so many of its own when they are opened one after the other …
const ONE_BY_ONE: f64 = 2.5;
/// … and a machine's after more, by so many standard deviations.
const DEVIATIONS: f64 = 3.0;
/// A window in which new sources open less than this share of what they open now is before they came.
const BEFORE: f64 = 0.1;
/// The share of what comes that new sources open, at least.
const MOST_OF_IT: f64 = 0.5;
/// What is usual halves in weight when it is of so many seconds: a day.
const DAY: u32 = 86_400;

/// Who opens connections to a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Openers {
    /// Samples of the window that runs: the source, and for how many packets each stands.
    #[serde(skip)]
    now: Vec<(Addr, u32)>,
    /// The windows of the last second.
    #[serde(skip)]
    recent: VecDeque<Came>,
    /// Windows of the second that runs, and whether they were calm.
    #[serde(skip)]
    windows: usize,
    #[serde(skip)]
    disturbed: bool,
    /// The last second's sources. They are believed when the next one is calm as well, so that a flood teaches nothing.
    #[serde(skip)]
    fresh: Option<Second>,
    /// Seconds of calm.
    #[serde(skip)]
    calm: VecDeque<Second>,
    /// Sources that were there, and how often they were seen.
    #[serde(skip)]
    known: BTreeMap<Addr, f64>,
    /// Seconds of calm, until now.
    #[serde(skip)]
    seconds: u64,
    /// What the busiest source opens in a second, by second of calm.
    #[serde(default)]
    busiest: Sketch,
    /// What that was a day ago, and seconds of calm since: nobody teaches more than so much a day. The first day is taken as it is.
    #[serde(default)]
    before: Option<f64>,
    #[serde(default)]
    today: u32,
}

/// What came within a window.
#[derive(Clone, Debug, Default, PartialEq)]
struct Came {
    /// SYNs.
    syns: u64,
    /// Samples of them: the source, and for how many packets each stands.
    samples: Vec<(Addr, u32)>,
}

/// What new sources opened within a window in which they opened most of what came.
struct New {
    /// All of them.
    syns: f64,
    /// Each that was sampled, and how often it was.
    opened: BTreeMap<Addr, (f64, usize)>,
}

impl New {
    fn of(came: &Came, known: &BTreeMap<Addr, f64>) -> Option<Self> {
        let weights = |(_, weight): &(Addr, u32)| f64::from(*weight);
        let all: f64 = came.samples.iter().map(weights).sum();
        let new = || came.samples.iter().filter(|(source, _)| !known.contains_key(source));
        let share = new().map(weights).sum::<f64>() / all;
        // Not where there are no samples, either.
        if share.is_nan() || share < MOST_OF_IT {
            return None;
        }
        // Samples may be cut.
        let each = came.syns as f64 / all;
        let mut opened = BTreeMap::<Addr, (f64, usize)>::new();
        for (source, weight) in new() {
            let (sum, count) = opened.entry(*source).or_default();
            (*sum, *count) = (*sum + each * f64::from(*weight), *count + 1);
        }
        Some(Self { syns: share * came.syns as f64, opened })
    }
}

/// A second of calm.
#[derive(Clone, Debug, Default, PartialEq)]
struct Second {
    /// SYNs that came.
    syns: f64,
    /// Samples of them, by source.
    samples: BTreeMap<Addr, f64>,
}

/// What the busiest source opened within some seconds: of those that were seen often enough to say so, and at least what the source of the next connection
/// did, which few samples tell as well. Nothing where there are hardly any.
fn busiest_of(seconds: &VecDeque<Second>) -> Option<f64> {
    let mut sources = BTreeMap::<Addr, f64>::new();
    seconds.iter().flat_map(|second| &second.samples).for_each(|(source, n)| *sources.entry(*source).or_default() += n);
    let samples: f64 = sources.values().sum();
    if samples < 2.0 {
        return None;
    }
    // Of all seconds together: one of which hardly anything was sampled says little.
    let each = seconds.iter().map(|second| second.syns).sum::<f64>() / samples;
    let most = sources.values().filter(|n| **n >= OFTEN).fold(0.0, |most: f64, n| most.max(*n));
    let same: f64 = sources.values().map(|n| n * (n - 1.0)).sum();
    Some(each * most.max(same / (samples - 1.0)) / seconds.len() as f64)
}

impl Openers {
    /// Takes a sampled SYN.
    pub fn sample(&mut self, source: Addr, weight: u32) {
        if self.now.len() < SAMPLES {
            self.now.push((one(source), weight));
        }
    }

    /// Ends a window in which so many SYNs came.
    pub fn window(&mut self, syns: u64) {
        self.recent.push_back(Came { syns, samples: std::mem::take(&mut self.now) });
        if self.recent.len() > SECOND {
            self.recent.pop_front();
        }
    }

    /// What is said of those who opened connections within the last second, in which so many SYNs came, and whether that is sure.
    pub fn judge(&self, second: u64, warm_up: u64) -> Option<(Score, bool)> {
        if (second as f64) < LEAST || !self.is_known(warm_up) {
            return None;
        }
        let usual = self.busiest();
        let many = self.each(second as f64).filter(|(each, ..)| *each >= (TIMES * usual).max(LEAST));
        let (each, sources, pairs) = match many {
            Some(many) => many,
            None => self.steady((TIMES * usual).max(LEAST))?,
        };
        let evidence = format!(
            "about {sources:.0} new sources open some {each:.0} connections/s each, the busiest one usually {usual:.1}"
        );
        Some((Score { detector: "openers", family: Family::Shape, value: CAP, alarm: true, evidence }, pairs >= SURE))
    }

    /// Connections per second that the source of the next connection opens, of so many that all open; how many such sources there are; and from how
    /// many pairs that is known. Nothing where most are no new sources, or too little is known of them.
    fn each(&self, rate: f64) -> Option<(f64, f64, usize)> {
        let mut samples = self.samples().copied().collect::<Vec<_>>();
        let all: f64 = samples.iter().map(|(_, weight)| f64::from(*weight)).sum();
        samples.retain(|(source, _)| !self.known.contains_key(source));
        samples.sort_unstable();
        let (mut sum, mut squares, mut same, mut pairs) = (0.0, 0.0, 0.0, 0);
        for of_one in samples.chunk_by(|a, b| a.0 == b.0) {
            let weights = || of_one.iter().map(|(_, weight)| f64::from(*weight));
            let (own, own_squares) = (weights().sum::<f64>(), weights().map(|w| w * w).sum::<f64>());
            same += own * own - own_squares;
            sum += own;
            squares += own_squares;
            pairs += of_one.len() * (of_one.len() - 1) / 2;
        }
        if pairs < PAIRS || sum < MOST_OF_IT * all {
            return None;
        }
        let share = same / (sum * sum - squares);
        Some((rate * (sum / all) * share, 1.0 / share, pairs))
    }

    /// The same of sources that go on opening: surely more than a browser's were opened before the last window by who opens in it, in at most a
    /// second and as fast as [`Self::each`] asks for.
    fn steady(&self, fast: f64) -> Option<(f64, f64, usize)> {
        let last = New::of(self.recent.back()?, &self.known)?;
        let mut earlier = BTreeMap::<Addr, (f64, usize)>::new();
        let (mut syns, mut windows) = (0.0, 0);
        for came in self.recent.iter().rev().skip(1) {
            let Some(new) = New::of(came, &self.known).filter(|new| new.syns >= BEFORE * last.syns) else { break };
            (syns, windows) = (syns + new.syns, windows + 1);
            for (source, (opened, count)) in new.opened {
                let (sum, counts) = earlier.entry(source).or_default();
                (*sum, *counts) = (*sum + opened, *counts + count);
            }
        }
        let (mut sum, mut pairs) = (0.0, 0);
        for (source, (opened, count)) in &last.opened {
            let (before, counts) = earlier.get(source).copied().unwrap_or_default();
            (sum, pairs) = (sum + opened * before, pairs + count * counts);
        }
        if pairs < SURE {
            return None;
        }
        // By the source of the next connection.
        let opened = sum / last.syns;
        let each = opened * f64::from(WINDOWS_PER_SECOND) / f64::from(windows);
        let surely = opened * (1.0 - DEVIATIONS / (pairs as f64).sqrt());
        (surely > ONE_BY_ONE && each >= fast).then_some((each, syns / opened, pairs))
    }

    /// The samples of the last second.
    fn samples(&self) -> impl Iterator<Item = &(Addr, u32)> {
        self.recent.iter().flat_map(|came| &came.samples)
    }

    /// The new sources of the last second.
    pub fn sources(&self) -> Sources {
        let new = self.samples().filter(|(source, _)| !self.known.contains_key(source));
        Sources::of(new.map(|(source, _)| *source))
    }

    /// Learns from the window that ended, where it was calm; within its second so many SYNs came.
    pub fn learn(&mut self, second: u64, calm: bool) {
        self.disturbed |= !calm;
        self.windows += 1;
        if self.windows < SECOND {
            return;
        }
        self.windows = 0;
        if std::mem::take(&mut self.disturbed) {
            self.fresh = None;
            return;
        }
        self.seconds += 1;
        let mut now = Second { syns: second as f64, ..Second::default() };
        self.samples().for_each(|(source, _)| *now.samples.entry(*source).or_default() += 1.0);
        if let Some(believed) = self.fresh.replace(now) {
            self.believe(believed);
        }
    }

    fn believe(&mut self, second: Second) {
        second.samples.iter().for_each(|(source, n)| *self.known.entry(*source).or_default() += n);
        if self.known.len() > KNOWN {
            self.forget_lesser_half();
        }
        self.calm.push_back(second);
        if self.calm.len() > SPAN {
            self.calm.pop_front();
        }
        if self.calm.len() < LEAST_SPAN {
            return;
        }
        if let Some(most) = busiest_of(&self.calm) {
            self.busiest.add(most, self.before.map_or(f64::INFINITY, |before| GROWTH * before.max(LEAST / TIMES)));
        }
        self.today += 1;
        if self.today >= DAY {
            (self.before, self.today) = (Some(self.busiest()), 0);
        }
        if self.busiest.total() >= f64::from(DAY) {
            self.busiest.decay(0.5);
        }
    }

    fn forget_lesser_half(&mut self) {
        let mut all = std::mem::take(&mut self.known).into_iter().collect::<Vec<_>>();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(KNOWN / 2);
        // What was long ago weighs less, so that who is new has a chance.
        self.known = all.into_iter().map(|(source, n)| (source, n / 2.0)).collect();
    }

    /// Whether enough was learned: of what is usual, and of who comes, which is not kept.
    fn is_known(&self, warm_up: u64) -> bool {
        let enough = warm_up as f64 / SECOND as f64;
        // The first seconds are no span yet, and the last one is not believed.
        let known = |seconds: f64, of: f64| seconds + LEAST_SPAN as f64 >= of;
        known(self.busiest.total(), enough) && known(self.seconds as f64, enough.min(60.0))
    }

    /// Connections per second that the busiest source opens in calm times.
    pub fn busiest(&self) -> f64 {
        usually(&self.busiest)
    }

    /// What is usual, without what is now.
    pub fn learned(&self) -> Self {
        Self { busiest: self.busiest.clone(), before: self.before, today: self.today, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    //! Customers, a crowd of them, a flood, and customers behind one proxy.
    use super::*;

    /// Calm that is enough.
    const WARM_UP: u64 = 100;

    /// A source by its number, in either family.
    fn source(n: u64) -> Addr {
        if n.is_multiple_of(2) { Addr::v4(n as u32) } else { Addr { hi: 0x2001_0db8 << 32 | n << 16, lo: n } }
    }

    struct Service {
        openers: Openers,
        chance: u64,
        alarms: Vec<(usize, String)>,
    }

    impl Service {
        fn new() -> Self {
            Self { openers: Openers::default(), chance: 7, alarms: Vec::new() }
        }

        fn random(&mut self, below: u64) -> u64 {
            // Numerical Recipes' generator: the same each time.
            self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.chance >> 33) % below
        }

        /// So many windows in which each of these sources opens so many connections a second; one in `weight` is sampled.
        fn run(&mut self, windows: usize, groups: &[(u64, u64, f64)], weight: u32, calm: bool) {
            self.alarms.clear();
            let mut seconds = VecDeque::new();
            for at in 0..windows {
                let mut count = 0;
                for &(first, sources, each) in groups {
                    let n = sources as f64 * each / SECOND as f64 + self.random(1000) as f64 / 1000.0;
                    for _ in 0..n as u64 {
                        count += 1;
                        let who = first + self.random(sources);
                        if self.random(u64::from(weight)) == 0 {
                            self.openers.sample(source(who), weight);
                        }
                    }
                }
                seconds.push_back(count);
                if seconds.len() > SECOND {
                    seconds.pop_front();
                }
                let second = seconds.iter().sum();
                self.openers.window(count);
                if let Some((score, _)) = self.openers.judge(second, WARM_UP) {
                    assert!(score.alarm && score.family == Family::Shape && score.value == CAP);
                    self.alarms.push((at, score.evidence));
                }
                self.openers.learn(second, calm);
            }
        }
    }

    const CUSTOMERS: (u64, u64, f64) = (0, 128, 2.3);

    fn calm() -> Service {
        let mut service = Service::new();
        service.run(600, &[CUSTOMERS], 1, true);
        assert_eq!(service.alarms, []);
        service
    }

    #[test]
    fn a_flood_of_new_sources_that_open_much_is_noticed_within_a_second() {
        for (weight, soon) in [(1, 1..3), (4, 1..5), (8, 2..6), (32, 4..12)] {
            let mut service = calm();
            assert!((2.3..8.0).contains(&service.openers.busiest()), "{}", service.openers.busiest());
            service.run(30, &[CUSTOMERS, (1000, 128, 25.0)], weight, false);
            let (at, evidence) = service.alarms.first().cloned().unwrap_or_default();
            assert!(soon.contains(&at), "one in {weight}: window {at}");
            let about = evidence.split(' ').nth(1).and_then(|n| n.parse::<u32>().ok());
            assert!(about.is_some_and(|n| (90..180).contains(&n)), "one in {weight}: {evidence}");
            let sources = service.openers.sources();
            assert!((60..200).contains(&sources.estimate) && !sources.top.is_empty(), "one in {weight}: {sources:?}");
            assert!(sources.top.iter().all(|(top, _)| (1000..1128).any(|n| one(source(n)) == *top)), "{sources:?}");
        }
    }

    #[test]
    fn a_crowd_is_none_whether_of_many_sources_or_behind_those_that_always_come() {
        let mut service = calm();
        service.run(100, &[(0, 128, 2.3), (1000, 3000, 2.3)], 8, false);
        assert_eq!(service.alarms, [], "as many as open what one opens");
        service.run(100, &[(0, 128, 60.0)], 8, false);
        assert_eq!(service.alarms, [], "customers who were there before");
        // One proxy has all of them.
        let mut behind = Service::new();
        behind.run(600, &[(5, 1, 40.0)], 1, true);
        behind.run(100, &[(5, 1, 900.0)], 4, false);
        assert_eq!(behind.alarms, []);
        // Browsers that open six connections each within their first second and no more.
        let mut small = Service::new();
        small.run(600, &[(0, 20, 0.2)], 1, true);
        for page in 0..10 {
            small.run(10, &[(10_000 + 500 * page, 500, 6.0)], 4, false);
            assert_eq!(small.alarms, []);
        }
    }

    /// One after the other looks most like someone who goes on.
    #[test]
    fn browsers_that_come_all_the_time_and_open_six_connections_are_none() {
        // In so many windows so many connections of each.
        for (windows, each) in [(6, 1), (3, 2), (2, 3)] {
            for weight in [1, 2, 3, 8] {
                let mut service = calm();
                for at in 0..1000 {
                    let (first, last) = ((1 << 20) + at * 25, (1 << 20) + (at + windows) * 25);
                    for who in (0..each).flat_map(|_| first..last) {
                        if service.random(weight) == 0 {
                            service.openers.sample(source(who), weight as u32);
                        }
                    }
                    let syns = (last - first) * each;
                    service.openers.window(syns);
                    assert_eq!(service.openers.judge(10 * syns, WARM_UP), None, "{each} each, one in {weight}");
                }
            }
        }
    }

    #[test]
    fn forged_sources_are_none_and_a_flood_teaches_nothing() {
        let mut service = calm();
        service.run(50, &[(1 << 20, 1 << 30, 0.00001)], 8, false);
        assert_eq!(service.alarms, []);
        let mut service = calm();
        let (known, busiest) = (service.openers.known.len(), service.openers.busiest());
        // It is noticed after a second, in the calm of which it was.
        service.run(10, &[CUSTOMERS, (1000, 128, 25.0)], 1, true);
        service.run(100, &[CUSTOMERS, (1000, 128, 25.0)], 1, false);
        service.run(60, &[CUSTOMERS], 1, true);
        assert_eq!((service.openers.known.len(), service.openers.busiest()), (known, busiest));
    }

    #[test]
    fn nothing_is_said_before_enough_is_known_and_what_is_usual_is_kept() {
        let mut service = Service::new();
        service.run(60, &[CUSTOMERS], 1, true);
        service.run(30, &[CUSTOMERS, (1000, 128, 25.0)], 1, false);
        assert_eq!(service.alarms, []);
        let kept = calm().openers.learned();
        assert_eq!((kept.known.len(), kept.busiest()), (0, calm().openers.busiest()));
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Openers>(&text).unwrap(), kept);
        // Who comes is learned anew.
        let mut again = Service { openers: kept, ..Service::new() };
        again.run(60, &[CUSTOMERS, (1000, 128, 25.0)], 1, true);
        assert_eq!(again.alarms, []);
    }

    /// A source that opens ever more from day to day, each of which is as calm as the one before.
    #[test]
    fn nobody_teaches_more_than_a_fifth_a_day() {
        let mut openers = Openers::default();
        let mut day = |each: f64| {
            for _ in 0..DAY {
                let samples = BTreeMap::from([(source(1), 50.0), (source(2), 50.0)]);
                openers.believe(Second { syns: 2.0 * each, samples });
            }
            openers.busiest()
        };
        let first = day(30.0);
        assert!((28.0..32.0).contains(&first), "{first}");
        let patient = [300.0, 300.0, 300.0].map(&mut day);
        assert!(patient[0] <= 1.25 * first && patient[2] <= 1.25 * 1.2 * 1.2 * first, "{patient:?}");
        assert!(patient[2] > first, "{patient:?}");
    }

    #[test]
    fn memory_is_bounded_and_who_opens_most_stays() {
        let mut service = Service::new();
        service.run(10, &[(7, 1, 50.0)], 1, true);
        for day in 0..40 {
            service.run(20, &[(7, 1, 50.0), (1000 * day + 1000, 1000, 0.3)], 1, true);
            assert!(service.openers.known.len() <= KNOWN && service.openers.recent.len() <= SECOND);
        }
        assert!(service.openers.known.contains_key(&one(source(7))));
    }
}
