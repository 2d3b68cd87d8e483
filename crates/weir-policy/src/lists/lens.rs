//! A set of prefix lengths, 0 to 128.

use weir_abi::Lengths6;
use weir_abi::prefix::{MAX_LENGTHS, State};

/// Which lengths are present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lens {
    /// Lengths 0 to 127.
    low: u128,
    /// Length 128.
    host: bool,
}

impl Lens {
    /// The lengths of a table entry.
    pub fn of(lengths: &Lengths6) -> Self {
        let mut lens = Self::default();
        lengths.lens.iter().take(lengths.count.into()).for_each(|&len| lens.insert(len));
        lens
    }

    /// Adds a length.
    pub fn insert(&mut self, len: u8) {
        if len < 128 { self.low |= 1 << len } else { self.host = true }
    }

    /// Takes a length out.
    pub fn remove(&mut self, len: u8) {
        if len < 128 { self.low &= !(1 << len) } else { self.host = false }
    }

    /// The lengths in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { low: self.low | other.low, host: self.host || other.host }
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.low.count_ones() as usize + usize::from(self.host)
    }

    /// The lengths, longest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let mut low = self.low;
        let rest = std::iter::from_fn(move || {
            let len = low.checked_ilog2()?;
            low ^= 1 << len;
            Some(len as u8)
        });
        self.host.then_some(128).into_iter().chain(rest)
    }

    /// The table entry with these lengths; nothing where they do not fit. No prefix is noted in it yet.
    pub fn entry(self, otherwise: State) -> Option<Lengths6> {
        if self.count() > MAX_LENGTHS {
            return None;
        }
        let mut lens = [0; MAX_LENGTHS];
        lens.iter_mut().zip(self.iter()).for_each(|(place, len)| *place = len);
        Some(Lengths6 { count: self.count() as u8, otherwise: otherwise as u8, lens, filter: [0; 2] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_longest_first() {
        let mut lens = Lens::default();
        for len in [64, 0, 128, 127, 28] {
            lens.insert(len);
        }
        assert_eq!(lens.iter().collect::<Vec<_>>(), [128, 127, 64, 28, 0]);
        let entry = lens.entry(State::Deny).unwrap();
        assert_eq!((entry.count, entry.otherwise, &entry.lens[..5]), (5, 1, &[128, 127, 64, 28, 0][..]));
        assert_eq!(Lens::of(&entry), lens);
        (28..64).for_each(|len| lens.insert(len));
        assert_eq!(lens.entry(State::None), None);
    }
}
