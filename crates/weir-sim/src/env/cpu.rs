//! One CPU's view of an environment: what [`weir_core::process`] is given.

use std::cell::Cell;

use weir_abi::counters::FACTS;
use weir_abi::target::NODE;
use weir_abi::{
    Addr, Cell32, Cell64, Config, FlowLine, FragmentSlot, Lengths6, Part4, PrefixEntry, PrefixKey, RuleTables,
    SourceExtra, SourceLine, TargetCells, TargetKey, TargetPolicy,
};
use weir_core::targets::{self, Found};
use weir_core::{Env, lists};

use super::{SimEnv, tables};

/// An environment as one of its CPUs.
#[derive(Clone, Debug)]
pub struct Cpu<'a> {
    env: &'a SimEnv,
    number: u32,
    /// The feature slot that was counted last.
    slot: Cell<Option<u8>>,
    /// The address that was looked up last, and where its targets stand: tables do not change while this borrows them.
    near: Cell<Option<(Addr, usize, usize)>>,
}

impl<'a> Cpu<'a> {
    pub(super) fn new(env: &'a SimEnv, number: u32) -> Self {
        Self { env, number, slot: Cell::new(None), near: Cell::new(None) }
    }

    /// The feature slot of the last packet that had a target.
    pub fn slot(&self) -> Option<u8> {
        self.slot.get()
    }
}

impl Cpu<'_> {
    /// The targets of an address.
    fn targets_of(&self, addr: Addr) -> &[(TargetKey, u32)] {
        let (from, to) = match self.near.get() {
            Some((near, from, to)) if near == addr => (from, to),
            _ => {
                let (from, to) = self.env.targets.get(&addr).map_or((0, 0), |at| (at.start, at.end));
                self.near.set(Some((addr, from, to)));
                (from, to)
            }
        };
        self.env.image.targets.get(from..to).unwrap_or_default()
    }
}

impl Env for Cpu<'_> {
    fn config(&self) -> &Config {
        &self.env.config
    }

    fn tick(&self) -> u64 {
        self.env.clock.load()
    }

    fn slots4(&self, word: u32) -> u64 {
        self.env.image.lists.slots4.get(word as usize).copied().unwrap_or(0)
    }

    fn part4(&self, number: u32) -> Option<&Part4> {
        tables::part4(&self.env.image, number)
    }

    fn in_part4(&self, ip: u32) -> u32 {
        lists::of_part(self, ip)
    }

    fn slots6(&self, word: u32) -> u64 {
        self.env.image.lists.slots6.get(word as usize).copied().unwrap_or(0)
    }

    fn lengths(&self, key: u32) -> Option<&Lengths6> {
        tables::lengths(&self.env.image, key)
    }

    fn prefix(&self, key: &PrefixKey) -> Option<&PrefixEntry> {
        tables::prefix(&self.env.image, key)
    }

    fn failsafe(&self, word: u32) -> u64 {
        self.env.image.failsafe.get(word as usize).copied().unwrap_or(0)
    }

    /// Nothing is remembered here: the kernel's shortcut must not show.
    fn target(&self, key: &TargetKey) -> Found {
        // Of most addresses there is none.
        if self.targets_of(key.addr).is_empty() { targets::NONE } else { targets::resolve(self, key) }
    }

    fn target_entry(&self, key: &TargetKey) -> Option<u32> {
        self.targets_of(key.addr).iter().find(|(found, _)| found == key).map(|(_, id)| *id)
    }

    fn policy(&self, index: u32) -> Option<&TargetPolicy> {
        tables::policy(&self.env.image, index, self.env.config.targets)
    }

    fn source(&self, line: u32) -> Option<&SourceLine> {
        self.env.cells.sources.get(line as usize)
    }

    fn source_extra(&self, line: u32) -> Option<&SourceExtra> {
        self.env.cells.source_extras.get(line as usize)
    }

    fn prefix_extra(&self, line: u32) -> Option<&SourceExtra> {
        self.env.cells.prefix_extras.get(line as usize)
    }

    fn source_prefix(&self, line: u32) -> Option<&SourceLine> {
        self.env.cells.source_prefixes.get(line as usize)
    }

    fn target_cells(&self, target: u32) -> Option<&TargetCells> {
        self.env.cells.targets.get(target as usize)
    }

    fn fragment(&self, slot: u32) -> Option<&FragmentSlot> {
        self.env.cells.fragments.get(slot as usize)
    }

    fn flow_line(&self, line: u32) -> Option<&FlowLine> {
        self.env.cells.flows.get(line as usize)
    }

    fn pending(&self, slot: u32) -> Option<&Cell64> {
        self.env.cells.pending.get(slot as usize)
    }

    fn proven_line(&self, line: u32) -> Option<&FlowLine> {
        self.env.cells.proven.get(line as usize)
    }

    fn retry(&self, slot: u32) -> Option<&Cell64> {
        self.env.cells.retries.get(slot as usize)
    }

    fn regular_line(&self, line: u32) -> Option<&FlowLine> {
        self.env.cells.regulars.get(line as usize)
    }

    fn add32(&self, cell: &Cell32, n: u32) {
        cell.add(n);
    }

    fn add64(&self, cell: &Cell64, n: u64) {
        cell.add(n);
    }

    fn rules(&self, _copy: u32) -> Option<&RuleTables> {
        Some(&self.env.image.rules)
    }

    fn count_rule(&self, slot: u32, bytes: u32) {
        self.env.counts.rule(self.number, slot, bytes);
    }

    fn count(&self, target: u32, would: bool, reason: u8, bytes: u32) -> u64 {
        self.env.counts.count(self.number, target, would, reason, bytes)
    }

    fn feature(&self, target: u32, slot: u8) {
        if slot < FACTS && target != NODE {
            self.slot.set(Some(slot));
        }
        self.env.counts.feature(self.number, target, slot);
    }
}
