//! From the image in force to the next one, in steps that are safe while packets flow.
//!
//! Between any two steps, and within a step between any two of its elements, every lookup says what the old image says or what
//! the new one says, never a third thing. That takes an order:
//!
//! 1. *Bridge*: where both images probe prefixes, both images' lengths are probed, over the old states.
//! 2. *Put* prefixes, longest first: whatever decides then is the longest of the old or the longest of the new ones.
//! 3. *Switch* the states, each block in one store, and with them everything that is swapped as a whole (policies, rules).
//! 4. *Remove* prefixes, shortest first, for the same reason.
//! 5. *Settle*: only the new lengths are probed; what nobody reads any more goes.
//!
//! What holds for every lookup holds for a packet as long as one table decides about it. A target that gets another list at
//! the moment in which one of the two changes for other targets may meet that list's state before or after.
//!
//! Elements are to be carried out in the order in which they stand.

mod apply;
mod lists;
mod merge;
mod swaps;
pub(crate) mod view;

use weir_abi::{Lengths6, Part4, PrefixEntry, PrefixKey, RuleTables, TargetKey, TargetPolicy};

use crate::image::{Names, TableImage};
use lists::ListSteps;
use view::{View, Words};

/// One kind of change, for many elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sets the node's flags ([`weir_abi::config::node_flag`]).
    Flags(u32),
    /// Writes words of the failsafe bitmap, by index.
    Failsafe(Vec<(u32, u64)>),
    /// Adds or replaces details of /24s.
    PutParts4(Vec<(u32, Part4)>),
    /// Removes details of /24s that no slot points to any more.
    RemoveParts4(Vec<u32>),
    /// Writes words of the IPv4 /24 table, by index.
    Slots4(Vec<(u32, u64)>),
    /// Sets the lengths of timed IPv4 entries shorter than /24.
    WideLens4(u32),
    /// Adds or replaces prefix lengths of IPv6 slots and targets' own lists.
    PutLengths(Vec<(u32, Lengths6)>),
    /// Removes prefix lengths that are no longer read.
    RemoveLengths(Vec<u32>),
    /// Writes words of the IPv6 /27 table, by index.
    Slots6(Vec<(u32, u64)>),
    /// Adds or replaces exact prefixes.
    PutPrefixes(Vec<(PrefixKey, PrefixEntry)>),
    /// Removes exact prefixes.
    RemovePrefixes(Vec<PrefixKey>),
    /// Writes the rule tables that are not in force, then flips to them. Packets that began under the other copy must have
    /// ended before the next such step writes it.
    Rules(Box<RuleTables>),
    /// The same for the policies, by target id; ids behind the last one ask for nothing.
    Policies(Vec<TargetPolicy>),
    /// Adds or changes destinations.
    PutTargets(Vec<(TargetKey, u32)>),
    /// Removes destinations.
    RemoveTargets(Vec<TargetKey>),
    /// Names for people. Nothing for the kernel.
    Names(Box<Names>),
}

/// The steps from one image to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// To be carried out in this order.
    pub steps: Vec<Step>,
    /// IPv6 slots and own lists (keys of [`weir_abi::maps::LENGTHS`]) whose old and new lengths are too many to be probed
    /// together: while they change, an address there may for a moment get the verdict of another of its prefixes.
    pub torn: Vec<u32>,
}

/// The steps that make `new` out of `old`.
pub fn diff(old: &TableImage, new: &TableImage) -> Diff {
    let ListSteps { before, after, torn } = lists::steps(View::all(&old.lists), View::all(&new.lists));
    let mut steps = Vec::new();
    steps.extend(swaps::first_flags(old.node_flags, new.node_flags));
    steps.extend(merge::words(Words { first: 0, words: &old.failsafe }, &new.failsafe, |_| 0).map(Step::Failsafe));
    steps.extend(before);
    steps.extend(swaps::steps(old, new));
    steps.extend(after);
    steps.extend(swaps::last_flags(old.node_flags, new.node_flags));
    if old.names != new.names {
        steps.push(Step::Names(Box::new(new.names.clone())));
    }
    Diff { steps, torn }
}

/// The steps between the same part of two list images.
pub(crate) fn diff_lists(old: View<'_>, new: View<'_>) -> Diff {
    let ListSteps { mut before, after, torn } = lists::steps(old, new);
    before.extend(after);
    Diff { steps: before, torn }
}

impl Diff {
    /// How many elements change in all.
    pub fn changes(&self) -> usize {
        self.steps.iter().map(Step::changes).sum()
    }
}

impl Step {
    /// How many elements this step changes.
    pub fn changes(&self) -> usize {
        match self {
            Step::Failsafe(words) | Step::Slots4(words) | Step::Slots6(words) => words.len(),
            Step::PutParts4(parts) => parts.len(),
            Step::PutLengths(lengths) => lengths.len(),
            Step::RemoveParts4(keys) | Step::RemoveLengths(keys) => keys.len(),
            Step::PutPrefixes(prefixes) => prefixes.len(),
            Step::RemovePrefixes(keys) => keys.len(),
            Step::PutTargets(targets) => targets.len(),
            Step::RemoveTargets(keys) => keys.len(),
            Step::Flags(_) | Step::WideLens4(_) | Step::Rules(_) | Step::Policies(_) | Step::Names(_) => 1,
        }
    }
}
