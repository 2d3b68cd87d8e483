//! A part of a list image: all of it, or the run of blocks that one changed entry can touch.

use std::ops::Range;

use weir_abi::prefix::State;
use weir_abi::{Lengths6, Part4, PrefixEntry, PrefixKey};

use crate::image::ListImage;
use crate::lists::words;

/// A run of words of a two-bit table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    /// Index of the first one in the table.
    pub first: u32,
    /// The words.
    pub words: &'a [u64],
}

impl Words<'_> {
    /// The state of a slot; none outside the run.
    pub fn state(&self, slot: u32) -> State {
        slot.checked_sub(self.first * 32).map_or(State::None, |at| words::get(self.words, at))
    }

    /// The word at an index of the table.
    pub fn get(&self, index: u32) -> Option<u64> {
        self.words.get(index.checked_sub(self.first)? as usize).copied()
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub slots4: Words<'a>,
    pub parts4: &'a [(u32, Part4)],
    pub slots6: Words<'a>,
    pub lengths: &'a [(u32, Lengths6)],
    pub prefixes: &'a [(PrefixKey, PrefixEntry)],
    pub wide_lens4: u32,
}

impl<'a> View<'a> {
    /// All of an image.
    pub fn all(image: &'a ListImage) -> Self {
        Self {
            slots4: Words { first: 0, words: &image.slots4 },
            parts4: &image.parts4,
            slots6: Words { first: 0, words: &image.slots6 },
            lengths: &image.lengths,
            prefixes: &image.prefixes,
            wide_lens4: image.wide_lens4,
        }
    }
}

/// The elements of a sorted slice whose keys lie in a range.
pub(crate) fn within<T, K: Ord>(sorted: &[T], keys: Range<K>, key: impl Fn(&T) -> K) -> &[T] {
    let from = sorted.partition_point(|element| key(element) < keys.start);
    let to = sorted.partition_point(|element| key(element) < keys.end);
    sorted.get(from..to).unwrap_or_default()
}
