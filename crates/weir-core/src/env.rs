//! The seam between the decision and where it runs: tables, time, counters. Two implementations: kernel maps, host collections.

use weir_abi::{
    Cell32, Cell64, Config, FlowLine, FragmentSlot, Lengths6, Part4, PrefixEntry, PrefixKey, RuleTables, SourceExtra,
    SourceLine, TargetCells, TargetKey, TargetPolicy,
};

use crate::targets::Found;

/// Where a decision runs. Methods take `&self`: cells are shared with other CPUs anyway.
pub trait Env {
    /// The configuration block.
    fn config(&self) -> &Config;
    /// The kernel's tick counter (`jiffies64`), or the virtual clock in ticks.
    fn tick(&self) -> u64;

    /// A word of the IPv4 /24 table.
    fn slots4(&self, word: u32) -> u64;
    /// Detail of a partly listed /24.
    fn part4(&self, number: u32) -> Option<&Part4>;
    /// What [`crate::lists::of_part`] says of an address in such a /24. May remember it until the generation changes.
    fn in_part4(&self, ip: u32) -> u32;
    /// A word of the IPv6 /27 table.
    fn slots6(&self, word: u32) -> u64;
    /// Prefix lengths present in an IPv6 slot or a scoped list.
    fn lengths(&self, key: u32) -> Option<&Lengths6>;
    /// An exact prefix.
    fn prefix(&self, key: &PrefixKey) -> Option<&PrefixEntry>;
    /// A word of the failsafe bitmap.
    fn failsafe(&self, word: u32) -> u64;

    /// What [`crate::targets::resolve`] says of a destination. May remember it until the generation changes.
    fn target(&self, key: &TargetKey) -> Found;
    /// One entry of the target map.
    fn target_entry(&self, key: &TargetKey) -> Option<u32>;
    /// A target's policy, by its index in both copies of the table.
    fn policy(&self, index: u32) -> Option<&TargetPolicy>;

    /// A line of source cells.
    fn source(&self, line: u32) -> Option<&SourceLine>;
    /// A line of source prefix cells.
    fn source_prefix(&self, line: u32) -> Option<&SourceLine>;
    /// The other cells of a source line.
    fn source_extra(&self, line: u32) -> Option<&SourceExtra>;
    /// The other cells of a source prefix line.
    fn prefix_extra(&self, line: u32) -> Option<&SourceExtra>;
    /// A target's own cells.
    fn target_cells(&self, target: u32) -> Option<&TargetCells>;
    /// A fragment slot.
    fn fragment(&self, slot: u32) -> Option<&FragmentSlot>;
    /// A line of known flows.
    fn flow_line(&self, line: u32) -> Option<&FlowLine>;
    /// A handshake that waits for its third packet.
    fn pending(&self, slot: u32) -> Option<&Cell64>;
    /// A line of proven sources.
    fn proven_line(&self, line: u32) -> Option<&FlowLine>;
    /// A challenged SYN that may come again.
    fn retry(&self, slot: u32) -> Option<&Cell64>;
    /// A line of sources that come regularly.
    fn regular_line(&self, line: u32) -> Option<&FlowLine>;
    /// Reads a cell's line ahead of its use, so that a cache miss is waited for while the decision goes on.
    fn touch(&self, _cell: &Cell32) {}
    /// Adds to a cell so that no CPU's addition is lost.
    fn add32(&self, cell: &Cell32, n: u32);
    /// Adds to a cell so that no CPU's addition is lost.
    fn add64(&self, cell: &Cell64, n: u64);

    /// The same number, hidden from the optimiser: so that it keeps a bound that the verifier needs to see.
    #[inline(always)]
    fn opaque(&self, n: u32) -> u32 {
        n
    }

    /// A copy of the rule tables.
    fn rules(&self, copy: u32) -> Option<&RuleTables>;
    /// Counts a match of a rule slot.
    fn count_rule(&self, slot: u32, bytes: u32);

    /// Counts an outcome by its reason's number and returns how many of its kind this CPU has counted, this one included.
    fn count(&self, target: u32, would: bool, reason: u8, bytes: u32) -> u64;
    /// Counts a feature slot of a target.
    fn feature(&self, target: u32, slot: u8);
}
