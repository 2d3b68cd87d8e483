//! What is usual at this hour of the week: 168 bins of rates per second, an hour each, pooled with their neighbours.
//!
//! A week weighs 0.7 of the one after it. **Nobody teaches it much at once:** what enters is cut to 1.2 times the most that was
//! usual 24 hours ago, and to what 20 % a day since the same hour of last week allow. Nothing enters while anything is
//! suspected. The hours of the first day have nothing to be cut to: a week must pass before this has an opinion.
//!
//! Hours are counted by the caller, from any hour on and without gaps: 168 of them are a week.

mod bytes;
mod sketch;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

pub use sketch::Sketch;

/// Hours of a week.
pub const HOURS: usize = 168;
/// Hours of a day.
const DAY: usize = 24;
/// What a week weighs against the one after it.
const DECAY: f32 = 0.7;
/// Growth per day, at most.
pub const GROWTH: f64 = 1.2;
/// Packets per second that may be learned at any time: below this nobody is harmed.
const LEAST: f64 = 10.0;
/// Seconds of an hour and its neighbours from which on there is something usual.
const KNOWN: f64 = 900.0;

/// What is usual, packets per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hourly {
    /// Half of the seconds have fewer.
    pub p50: f64,
    /// 95 of 100 seconds have fewer.
    pub p95: f64,
    /// 99 of 100 seconds have fewer.
    pub p99: f64,
    /// The most that was seen.
    pub max: f64,
}

/// The hour that runs, and what depends on the whole week: what changes every second, for whoever keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Running {
    hour: u64,
    now: Sketch,
    /// The first hour of all.
    since: u64,
    /// The most that was usual at any hour of the week, as each of the last 24 hours began, the oldest first.
    levels: VecDeque<f64>,
}

/// Rates of one kind of packets by the hour of the week.
#[derive(Clone, Debug, PartialEq)]
pub struct Slow {
    running: Running,
    /// By hour of the week: what was seen, and the hour in which it was taken in last.
    hours: Vec<(Sketch, u64)>,
    /// Of the hour that runs.
    usual: Option<Hourly>,
    /// The most that may be learned in it.
    ceiling: f64,
}

impl Slow {
    /// Nothing is known yet.
    pub fn new(hour: u64) -> Self {
        let running = Running { hour, now: Sketch::default(), since: hour, levels: VecDeque::new() };
        let hours = vec![(Sketch::default(), 0); HOURS];
        Self { running, hours, usual: None, ceiling: f64::INFINITY }
    }

    /// Takes the rate of a second.
    pub fn second(&mut self, hour: u64, rate: f64, calm: bool) {
        if hour != self.running.hour {
            self.turn(hour);
        }
        if calm {
            self.running.now.add(rate, self.ceiling);
        }
    }

    /// What is usual in the hour that runs, once a week was seen.
    pub fn usual(&self) -> Option<Hourly> {
        self.usual
    }

    /// Hours since the first one.
    pub fn age(&self) -> u64 {
        self.running.hour.saturating_sub(self.running.since)
    }

    /// The hour is over.
    fn turn(&mut self, hour: u64) {
        let ended = self.running.hour;
        let now = std::mem::take(&mut self.running.now);
        if let Some((sketch, taken)) = self.hours.get_mut(of_week(ended))
            && !now.is_empty()
        {
            let weeks = ended.saturating_sub(*taken) / HOURS as u64;
            // The same hour once more, by a clock that was set back: no week has passed.
            sketch.decay(DECAY.powi(i32::try_from(weeks).unwrap_or(i32::MAX)));
            sketch.merge(&now);
            *taken = ended;
        }
        self.running.hour = hour;
        // Hours in which nobody looked let it grow no further.
        let highest = self.hours.iter().filter_map(|(sketch, _)| sketch.quantile(0.99)).fold(0.0, f64::max);
        self.running.levels.push_back(highest);
        if self.running.levels.len() > DAY {
            self.running.levels.pop_front();
        }
        self.look();
    }

