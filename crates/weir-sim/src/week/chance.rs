//! Chance from a seed: the distributions that arrivals are made of.

use std::f64::consts::{PI, TAU};

/// A generator: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

/// What the generator's state grows by.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn stirred(state: u64) -> u64 {
    let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// 64 bits that belong to a number.
pub(super) fn mixed(number: u64) -> u64 {
    stirred(number.wrapping_add(STEP))
}

/// Means below this are inverted, larger ones rejected from a hat.
const SMALL: f64 = 12.0;

impl Chance {
    /// The same seed gives the same numbers on every machine.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        stirred(self.0)
    }

    /// Even above 0, up to 1.
    pub fn share(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// A number below `n`; 0 for 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True so many times of 1.
    pub fn is(&mut self, probability: f64) -> bool {
        self.share() <= probability
    }

    /// Standard normal (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.share().ln()).sqrt();
        radius * (TAU * self.share()).cos()
    }

    /// Poisson: by inversion, or by transformed rejection (Hörmann, "The transformed rejection method for generating Poisson
    /// random variables", 1993: PTRS).
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean < SMALL {
            let (limit, mut product, mut n) = ((-mean).exp(), self.share(), 0);
            while product > limit {
                product *= self.share();
                n += 1;
            }
            return n;
        }
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.02483 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let (u, v) = (self.share() - 0.5, self.share());
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= v_r {
                return k as u64;
            }
            if k < 0.0 || us < 0.013 && v > us {
                continue;
            }
            let hat = (v * inverse_alpha / (a / (us * us) + b)).ln();
            if hat <= k * mean.ln() - mean - ln_factorial(k) {
                return k as u64;
            }
        }
    }

    /// Gamma (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000).
    pub fn gamma(&mut self, shape: f64, scale: f64) -> f64 {
        if shape < 1.0 {
            let smaller = self.share().powf(1.0 / shape);
            return self.gamma(shape + 1.0, scale) * smaller;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.share().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v * scale;
            }
        }
    }

    /// How many of `n` happen, each with the same probability.
    pub fn of(&mut self, n: u64, probability: f64) -> u64 {
        if probability >= 1.0 {
            return n;
        }
        if n <= 32 {
            return (0..n).filter(|_| self.is(probability)).count() as u64;
        }
        // Of many: by the rarer side, as Poisson or normal, whichever is near.
        let mean = n as f64 * probability.min(1.0 - probability);
        let rarer = if mean < SMALL {
            self.poisson(mean).min(n)
        } else {
            let deviation = (mean * probability.max(1.0 - probability)).sqrt();
            (mean + deviation * self.normal()).round().clamp(0.0, n as f64) as u64
        };
        if probability <= 0.5 { rarer } else { n - rarer }
    }
}

/// ln k! (Stirling's series; exact to seven digits from 7 on, and no smaller one is asked for often).
fn ln_factorial(k: f64) -> f64 {
    if k < 7.0 {
        return (2..=k as u64).map(|i| (i as f64).ln()).sum();
    }
    let n = k + 1.0;
    (n - 0.5) * n.ln() - n + 0.5 * (2.0 * PI).ln() + 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    //! Means and variances are those of the distributions.
    use super::*;

    fn moments(mut draw: impl FnMut(&mut Chance) -> f64) -> (f64, f64) {
        let mut chance = Chance::new(1);
        let all = (0..100_000).map(|_| draw(&mut chance)).collect::<Vec<_>>();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        (mean, all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64)
    }

    fn near((mean, variance): (f64, f64), (m, v): (f64, f64)) {
        assert!((mean / m - 1.0).abs() < 0.02 && (variance / v - 1.0).abs() < 0.05, "{mean} {variance}, not {m} {v}");
    }

    #[test]
    fn the_moments_are_right() {
        for mean in [0.3, 5.0, 12.0, 40.0, 3000.0] {
            near(moments(|chance| chance.poisson(mean) as f64), (mean, mean));
        }
        for (shape, scale) in [(0.5, 2.0), (3.0, 1.0), (200.0, 49.0)] {
            near(moments(|chance| chance.gamma(shape, scale)), (shape * scale, shape * scale * scale));
        }
        for (n, p) in [(10, 0.3), (1000, 0.005), (1000, 0.98), (400, 0.4)] {
            let n_ = n as f64;
            near(moments(|chance| chance.of(n, p) as f64), (n_ * p, n_ * p * (1.0 - p)));
        }
        let (mean, variance) = moments(Chance::normal);
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02);
    }

    #[test]
    fn factorials_are_right() {
        assert!((ln_factorial(10.0) - 3_628_800f64.ln()).abs() < 1e-7);
        assert_eq!(ln_factorial(1.0), 0.0);
    }
}
