//! How rare something is at least, when it was seen `k` times among `n`: the exact one-sided Poisson bound at 95 % (Garwood,
//! "Fiducial limits for the Poisson distribution", Biometrika 1936). For `k` = 0 it is the rule of three.

/// The bounds of the first counts, rounded up.
const EXACT: [f64; 32] = [
    2.9958, 4.7439, 6.2958, 7.7537, 9.1536, 10.5131, 11.8424, 13.1482, 14.4347, 15.7053, 16.9623, 18.2076, 19.4426,
    20.6686, 21.8865, 23.0972, 24.3012, 25.4993, 26.6918, 27.8793, 29.0621, 30.2405, 31.4149, 32.5854, 33.7525,
    34.9161, 36.0767, 37.2342, 38.3890, 39.5410, 40.6906, 41.8377,
];

/// The largest mean under which `k` or fewer events have a probability of at least 5 %.
///
/// Beyond the table by the approximation of Wilson and Hilferty ("The distribution of chi-square", PNAS 1931), less than 0.1 %
/// off there: the search asks millions of times.
pub fn poisson_upper(k: u64) -> f64 {
    const QUANTILE: f64 = 1.644_853_6;
    usize::try_from(k).ok().and_then(|k| EXACT.get(k).copied()).unwrap_or_else(|| {
        let n = k as f64 + 1.0;
        n * (1.0 - 1.0 / (9.0 * n) + QUANTILE / (3.0 * n.sqrt())).powi(3)
    })
}

/// The upper bound of a share, of which `k` of `n` were seen; 1 where nothing was looked at.
pub fn share_upper(k: usize, n: usize) -> f64 {
    if n == 0 { 1.0 } else { (poisson_upper(k as u64) / n as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    //! Values of published tables.
    use super::*;

    /// The probability of at most `k` events around a mean. In logarithms, since `e^-mean` alone may be nothing to a double.
    fn at_most(k: u64, mean: f64) -> f64 {
        let mut term = -mean;
        let mut sum = term.exp();
        for i in 1..=k {
            term += (mean / i as f64).ln();
            sum += term.exp();
        }
        sum
    }

    #[test]
    fn at_the_bound_so_few_are_seen_in_one_case_of_twenty() {
        for k in (0..300).chain([1000, 20_000]) {
            let p = at_most(k, poisson_upper(k));
            assert!((p - 0.05).abs() < 0.0005, "{k}: {p}");
        }
        for k in 0..300 {
            assert!(poisson_upper(k) < poisson_upper(k + 1), "{k}");
        }
    }

    #[test]
    fn the_bounds_are_those_of_the_tables() {
        for (k, bound) in [(0, 2.996), (1, 4.744), (2, 6.296), (3, 7.754), (5, 10.513), (10, 16.962), (100, 118.08)] {
            assert!((poisson_upper(k) - bound).abs() < 0.01, "{k}: {}", poisson_upper(k));
        }
        assert!(poisson_upper(100_000) > 100_000.0 && poisson_upper(100_000) < 101_000.0);
    }

    #[test]
    fn nothing_seen_proves_little_of_few() {
        assert_eq!(share_upper(0, 0), 1.0);
        assert_eq!(share_upper(0, 2), 1.0);
        assert!((share_upper(0, 6000) - 5e-4).abs() < 1e-5);
    }
}
