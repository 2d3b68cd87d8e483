//! From rules to tables: every rule gets its slots, and keeps them as long as it stays the same.

use crate::overlay::FIRST;
use thiserror::Error;
use weir_abi::RuleTables;
use weir_abi::rules::SLOTS;

use super::shape::{Conjunction, Shape};
use super::{Mode, Rule, tables};

/// Why rules cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// It has no term.
    #[error("it has no term and would match every packet; say what it is to match, for example `udp and sport 123`")]
    NoTerm,
    /// Its terms contradict each other.
    #[error("no packet can match it: its terms contradict each other; remove one of them")]
    Contradiction,
    /// There is no room left.
    #[error(
        "it needs {needed} of the {SLOTS} conjunctions, {left} are left; use fewer or rounder ranges (x00-yff in hexadecimal \
         costs one), or remove other rules"
    )]
    NoRoom {
        /// Conjunctions that this rule needs.
        needed: usize,
        /// Conjunctions that are left after the rules before it.
        left: usize,
    },
}

/// Compiled rules.
#[derive(Clone, Debug)]
pub struct Built {
    /// The tables.
    pub tables: Box<RuleTables>,
    /// For each rule, in order, the slots it has.
    pub slots: Vec<u64>,
    /// Rules that could not be compiled, by their place.
    pub errors: Vec<(usize, RuleError)>,
}

/// Compiles rules, each exactly. Conjunctions that the previous tables hold for the same owner keep their slots, and new ones
/// avoid slots that the previous tables use: so old and new can be in force together while one replaces the other.
pub fn build(rules: &[Rule], previous: Option<&RuleTables>) -> Built {
    build_beside(rules, previous, 0)
}

/// The same, beside `others`: slots that are not to be had.
pub(crate) fn build_beside(rules: &[Rule], previous: Option<&RuleTables>, others: u64) -> Built {
    let room = SLOTS - others.count_ones() as usize;
    let mut errors = Vec::new();
    let mut wanted: Vec<(usize, Conjunction)> = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let shape = Shape::of(&rule.matches);
        let (needed, left) = (shape.count(), room - wanted.len());
        if rule.matches.terms.is_empty() {
            errors.push((i, RuleError::NoTerm));
        } else if needed == 0 {
            errors.push((i, RuleError::Contradiction));
        } else if needed > left {
            errors.push((i, RuleError::NoRoom { needed, left }));
        } else {
            wanted.extend(shape.conjunctions().into_iter().map(|c| (i, c)));
        }
    }

    let mut built = Built { tables: tables::empty(), slots: vec![0; rules.len()], errors };
    for (slot, &(i, conjunction)) in assign(rules, &wanted, previous, others).into_iter().zip(&wanted) {
        let (rule, bit) = (&rules[i], 1u64 << slot);
        tables::write(&mut built.tables, slot, &conjunction, rule.id);
        built.slots[i] |= bit;
        if rule.mode != Mode::Dormant {
            built.tables.live |= bit;
        }
        if matches!(rule.mode, Mode::Enforce | Mode::Insist) {
            built.tables.enforce |= bit;
        }
        if rule.mode == Mode::Insist {
            built.tables.insist |= bit;
        }
        if rule.mode == Mode::Limit {
            built.tables.limit |= bit;
        }
        // People's rules are for every packet; an incident's are for strangers.
        if rule.id < FIRST {
            built.tables.known |= bit;
        }
    }
    built
}

/// A slot for each wanted conjunction.
fn assign(rules: &[Rule], wanted: &[(usize, Conjunction)], previous: Option<&RuleTables>, others: u64) -> Vec<usize> {
    let avoid = previous.map_or(0, tables::used);
    let mut held: Vec<Option<(u32, Conjunction)>> =
        (0..SLOTS).map(|slot| previous.and_then(|p| Some((p.owner[slot], tables::read(p, slot)?)))).collect();
    let mut taken = others;
    let kept: Vec<Option<usize>> = wanted
        .iter()
        .map(|(i, conjunction)| {
            let key = Some((rules[*i].id, *conjunction));
            let slot = held.iter().position(|h| *h == key)?;
            held[slot] = None;
            taken |= 1 << slot;
            Some(slot)
        })
        .collect();
    kept.into_iter()
        .map(|kept| {
            kept.unwrap_or_else(|| {
                // Where old and new do not fit side by side, reuse what the old ones held. There is room: it was counted.
                let free = if taken | avoid != u64::MAX { taken | avoid } else { taken };
                let slot = free.trailing_ones() as usize;
                taken |= 1 << slot;
                slot
            })
        })
        .collect()
}
