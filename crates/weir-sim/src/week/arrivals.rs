//! When customers arrive: the model by which the detectors were calibrated.
//!
//! The rate is `λ · exp(s·m − s²/2)`, with `m` a stationary autoregression of order one whose time constant is 100 windows, times
//! what the hour of the day makes of it. Counts are Poisson, or negative binomial with a variance of `D` times the mean: gamma of
//! shape `rate / (D − 1)` and scale `D − 1`, then Poisson.

use std::f64::consts::TAU;
use std::sync::Arc;

use super::chance::Chance;
use super::worldcup::Minutes;
use super::{WINDOWS_PER_DAY, WINDOWS_PER_HOUR, WINDOWS_PER_MINUTE};

/// Windows in which the level forgets where it was.
const MEMORY: f64 = 100.0;

/// One row of the model's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Arrivals per window, on average over a day.
    pub rate: f64,
    /// Variance of a window's count, in means.
    pub dispersion: f64,
    /// How far the level wanders: deviation of its logarithm.
    pub wander: f64,
}

/// The levels by which the detectors were calibrated.
pub const LEVELS: [Level; 6] = [
    Level { rate: 10.0, dispersion: 1.0, wander: 0.1 },
    Level { rate: 10.0, dispersion: 5.0, wander: 0.3 },
    Level { rate: 100.0, dispersion: 5.0, wander: 0.2 },
    Level { rate: 100.0, dispersion: 20.0, wander: 0.4 },
    Level { rate: 1000.0, dispersion: 50.0, wander: 0.3 },
    Level { rate: 10_000.0, dispersion: 200.0, wander: 0.3 },
];

/// Day and night, weekdays and the weekend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Season {
    /// The busiest hour's logarithm above the mean; the quietest is as far below it.
    pub swing: f64,
    /// The busiest hour, 0 to 24.
    pub peak: f64,
    /// What Saturday and Sunday have of a weekday.
    pub weekend: f64,
}

impl Season {
    /// What a window has of the mean.
    pub fn at(&self, window: u64) -> f64 {
        let hour = (window % WINDOWS_PER_DAY) as f64 / WINDOWS_PER_HOUR as f64;
        let day = window / WINDOWS_PER_DAY % 7;
        let week = if day >= 5 { self.weekend } else { 1.0 };
        week * (self.swing * (TAU * (hour - self.peak) / 24.0).cos()).exp()
    }
}

/// When within its days a service is busy.
#[derive(Clone, Debug)]
pub enum Hours {
    /// Always the same.
    Always,
    /// By the hour.
    Daily(Season),
    /// As in a series of minutes, from one of them on: times a level's rate of one per window.
    Series(Arc<Minutes>, usize),
}

impl Hours {
    /// What a window has of the level's rate.
    pub fn at(&self, window: u64) -> f64 {
        match self {
            Hours::Always => 1.0,
            Hours::Daily(season) => season.at(window),
            Hours::Series(minutes, from) => {
                let at = from + (window / WINDOWS_PER_MINUTE) as usize;
                let value = |at: usize| minutes.0.get(at).copied().unwrap_or(0.0);
                let within = (window % WINDOWS_PER_MINUTE) as f64 / WINDOWS_PER_MINUTE as f64;
                (value(at) + within * (value(at + 1) - value(at))) / WINDOWS_PER_MINUTE as f64
            }
        }
    }
}

/// Arrivals of one service.
#[derive(Clone, Debug)]
pub struct Arrivals {
    level: Level,
    /// The autoregression's state, of variance 1.
    m: f64,
}

impl Arrivals {
    /// Arrivals that begin anywhere in their wandering.
    pub fn new(level: Level, chance: &mut Chance) -> Self {
        Self { level, m: chance.normal() }
    }

    /// How many arrive in a window in which so many times the usual is to be expected.
    pub fn window(&mut self, times: f64, chance: &mut Chance) -> u64 {
        let keep = (-1.0 / MEMORY).exp();
        self.m = keep * self.m + (1.0 - keep * keep).sqrt() * chance.normal();
        let Level { rate, dispersion, wander } = self.level;
        let rate = times * rate * (wander * self.m - wander * wander / 2.0).exp();
        if dispersion <= 1.0 {
            return chance.poisson(rate);
        }
        let scale = dispersion - 1.0;
        let shape = rate / scale;
        if shape <= 0.0 {
            return 0;
        }
        let rate = chance.gamma(shape, scale);
        chance.poisson(rate)
    }
}

#[cfg(test)]
mod tests {
    //! The model's own moments.
    use super::*;

    #[test]
    fn counts_have_the_mean_and_more_than_the_dispersion() {
        for level in LEVELS {
            let mut chance = Chance::new(3);
            let mut arrivals = Arrivals::new(level, &mut chance);
            let all = (0..200_000).map(|_| arrivals.window(1.0, &mut chance) as f64).collect::<Vec<_>>();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64;
            assert!((mean / level.rate - 1.0).abs() < 0.05, "{level:?}: {mean}");
            // What is drawn, and the wandering of what it is drawn from.
            let wander = (level.wander.powi(2).exp() - 1.0) * mean * mean;
            let wanted = level.dispersion * mean + wander;
            assert!((variance / wanted - 1.0).abs() < 0.15, "{level:?}: {variance}, not {wanted}");
        }
    }

    #[test]
    fn days_have_their_hours() {
        let season = Season { swing: 0.8, peak: 15.0, weekend: 0.5 };
        let at = |day: u64, hour: u64| season.at(day * WINDOWS_PER_DAY + hour * WINDOWS_PER_HOUR);
        assert!((at(0, 15) / at(0, 3) - (1.6f64).exp()).abs() < 1e-6);
        assert!((at(5, 9) / at(4, 9) - 0.5).abs() < 1e-9 && at(7, 9) == at(0, 9));
    }
}