    /// What follows from the hour that runs.
    fn look(&mut self) {
        let hour = of_week(self.running.hour);
        // Of this hour alone: neighbours would hand on what they were taught.
        let last_week = self.hours.get(hour).map(|(sketch, _)| sketch).filter(|sketch| sketch.total() >= KNOWN / 3.0);
        let before = last_week.and_then(|sketch| sketch.quantile(0.99));
        let by_week = before.map_or(f64::INFINITY, |p99| p99.max(LEAST) * GROWTH.powi(7));
        let a_day_ago = self.running.levels.front().filter(|_| self.running.levels.len() >= DAY);
        let by_day = a_day_ago.map_or(f64::INFINITY, |level| level.max(LEAST) * GROWTH);
        self.ceiling = by_week.min(by_day);
        let pooled = self.pooled(hour);
        let told = pooled.total() >= KNOWN && self.age() >= HOURS as u64;
        let at = |q| pooled.quantile(q).unwrap_or(0.0);
        self.usual = told.then(|| Hourly { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) });
    }

    /// An hour of the week and its neighbours.
    fn pooled(&self, hour: usize) -> Sketch {
        let mut pooled = Sketch::default();
        for by in [HOURS - 1, 0, 1] {
            if let Some((sketch, _)) = self.hours.get((hour + by) % HOURS) {
                pooled.merge(sketch);
            }
        }
        pooled
    }
}

fn of_week(hour: u64) -> usize {
    (hour % HOURS as u64) as usize
}

#[cfg(test)]
mod tests {
    //! A week is learned, forgotten slowly, and cannot be taught otherwise in a hurry.
    use super::*;
    use proptest::prelude::*;

    /// An hour of seconds with these rates in turn.
    fn hour(slow: &mut Slow, hour: u64, rates: &[f64]) {
        (0..720).for_each(|i| slow.second(hour, rates[i % rates.len()], true));
    }

    /// Customers of a day: few at night, many at noon.
    fn daily(hour: u64) -> f64 {
        let noon = (std::f64::consts::TAU * ((hour % 24) as f64 - 6.0) / 24.0).sin();
        1000.0 + 800.0 * noon
    }

    #[test]
    fn it_knows_the_hour_after_a_week() {
        let mut slow = Slow::new(1000);
        for h in 1000..1000 + 24 * 7 {
            assert_eq!(slow.usual(), None);
            hour(&mut slow, h, &[daily(h)]);
        }
        for h in 1168..1168 + 24 {
            slow.second(h, daily(h), true);
            let usual = slow.usual().unwrap();
            let (least, most) = (daily(h - 1).min(daily(h + 1)), daily(h - 1).max(daily(h + 1)).max(daily(h)));
            assert!(usual.p50 > 0.9 * least && usual.p99 < 1.05 * most, "{h}: {usual:?}, {least} to {most}");
            hour(&mut slow, h, &[daily(h)]);
        }
    }

    #[test]
    fn what_is_suspected_is_not_learned_and_a_crowd_shows_in_the_quantiles() {
        let mut slow = Slow::new(0);
        for h in 0..200 {
            (0..3600).for_each(|i| slow.second(h, if i % 30 == 0 { 300.0 } else { 100.0 }, true));
            (0..3600).for_each(|_| slow.second(h, 50_000.0, false));
        }
        let usual = slow.usual().unwrap();
        assert!((90.0..110.0).contains(&usual.p50) && (90.0..110.0).contains(&usual.p95), "{usual:?}");
        assert!((280.0..320.0).contains(&usual.p99) && (280.0..320.0).contains(&usual.max), "{usual:?}");
    }

