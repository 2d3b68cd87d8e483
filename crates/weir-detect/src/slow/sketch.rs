//! Quantiles of rates: a histogram whose buckets grow by 10 %, so that what it says is within 5 % (Masson, Rim and Lee, "DDSketch",
//! VLDB 2019). Only buckets that hold something are kept: an hour of a service has about ten.

use serde::{Deserialize, Serialize};

/// A bucket's upper end against its lower one.
const GAMMA: f64 = 1.1;
/// The last bucket: 2.7 · 10^10 packets per second.
const LAST: u8 = 253;
/// Less than a second is forgotten.
const LEAST: f32 = 1.0;

/// Seconds by rate. Bucket 0 is for none at all, bucket `i` for rates up to `GAMMA^(i-1)` packets per second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sketch(Vec<(u8, f32)>);

/// The bucket of a rate.
fn bucket(rate: f64) -> u8 {
    if rate < 0.5 {
        return 0;
    }
    // From below 1: the bucket of one packet per second.
    (1.0 + (rate.ln() / GAMMA.ln()).ceil().max(0.0)).min(f64::from(LAST)) as u8
}

/// What a bucket says: the middle that is off by the same factor at both of its ends.
fn rate_of(bucket: u8) -> f64 {
    match bucket {
        0 => 0.0,
        n => 2.0 * GAMMA.powi(i32::from(n) - 1) / (GAMMA + 1.0),
    }
}

impl Sketch {
    /// A second of this rate; one above the ceiling enters as what the sketch can say that is not above it.
    pub fn add(&mut self, rate: f64, ceiling: f64) {
        let mut at = bucket(rate.min(ceiling));
        while at > 0 && rate_of(at) > ceiling {
            at -= 1;
        }
        self.put(at, 1.0);
    }

    fn put(&mut self, at: u8, seconds: f32) {
        match self.0.binary_search_by_key(&at, |(bucket, _)| *bucket) {
            Ok(i) => {
                if let Some((_, n)) = self.0.get_mut(i) {
                    *n += seconds;
                }
            }
            Err(i) => self.0.insert(i, (at, seconds)),
        }
    }

    /// Adds another one's seconds.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(bucket, n)| self.put(*bucket, *n));
    }

    /// All seconds weigh less.
    pub fn decay(&mut self, by: f32) {
        self.0.iter_mut().for_each(|(_, n)| *n *= by);
        self.0.retain(|(_, n)| *n >= LEAST);
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Seconds in it.
    pub fn total(&self) -> f64 {
        self.0.iter().map(|(_, n)| f64::from(*n)).sum()
    }

    /// The rate that a share of the seconds, 0 to 1, does not exceed; nothing where there are none.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = share * self.total();
        let mut sum = 0.0;
        let mut reaches = |n: f32| {
            sum += f64::from(n);
            sum >= wanted * (1.0 - 1e-9)
        };
        let found = self.0.iter().find(|(_, n)| reaches(*n)).or(self.0.last());
        found.map(|(bucket, _)| rate_of(*bucket))
    }

    /// Buckets and their seconds, for whoever keeps them.
    pub(super) fn buckets(&self) -> &[(u8, f32)] {
        &self.0
    }

    /// From buckets; nothing where they are in no order, or hold what no number of seconds is.
    pub(super) fn from_buckets(buckets: Vec<(u8, f32)>) -> Option<Self> {
        let ordered = buckets.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0));
        let sane = buckets.iter().all(|(bucket, n)| *bucket <= LAST && n.is_finite() && *n >= 0.0);
        (ordered && sane).then_some(Self(buckets))
    }

    /// Whether a sketch that was read holds what one can hold.
    pub(super) fn is_sane(&self) -> bool {
        Self::from_buckets(self.0.clone()).is_some()
    }
}

#[cfg(test)]
mod tests {
    //! Against sorted rates.
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_within_five_percent(mut rates in prop::collection::vec(0.0f64..1e9, 1..300), share in 0.0f64..=1.0) {
            let mut sketch = Sketch::default();
            rates.iter().for_each(|rate| sketch.add(*rate, f64::INFINITY));
            rates.sort_by(f64::total_cmp);
            let exact = rates[((share * rates.len() as f64).ceil() as usize).saturating_sub(1)];
            let told = sketch.quantile(share).unwrap();
            prop_assert!((told - exact).abs() <= 0.05 * exact + 1.0, "{} for {}", told, exact);
        }

        #[test]
        fn nothing_above_the_ceiling_enters(rate in 0.0f64..1e9, ceiling in 1.0f64..1e6) {
            let mut sketch = Sketch::default();
            sketch.add(rate, ceiling);
            let told = sketch.quantile(1.0).unwrap();
            prop_assert!(told <= ceiling);
            prop_assert!(told >= 0.9 * rate.min(ceiling) - 1.0);
        }
    }

    #[test]
    fn sums_and_decay() {
        let (mut a, mut b) = (Sketch::default(), Sketch::default());
        (0..100).for_each(|_| a.add(10.0, f64::INFINITY));
        (0..300).for_each(|_| b.add(1000.0, f64::INFINITY));
        b.add(1e6, f64::INFINITY);
        a.merge(&b);
        assert_eq!((a.total(), a.is_empty()), (401.0, false));
        assert!((a.quantile(0.5).unwrap() - 1000.0).abs() < 50.0);
        a.decay(0.7);
        assert!((a.total() - 280.0).abs() < 0.1 && a.quantile(1.0).unwrap() < 1100.0, "a lone second is forgotten");
        assert_eq!(Sketch::default().quantile(0.5), None);
    }
}
