//! Sets of packets by their number: one bit each, all of a length.

/// A set of the first `len` numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// No number.
    pub fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)], len }
    }

    /// Every number.
    pub fn all(len: usize) -> Self {
        Self::of(len, |_| true)
    }

    /// The numbers for which the test holds.
    pub fn of(len: usize, test: impl Fn(usize) -> bool) -> Self {
        let mut bits = Self::none(len);
        for i in (0..len).filter(|i| test(*i)) {
            bits.words[i / 64] |= 1 << (i % 64);
        }
        bits
    }

    /// The places at which a column has a value.
    pub fn equal(column: &[u64], value: u64) -> Self {
        let word = |chunk: &[u64]| chunk.iter().rev().fold(0, |word, one| word << 1 | u64::from(*one == value));
        Self { words: column.chunks(64).map(word).collect(), len: column.len() }
    }

    /// How many numbers there could be.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no number is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many numbers are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many numbers are in both.
    pub fn common(&self, other: &Self) -> usize {
        self.words.iter().zip(&other.words).map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    /// The numbers in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & b)
    }

    /// The numbers in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        self.with(other, |a, b| a | b)
    }

    /// The numbers in this one that are not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.with(other, |a, b| a & !b)
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(64 * at + bit)
            })
        })
    }

    fn with(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let words = self.words.iter().zip(&other.words).map(|(a, b)| join(*a, *b)).collect();
        Self { words, len: self.len }
    }
}

#[cfg(test)]
mod tests {
    //! Against plain sets.
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_are_sets(len in 0usize..200, a in any::<Vec<u8>>(), b in any::<Vec<u8>>()) {
            let set = |v: &[u8]| v.iter().map(|n| usize::from(*n)).filter(|n| *n < len).collect::<BTreeSet<_>>();
            let (sa, sb) = (set(&a), set(&b));
            let bits = |s: &BTreeSet<usize>| Bits::of(len, |i| s.contains(&i));
            let (ba, bb) = (bits(&sa), bits(&sb));
            prop_assert!(ba.iter().eq(sa.iter().copied()));
            prop_assert_eq!(ba.count(), sa.len());
            prop_assert_eq!(ba.is_empty(), sa.is_empty());
            prop_assert_eq!(ba.common(&bb), sa.intersection(&sb).count());
            let column = (0..len).map(|i| u64::from(sa.contains(&i))).collect::<Vec<_>>();
            prop_assert_eq!(Bits::equal(&column, 1), ba.clone());
            prop_assert!(ba.and(&bb).iter().eq(sa.intersection(&sb).copied()));
            prop_assert!(ba.or(&bb).iter().eq(sa.union(&sb).copied()));
            prop_assert!(ba.without(&bb).iter().eq(sa.difference(&sb).copied()));
            prop_assert_eq!(Bits::all(len).count(), len);
        }
    }
}
