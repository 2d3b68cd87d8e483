//! The bit-vector tables as `weir-abi` lays them out: reading a slot back, writing one, and deciding a match vector.

use std::ops::BitOr;

use weir_abi::RuleTables;
use weir_abi::rules::{FIELDS, SLOTS, field, l4_fact};

use super::shape::Conjunction;
use super::{ByteSet, MatchVector};

/// Tables without any rule.
pub fn empty() -> Box<RuleTables> {
    Box::new(RuleTables {
        words: [[0; 256]; FIELDS],
        live: 0,
        enforce: 0,
        needs_layout: 0,
        known: 0,
        limit: 0,
        insist: 0,
        needs_payload: 0,
        needs_headers: 0,
        needs_facts: 0,
        reserved: [0; 7],
        owner: [0; SLOTS],
    })
}

/// The live conjunctions that accept the vector, as bits: what the packet path computes.
pub fn matching(tables: &RuleTables, v: &MatchVector) -> u64 {
    tables.words.iter().zip(v).fold(tables.live, |m, (words, &byte)| m & words[usize::from(byte)])
}

/// Writes a conjunction into an empty slot.
pub(crate) fn write(tables: &mut RuleTables, slot: usize, conjunction: &Conjunction, owner: u32) {
    let bit = 1u64 << slot;
    for (words, set) in tables.words.iter_mut().zip(conjunction) {
        set.values().for_each(|v| words[usize::from(v)] |= bit);
    }
    let looks_at = |field: usize| if conjunction[field] == ByteSet::FULL { 0 } else { bit };
    tables.needs_layout |= looks_at(field::OPTION_LAYOUT);
    tables.needs_facts |= looks_at(field::DATA_OFFSET);
    let facts = &conjunction[field::L4_FACTS];
    if !(0..=u8::MAX).filter(|v| v & l4_fact::PRESENT != 0).all(|v| facts.contains(v)) {
        tables.needs_facts |= bit;
    }
    tables.needs_headers |= field::HEADERS.into_iter().map(looks_at).fold(0, BitOr::bitor);
    tables.needs_payload |= (field::PAYLOAD..FIELDS).map(looks_at).fold(0, BitOr::bitor);
    tables.owner[slot] = owner;
}

/// Reads a slot's conjunction back; nothing where the slot is empty.
pub(crate) fn read(tables: &RuleTables, slot: usize) -> Option<Conjunction> {
    let column: Conjunction =
        std::array::from_fn(|f| ByteSet::of(|v| tables.words[f][usize::from(v)] >> slot & 1 != 0));
    column.iter().all(|set| !set.is_empty()).then_some(column)
}

/// The slots that hold a conjunction, live or not.
pub fn used(tables: &RuleTables) -> u64 {
    tables.words[0].iter().fold(0, |all, word| all | word)
}
