//! Comparing sorted vectors and arrays of words.

use std::cmp::Ordering;

use super::view::Words;

/// A key on one side or both.
pub(super) enum Pair<'a, T> {
    /// Only in the old one.
    Old(&'a T),
    /// Only in the new one.
    New(&'a T),
    /// In both, not necessarily with equal values.
    Both(&'a T, &'a T),
}

/// Walks two sorted slices together.
pub(super) fn pairs<'a, T, K: Ord>(
    old: &'a [T],
    new: &'a [T],
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = Pair<'a, T>> {
    let (mut o, mut n) = (0, 0);
    std::iter::from_fn(move || match (old.get(o), new.get(n)) {
        (None, None) => None,
        (Some(a), Some(b)) => Some(match key(a).cmp(&key(b)) {
            Ordering::Less => {
                o += 1;
                Pair::Old(a)
            }
            Ordering::Greater => {
                n += 1;
                Pair::New(b)
            }
            Ordering::Equal => {
                o += 1;
                n += 1;
                Pair::Both(a, b)
            }
        }),
        (Some(a), None) => {
            o += 1;
            Some(Pair::Old(a))
        }
        (None, Some(b)) => {
            n += 1;
            Some(Pair::New(b))
        }
    })
}

/// The words that differ once `mask(index)` is set in both, as the new one has them; nothing where none differs.
pub(super) fn words(old: Words<'_>, new: &[u64], mut mask: impl FnMut(u32) -> u64) -> Option<Vec<(u32, u64)>> {
    let changed: Vec<(u32, u64)> = (old.first..)
        .zip(old.words.iter().zip(new))
        .filter_map(|(index, (old, new))| {
            let mask = mask(index);
            (old | mask != new | mask).then_some((index, new | mask))
        })
        .collect();
    (!changed.is_empty()).then_some(changed)
}

/// Bits by word, gathered in ascending order of slots: two bits for each slot.
#[derive(Debug, Default)]
pub(super) struct Overlay(Vec<(u32, u64)>);

impl Overlay {
    /// Marks a slot as listed in part. Slots come in ascending order.
    pub fn mark(&mut self, slot: u32) {
        let (word, bits) = (slot >> 5, 3 << ((slot & 31) * 2));
        match self.0.last_mut() {
            Some((last, all)) if *last == word => *all |= bits,
            _ => self.0.push((word, bits)),
        }
    }

    /// The words of an array that the marks change, marked.
    pub fn over(&self, words: Words<'_>) -> Vec<(u32, u64)> {
        let marked = self.0.iter().filter_map(|&(at, bits)| Some((at, words.get(at)?, bits)));
        marked.filter(|(_, word, bits)| word | bits != *word).map(|(at, word, bits)| (at, word | bits)).collect()
    }

    /// The words of an array that the marks had changed, without them.
    pub fn lifted(&self, words: Words<'_>) -> Vec<(u32, u64)> {
        let marked = self.0.iter().filter_map(|&(at, bits)| Some((at, words.get(at)?, bits)));
        marked.filter(|(_, word, bits)| word | bits != *word).map(|(at, word, _)| (at, word)).collect()
    }

    /// The marks of a word; words must be asked for in ascending order.
    pub fn reader(&self) -> impl FnMut(u32) -> u64 {
        let mut rest = self.0.iter().peekable();
        move |word| {
            while rest.next_if(|(at, _)| *at < word).is_some() {}
            rest.peek().filter(|(at, _)| *at == word).map_or(0, |(_, bits)| *bits)
        }
    }
}
