//! Who sends an attack, as far as samples tell: how many sources, and those that send most.

use std::collections::HashMap;

use weir_abi::Addr;

/// Sources that are named at most.
const NAMED: usize = 5;

/// What samples say of the sources.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// About how many there are; at least as many were seen. Of sources that send evenly `n` samples meet `n²/2N` pairs of equal
    /// ones (the birthday problem, solved for `N`); uneven ones are taken for fewer.
    pub estimate: u64,
    /// Nearly every sample has a source of its own: forged, or a very large botnet.
    pub scattered: bool,
    /// Those that send most, with their shares; none of those that were seen once.
    pub top: Vec<(Addr, f64)>,
}

impl Sources {
    /// Of samples.
    pub fn of(sources: impl Iterator<Item = Addr>) -> Self {
        let mut counted: HashMap<Addr, u64> = HashMap::new();
        sources.for_each(|source| *counted.entry(source).or_default() += 1);
        let samples: u64 = counted.values().sum();
        if samples == 0 {
            return Self::default();
        }
        let pairs: u64 = counted.values().map(|n| n * (n - 1) / 2).sum();
        let distinct = counted.len() as u64;
        let estimate = (samples * (samples - 1) / 2).checked_div(pairs).unwrap_or(samples * samples / 2);
        let mut top = counted.into_iter().filter(|(_, n)| *n > 1).collect::<Vec<_>>();
        top.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| (a.0.hi, a.0.lo).cmp(&(b.0.hi, b.0.lo))));
        top.truncate(NAMED);
        let top = top.into_iter().map(|(source, n)| (source, n as f64 / samples as f64)).collect();
        Self { estimate: estimate.max(distinct), scattered: samples >= 32 && 10 * distinct >= 9 * samples, top }
    }
}

#[cfg(test)]
mod tests {
    //! One source, some, and as many as packets.
    use super::*;

    fn of(sources: impl Iterator<Item = u64>) -> Sources {
        Sources::of(sources.map(|lo| Addr { hi: 0, lo }))
    }

    #[test]
    fn one_many_and_forged_ones() {
        assert_eq!(of(std::iter::empty()), Sources::default());
        let one = of(std::iter::repeat_n(7, 100));
        assert_eq!((one.estimate, one.scattered, one.top.len()), (1, false, 1));
        assert_eq!(one.top[0].1, 1.0);
        let forged = of(0..500);
        assert!(forged.scattered && forged.estimate >= 500 && forged.top.is_empty(), "{forged:?}");
        let hundred = of((0..500u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).map(|i| i % 100));
        assert!((70..140).contains(&hundred.estimate) && !hundred.scattered, "{hundred:?}");
    }
}
