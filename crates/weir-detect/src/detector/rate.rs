//! D1: more than usual. A CUSUM of how far each window is above the baseline (Page, "Continuous inspection schemes", 1954).

use super::{CAP, Family, Score, words};
use crate::baseline::{Fast, WINDOWS_PER_SECOND};

/// Deviations that are usual: a window adds what it has more.
const SLACK: f64 = 3.0;
/// The sum at which it alarms.
const THRESHOLD: f64 = 12.0;
/// One window adds at most so many deviations.
const MOST: f64 = 10.0;
/// An alarm needs this many times the usual.
const TIMES: f64 = 2.0;

/// The sum of what windows had more than is usual.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cusum(f64);

impl Cusum {
    /// Adds a window's deviations; its sum, in thresholds.
    pub fn add(&mut self, z: f64, threshold: f64) -> f64 {
        let sum = (self.0 + z.min(MOST) - SLACK).max(0.0);
        // A high sum after the flood has ended would keep it alive for long.
        self.0 = sum.min(4.0 * threshold);
        sum / threshold
    }

    /// Nothing was above the usual lately.
    pub fn is_calm(&self) -> bool {
        self.0 == 0.0
    }
}

/// The running sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    sum: Cusum,
}

impl Rate {
    /// Takes a window's count; call before the baseline learns it.
    pub fn window(&mut self, count: u64, usual: &Fast) -> Score {
        let x = count as f64;
        let sum = self.sum.add(usual.z(x), THRESHOLD);
        let alarm = sum > 1.0 && x > TIMES * usual.mean();
        let value = if alarm { (CAP * sum / 2.0).min(CAP) } else { sum.min(1.0) - 1.0 };
        let per_second = f64::from(WINDOWS_PER_SECOND);
        let evidence = words(alarm, || {
            let (mean, deviation) = (usual.mean() * per_second, usual.deviation() * per_second);
            format!("{:.0} packets/s, usual {mean:.0} ± {deviation:.0}", x * per_second)
        });
        Score { detector: "rate", family: Family::Volume, value, alarm, evidence }
    }

    /// Nothing was above the usual lately.
    pub fn is_calm(&self) -> bool {
        self.sum.is_calm()
    }

    /// Forgets what was.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    //! Floods are found in windows, ordinary noise is not.
    use super::*;

    #[test]
    fn a_flood_of_five_times_alarms_within_three_windows() {
        let mut usual = Fast::default();
        (0..600).for_each(|i| usual.learn(if i % 2 == 0 { 90.0 } else { 110.0 }));
        let mut rate = Rate::default();
        let windows = (1..10).find(|_| rate.window(500, &usual).alarm).unwrap();
        assert!(windows <= 3, "{windows}");
        let score = rate.window(500, &usual);
        assert!(score.value > 2.0 && score.evidence == "5000 packets/s, usual 1000 ± 100", "{score:?}");
    }

    #[test]
    fn what_is_usual_says_no() {
        let mut usual = Fast::default();
        (0..600).for_each(|_| usual.learn(100.0));
        let mut rate = Rate::default();
        for count in [100, 120, 130, 90, 110] {
            let score = rate.window(count, &usual);
            assert!(!score.alarm && score.value < 0.0, "{score:?}");
        }
    }
}
