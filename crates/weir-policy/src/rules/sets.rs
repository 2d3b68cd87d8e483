//! Sets of byte and two-byte values, and their text form: `53,123,1900-1910`.

use std::fmt;
use std::ops::RangeInclusive;

/// A set of byte values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// No value.
    pub const EMPTY: Self = Self([0; 4]);
    /// Every value.
    pub const FULL: Self = Self([u64::MAX; 4]);

    /// The values for which the test holds.
    pub fn of(test: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::EMPTY;
        (0..=255).filter(|&v| test(v)).for_each(|v| set.insert(v));
        set
    }

    /// One value.
    pub fn one(value: u8) -> Self {
        Self::from_iter([value..=value])
    }

    /// Values whose bits in `mask` are those of `value`.
    pub fn masked(mask: u8, value: u8) -> Self {
        Self::of(|v| v & mask == value)
    }

    /// Adds a value.
    pub fn insert(&mut self, value: u8) {
        self.0[usize::from(value >> 6)] |= 1 << (value & 63);
    }

    /// Whether the value is in the set.
    pub fn contains(&self, value: u8) -> bool {
        self.0[usize::from(value >> 6)] >> (value & 63) & 1 != 0
    }

    /// Whether no value is in the set.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// The values in both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// The values, ascending.
    pub fn values(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=255).filter(|&v| self.contains(v))
    }

    /// The only value, where there is only one.
    pub fn single(&self) -> Option<u8> {
        let mut values = self.values();
        values.next().filter(|_| values.next().is_none())
    }
}

impl FromIterator<RangeInclusive<u8>> for ByteSet {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u8>>>(ranges: I) -> Self {
        let mut set = Self::EMPTY;
        ranges.into_iter().flatten().for_each(|v| set.insert(v));
        set
    }
}

/// A set of two-byte values: sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WordSet(Vec<(u16, u16)>);

impl WordSet {
    /// The value, if there is one only.
    pub fn single(&self) -> Option<u16> {
        match self.0[..] {
            [(low, high)] if low == high => Some(low),
            _ => None,
        }
    }

    /// Every value.
    pub fn full() -> Self {
        Self(vec![(0, u16::MAX)])
    }

    /// One value.
    pub fn one(value: u16) -> Self {
        Self(vec![(value, value)])
    }

    /// Whether the value is in the set.
    pub fn contains(&self, value: u16) -> bool {
        self.0.iter().any(|&(low, high)| low <= value && value <= high)
    }

    /// Whether no value is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values in both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.0
            .iter()
            .flat_map(|&(a, b)| other.0.iter().map(move |&(c, d)| a.max(c)..=b.min(d)))
            .filter(|r| !r.is_empty())
            .collect()
    }

    /// The set as products of high bytes and low bytes: disjoint, and as few as byte tables allow to be exact.
    ///
    /// High bytes that take the same low bytes share a product, so a range needs at most three.
    pub fn products(&self) -> Vec<(ByteSet, ByteSet)> {
        let mut products: Vec<(ByteSet, ByteSet)> = Vec::new();
        for high in 0..=255u8 {
            let row = (u16::from(high) << 8, u16::from(high) << 8 | 0xff);
            let lows: ByteSet = self
                .0
                .iter()
                .filter(|&&(a, b)| a <= row.1 && b >= row.0)
                .map(|&(a, b)| a.max(row.0) as u8..=b.min(row.1) as u8)
                .collect();
            if lows.is_empty() {
                continue;
            }
            match products.iter_mut().find(|(_, l)| *l == lows) {
                Some((highs, _)) => highs.insert(high),
                None => products.push((ByteSet::one(high), lows)),
            }
        }
        products
    }
}

impl FromIterator<RangeInclusive<u16>> for WordSet {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(ranges: I) -> Self {
        let mut sorted: Vec<(u16, u16)> =
            ranges.into_iter().filter(|r| !r.is_empty()).map(|r| r.into_inner()).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(sorted.len());
        for (low, high) in sorted {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }
}

impl fmt::Display for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges: WordSet = self.values().map(|v| u16::from(v)..=u16::from(v)).collect();
        ranges.fmt(f)
    }
}

impl fmt::Display for WordSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, &(low, high)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if low == high { write!(f, "{comma}{low}")? } else { write!(f, "{comma}{low}-{high}")? }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_ranges_become_one() {
        let set: WordSet = [5..=9, 1..=2, 3..=4, 65535..=65535].into_iter().collect();
        assert_eq!(set.to_string(), "1-9,65535");
        assert_eq!(ByteSet::masked(0xfe, 0x10).to_string(), "16-17");
    }

    #[test]
    fn a_range_needs_at_most_three_products_and_they_are_exact() {
        for (low, high, most) in
            [(460, 480, 1), (0, 65535, 1), (200, 300, 2), (1000, 5000, 3), (256, 511, 1), (7, 7, 1)]
        {
            let set: WordSet = std::iter::once(low..=high).collect();
            let products = set.products();
            assert!(products.len() <= most, "{low}-{high}: {}", products.len());
            for v in 0..=u16::MAX {
                let hits = products.iter().filter(|(h, l)| h.contains((v >> 8) as u8) && l.contains(v as u8)).count();
                assert_eq!(hits, usize::from(set.contains(v)), "{v} in {low}-{high}");
            }
        }
    }
}
