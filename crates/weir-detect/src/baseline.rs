//! What is usual: mean and variance of the packets per window, exponentially weighted over a minute.
//!
//! Surges are cut to three deviations before they enter, so that an attack's first windows do not teach that attacks are usual;
//! while something is suspected nothing enters at all. The variance is never taken to be below that of a Poisson process.

use serde::{Deserialize, Serialize};

/// Windows per second.
pub const WINDOWS_PER_SECOND: u32 = 10;
/// Weight of a window: a time constant of a minute.
const WEIGHT: f64 = 1.0 / 600.0;
/// Deviations at which a window's count is cut.
const CUT: f64 = 3.0;
/// The least variance.
const LEAST: f64 = 0.25;

/// A baseline of one count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fast {
    mean: f64,
    variance: f64,
    windows: u64,
}

impl Fast {
    /// Packets per window.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation.
    pub fn deviation(&self) -> f64 {
        self.variance.max(self.mean).max(LEAST).sqrt()
    }

    /// Windows that it has learned from.
    pub fn windows(&self) -> u64 {
        self.windows
    }

    /// How many deviations above the mean a count is.
    pub fn z(&self, count: f64) -> f64 {
        (count - self.mean) / self.deviation()
    }

    /// Learns a window. The first ones weigh more: a young baseline is their plain mean.
    pub fn learn(&mut self, count: f64) {
        self.windows += 1;
        // Silence after nothing but silence, as of most kinds of packets, changes nothing else.
        if count == 0.0 && self.mean == 0.0 && self.variance == 0.0 {
            return;
        }
        let weight = WEIGHT.max(1.0 / self.windows as f64);
        let count = if self.windows <= u64::from(WINDOWS_PER_SECOND) {
            count
        } else {
            let reach = CUT * self.deviation();
            count.clamp(self.mean - reach, self.mean + reach)
        };
        let off = count - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
    }
}

#[cfg(test)]
mod tests {
    //! What it learns and what it does not.
    use super::*;

    #[test]
    fn it_learns_a_level_and_its_spread() {
        let mut fast = Fast::default();
        for i in 0..6000 {
            fast.learn(if i % 2 == 0 { 90.0 } else { 110.0 });
        }
        assert!((fast.mean() - 100.0).abs() < 1.0, "{fast:?}");
        assert!((fast.deviation() - 10.0).abs() < 0.5, "{fast:?}");
    }

    #[test]
    fn a_surge_teaches_little() {
        let mut fast = Fast::default();
        (0..600).for_each(|_| fast.learn(100.0));
        (0..3).for_each(|_| fast.learn(100_000.0));
        assert!(fast.mean() < 101.0, "{fast:?}");
        assert!(fast.z(100_000.0) > 1000.0);
    }

    #[test]
    fn silence_is_a_baseline_too() {
        let mut fast = Fast::default();
        (0..600).for_each(|_| fast.learn(0.0));
        assert_eq!(fast.mean(), 0.0);
        assert_eq!(fast.deviation(), 0.5);
    }
}
