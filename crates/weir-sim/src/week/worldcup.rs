//! The shape of a flash crowd that was measured: requests per minute at the 1998 World Cup's web site (Arlitt and Jin, "Workload
//! characterization of the 1998 World Cup web site", 1999), 87 days.
//!
//! The series is not part of the project. What is made here has its quantiles (median 3,883, 99 of 100 minutes below 109,924, at
//! most 229,426) and its ramps: interest that rises over weeks, days with their hours, matches to whose end two hours of growth
//! lead, by a fifth per minute at the steepest, and one evening on which news bring 48 times the usual within six minutes.

use std::f64::consts::TAU;

use super::chance::Chance;

/// Minutes in a day.
const DAY: usize = 1440;
/// Days.
const DAYS: usize = 87;
/// The level of an average minute, by day: from day, logarithm of base ten of requests per minute.
const INTEREST: [(f64, f64); 9] = [
    (0.0, 2.85),
    (10.0, 3.05),
    (26.0, 3.4),
    (37.0, 3.6),
    (40.0, 4.25),
    (60.0, 4.2),
    (68.0, 4.05),
    (75.0, 3.55),
    (87.0, 2.85),
];
/// The most.
pub const MOST: f64 = 229_426.0;
/// The day of the news, its minute, and what it came to.
const NEWS: (usize, usize, f64) = (11, 540, 57_509.0);
/// The day and minute of the highest peak.
const FINAL: (usize, usize) = (68, 1);

/// Requests by minute.
#[derive(Clone, Debug, PartialEq)]
pub struct Minutes(pub Vec<f64>);

impl Minutes {
    /// The series; the same for the same seed.
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut all = (0..DAYS * DAY).map(|minute| quiet(minute, &mut chance)).collect::<Vec<_>>();
        news(&mut all);
        for day in 40..DAYS - 14 {
            // Days without a match are rare until the last round.
            let matches = if day < 61 { 2 } else { usize::from(day % 3 == 2) };
            for half in 0..matches {
                let end = day * DAY + 700 + 240 * half + chance.below(60) as usize;
                let peak = 10f64.powf(4.75 + 0.55 * chance.share());
                game(&mut all, end, peak);
            }
        }
        game(&mut all, FINAL.0 * DAY + FINAL.1, MOST);
        all.iter_mut().for_each(|minute| *minute = minute.min(MOST).round());
        Self(all)
    }

    /// The minute with most.
    pub fn highest(&self) -> usize {
        let most = self.0.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        most.map_or(0, |(at, _)| at)
    }

    /// The minute in which the news came.
    pub fn news() -> usize {
        NEWS.0 * DAY + NEWS.1
    }

    /// What a share of all minutes is below.
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get((share * (sorted.len().max(1) - 1) as f64) as usize).copied().unwrap_or(0.0)
    }
}

fn quiet(minute: usize, chance: &mut Chance) -> f64 {
    let day = minute as f64 / DAY as f64;
    let above = INTEREST.iter().position(|(from, _)| *from > day).unwrap_or(INTEREST.len() - 1).max(1);
    let ((d0, l0), (d1, l1)) = (INTEREST[above - 1], INTEREST[above]);
    let level = l0 + (l1 - l0) * (day - d0) / (d1 - d0);
    let hours = 0.22 * (TAU * (day - 0.7)).cos();
    10f64.powf(level + hours + 0.03 * chance.normal())
}

/// Two hours of growth to a peak at the game's end, half of which is gone within ten minutes after it.
fn game(all: &mut [f64], end: usize, peak: f64) {
    let shape = |off: f64| match off {
        _ if off < -110.0 => (1.0 + (off + 110.0) / 40.0).max(0.0) * 0.55,
        _ if off < -12.0 => 0.55 + 0.2 * (off + 110.0) / 98.0,
        _ if off <= 0.0 => 0.75 + 0.25 * (1.0 + off / 12.0),
        _ => 0.5f64.powf(off / 10.0),
    };
    for (at, minute) in all.iter_mut().enumerate().take(end + 120).skip(end.saturating_sub(150)) {
        *minute = minute.max(peak * shape(at as f64 - end as f64));
    }
}

/// 48 times within six minutes, at most 2.4 times from one minute to the next, and slowly gone.
fn news(all: &mut [f64]) {
    let start = Minutes::news();
    for (at, minute) in all.iter_mut().enumerate().skip(start).take(180) {
        let off = (at - start) as f64;
        let times = if off <= 6.0 { (NEWS.2 / 1192.0).powf(off / 6.0) } else { 48.2 * 0.5f64.powf((off - 6.0) / 9.0) };
        *minute = minute.max(1192.0 * times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_quantiles_and_the_ramps_that_were_measured() {
        let minutes = Minutes::new(1);
        let (median, p99) = (minutes.quantile(0.5), minutes.quantile(0.99));
        let p95 = minutes.quantile(0.95);
        println!("median {median}, 95 % {p95}, 99 % {p99}");
        assert!((median / 3883.0 - 1.0).abs() < 0.1, "{median}");
        assert!((p95 / 39_333.0 - 1.0).abs() < 0.25, "{p95}");
        assert!((p99 / 109_924.0 - 1.0).abs() < 0.1, "{p99}");
        assert_eq!(minutes.0[minutes.highest()], MOST);
        let steps = minutes.0.windows(2).map(|two| two[1] / two[0].max(1.0));
        let steepest = steps.fold(0.0, f64::max);
        assert!((1.7..2.4).contains(&steepest), "{steepest}");
        let news = Minutes::news();
        assert!(minutes.0[news + 6] / minutes.0[news - 1] > 20.0);
    }
}
