//! The node's IPv4 list: two bits for every /24, a block of 256 states for a /24 that is listed in part.
//!
//! Never-block entries within a /24 are probed as well as painted, so that their passes are counted as such; wider ones are only
//! painted, because a wide probe would cost every packet a lookup.

use weir_abi::prefix::{LIST_NODE, SLOTS4_WORDS, State};
use weir_abi::{Part4, PrefixEntry, PrefixKey};

use super::group::Group;
use super::item::{self, Item};
use super::sweep::{Sink, sweep};
use super::words;
use crate::prefix::V4_BITS;

/// A /24's length from the top of 128 bits.
const SLOT_LEN: u8 = V4_BITS + 24;

/// The compiled list.
pub(super) struct Four {
    pub slots: Vec<u64>,
    pub parts: Vec<(u32, Part4)>,
    pub prefixes: Vec<(PrefixKey, PrefixEntry)>,
    pub wide_lens: u32,
    /// The /24 whose block is being painted, last in `parts`.
    open: Option<u32>,
    /// Lengths of probed prefixes by /24, ascending.
    probed: Vec<(u32, u32)>,
}

/// Compiles the node's IPv4 items.
pub(super) fn compile(items: &mut [Item], until: &mut u64) -> Four {
    item::sort(items, false);
    let hosts = items.iter().filter(|i| i.len > SLOT_LEN).count();
    let mut four = Four {
        slots: vec![0; SLOTS4_WORDS as usize],
        // Room for the worst case, of which only what is used is ever touched.
        parts: Vec::with_capacity(hosts),
        prefixes: Vec::new(),
        wide_lens: 0,
        open: None,
        probed: Vec::new(),
    };
    sweep(items, &mut four, until);
    four.close();
    four.mark_probed();
    four.parts.shrink_to_fit();
    four
}

impl Four {
    /// The block of a /24 that is painted in part.
    fn part(&mut self, number: u32) -> &mut Part4 {
        if self.open != Some(number) {
            self.close();
            self.open = Some(number);
            self.parts.push((number, Part4::default()));
        }
        let last = self.parts.len() - 1;
        &mut self.parts[last].1
    }

    /// Marks the painted block's /24; a block that turned out to be of one state needs no detail.
    fn close(&mut self) {
        let Some(number) = self.open.take() else { return };
        let mut state = State::Part;
        if let Some((_, part)) = self.parts.last() {
            let first = words::get(&part.states, 0);
            if part.states == [words::all(first); 8] {
                state = first;
                self.parts.pop();
            }
        }
        words::fill(&mut self.slots, number, number, state);
    }

    /// Gives every /24 in which prefixes are probed a block that tells their lengths.
    fn mark_probed(&mut self) {
        if self.probed.is_empty() {
            return;
        }
        let painted = std::mem::take(&mut self.parts);
        let mut painted = painted.into_iter().peekable();
        self.parts.reserve_exact(painted.len() + self.probed.len());
        for &(number, lens) in &self.probed {
            while let Some(part) = painted.next_if(|(n, _)| *n < number) {
                self.parts.push(part);
            }
            let mut part = match painted.next_if(|(n, _)| *n == number) {
                Some((_, part)) => part,
                None => Part4 { states: [words::all(words::get(&self.slots, number)); 8], timed_lens: 0, pad: 0 },
            };
            part.timed_lens = lens;
            self.parts.push((number, part));
            words::fill(&mut self.slots, number, number, State::Part);
        }
        self.parts.extend(painted);
    }
}

impl Sink for Four {
    fn list(&self) -> u16 {
        LIST_NODE
    }

    fn paints(&self, _: &Group) -> bool {
        true
    }

    fn always_probes(&self, group: &Group) -> bool {
        group.never_block && group.len >= SLOT_LEN
    }

    fn paint(&mut self, first: u128, last: u128, state: State) {
        let (first, last) = (first as u32, last as u32);
        let (mut from, mut to) = (first >> 8, last >> 8);
        let (starts, ends) = (first & 255 == 0, last & 255 == 255);
        if from == to && !(starts && ends) {
            words::fill(&mut self.part(from).states, first & 255, last & 255, state);
            return;
        }
        if !starts {
            words::fill(&mut self.part(from).states, first & 255, 255, state);
            from += 1;
        }
        // A whole /24 at the end belongs to the run of whole ones; `to` is one behind it.
        to += u32::from(ends);
        if from < to {
            words::fill(&mut self.slots, from, to - 1, state);
        }
        if !ends {
            words::fill(&mut self.part(to).states, 0, last & 255, state);
        }
    }

    fn probe(&mut self, key: PrefixKey, entry: PrefixEntry) {
        self.prefixes.push((key, entry));
        if key.len < SLOT_LEN {
            self.wide_lens |= 1 << (key.len - V4_BITS);
            return;
        }
        let (number, lens) = (key.addr.ip4() >> 8, 1 << (key.len - SLOT_LEN));
        match self.probed.last_mut() {
            Some((n, known)) if *n == number => *known |= lens,
            _ => self.probed.push((number, lens)),
        }
    }
}