    #[test]
    fn a_level_that_stays_becomes_the_usual_one_step_by_step() {
        let mut slow = Slow::new(0);
        (0..24 * 14).for_each(|h| hour(&mut slow, h, &[100.0]));
        let mut days = 0;
        for day in 14..100 {
            (24 * day..24 * (day + 1)).for_each(|h| hour(&mut slow, h, &[1000.0]));
            days += 1;
            if slow.usual().unwrap().p50 > 900.0 {
                break;
            }
        }
        // 13 days by 20 % each, and the weeks until half of what each hour remembers is of that level.
        assert!((20..50).contains(&days), "{days}");
    }

    #[test]
    fn it_comes_back_from_its_bytes() {
        let mut slow = Slow::new(77);
        (77..400).for_each(|h| hour(&mut slow, h, &[daily(h), 2.0 * daily(h)]));
        let (running, hours) = (slow.running(), slow.to_bytes());
        assert!(hours.len() < 168 * 64, "{}", hours.len());
        assert_eq!(Slow::from_parts(running.clone(), &hours), Some(slow));
        for cut in [0, 1, hours.len() / 2, hours.len() - 1] {
            assert_eq!(Slow::from_parts(running.clone(), &hours[..cut]), None, "{cut}");
        }
        let wrong = Running { levels: [f64::NAN].into(), ..running };
        assert_eq!(Slow::from_parts(wrong, &hours), None);
    }

    #[test]
    fn the_night_is_not_taught_the_days_rates_at_once() {
        let mut slow = Slow::new(0);
        let night = |h: u64| (2..5).contains(&(h % 24));
        (0..24 * 14).for_each(|h| hour(&mut slow, h, &[if night(h) { 100.0 } else { 10_000.0 }]));
        let of_night = |slow: &mut Slow, h| {
            slow.second(h, 0.0, false);
            slow.usual().unwrap().p99
        };
        (24 * 14..24 * 14 + 3).for_each(|h| hour(&mut slow, h, &[100.0]));
        let mut before = of_night(&mut slow, 24 * 14 + 3);
        assert!((90.0..110.0).contains(&before), "{before}");
        for week in 2..5 {
            (24 * 7 * week + 3..24 * 7 * (week + 1) + 3).for_each(|h| hour(&mut slow, h, &[10_000.0]));
            let now = of_night(&mut slow, 24 * 7 * (week + 1) + 3);
            assert!(now <= before * GROWTH.powi(7) * 1.06, "{now} after {before}");
            before = now;
        }
        assert!(before > 1000.0, "what lasts is learned: {before}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Poison by +2 % each hour, or by any other factor, from any day on: what is usual at an hour grows by no more than 20 % a day
        /// against the most that was usual a day ago.
        #[test]
        fn poison_raises_it_by_no_more_than_the_cap(
            level in 50.0f64..5000.0, growth in 1.0f64..1.2, first in 24u64..200, spread in 0.0f64..0.5,
        ) {
            let mut slow = Slow::new(0);
            let mut highest: Vec<f64> = Vec::new();
            let mut poison = 1.0;
            for h in 0..24 * 21 {
                if h >= first {
                    poison = (poison * growth).min(1e6);
                }
                let rate = level * poison;
                hour(&mut slow, h, &[rate * (1.0 - spread), rate, rate * (1.0 + spread)]);
                let usual = slow.usual().map(|usual| usual.p99);
                highest.push(highest.last().copied().unwrap_or(0.0).max(usual.unwrap_or(0.0)));
                let at = h as usize;
                if let (Some(now), true) = (usual, at >= 24 && highest[at - 24] > 0.0) {
                    prop_assert!(now <= GROWTH * highest[at - 24].max(LEAST) * 1.0001, "hour {}: {} after {}", h, now, highest[at - 24]);
                }
            }
            // Honest days are learned: without poison it is what it was.
            if growth < 1.0001 {
                let now = slow.usual().unwrap().p99;
                prop_assert!(now > 0.85 * level && now < 1.15 * (1.0 + spread) * level, "{} of {}", now, level);
            }
        }
    }
}
