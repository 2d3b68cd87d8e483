//! The steps between two images' flags, targets, policies and rules.
//!
//! Policies and rules are swapped whole, but not in the same instant, and destinations change one by one. So the first swaps
//! are to bridges that serve the old image's users as well as the new one's, the last swaps to what is wanted.

use weir_abi::config::node_flag;
use weir_abi::target::OWNER;
use weir_abi::{RuleTables, TargetKey, TargetPolicy};

use super::Step;
use super::merge::{Pair, pairs};
use crate::compile::targets::target_order;
use crate::image::TableImage;
use crate::rules::tables::used;

/// Flags that only say which tables are worth a look.
const LOOK: u32 = node_flag::LIST4 | node_flag::LIST6 | node_flag::TARGETS | node_flag::FAILSAFE;

/// Before everything else: look into what either image has, and stop enforcing where that is wanted.
pub(super) fn first_flags(old: u32, new: u32) -> Option<Step> {
    let first = meantime(old, new);
    (first != old).then_some(Step::Flags(first))
}

/// After everything else: start enforcing, and look only into what the new image has.
pub(super) fn last_flags(old: u32, new: u32) -> Option<Step> {
    (meantime(old, new) != new).then_some(Step::Flags(new))
}

fn meantime(old: u32, new: u32) -> u32 {
    let enforce = old & new & node_flag::ENFORCE;
    (old | new) & LOOK | old & !LOOK & !node_flag::ENFORCE | enforce
}

/// Rules, policies, destinations.
pub(super) fn steps(old: &TableImage, new: &TableImage) -> Vec<Step> {
    let rules = [&old.rules, &Box::new(both_rules(&old.rules, &new.rules)), &new.rules];
    let policies = [&old.policies, &both_policies(old, new), &new.policies];
    let swap_rules = |i: usize| (rules[i] != rules[i - 1]).then(|| Step::Rules(rules[i].clone()));
    let swap_policies = |i: usize| (policies[i] != policies[i - 1]).then(|| Step::Policies(policies[i].clone()));

    let to_both = [swap_rules(1), swap_policies(1)];
    let to_new = [swap_policies(2), swap_rules(2)];
    to_both.into_iter().flatten().chain(targets(old, new)).chain(to_new.into_iter().flatten()).collect()
}

/// New policies, and the old ones of targets that are about to go.
fn both_policies(old: &TableImage, new: &TableImage) -> Vec<TargetPolicy> {
    let len = old.policies.len().max(new.policies.len());
    let get = |image: &TableImage, id: usize| image.policies.get(id).copied().unwrap_or_default();
    (0..len).map(|id| get(if new.names.target(id as u32).is_some() { new } else { old }, id)).collect()
}

/// New rules, and the old ones in slots that the new ones do not take.
fn both_rules(old: &RuleTables, new: &RuleTables) -> RuleTables {
    let taken = used(new);
    let mut both = new.clone();
    for (into, from) in both.words.iter_mut().zip(&old.words) {
        into.iter_mut().zip(from).for_each(|(into, from)| *into |= from & !taken);
    }
    both.live |= old.live & !taken;
    both.enforce |= old.enforce & !taken;
    both.insist |= old.insist & !taken;
    both.limit |= old.limit & !taken;
    both.known |= old.known & !taken;
    both.needs_layout |= old.needs_layout & !taken;
    both.needs_payload |= old.needs_payload & !taken;
    both.needs_headers |= old.needs_headers & !taken;
    both.needs_facts |= old.needs_facts & !taken;
    for (slot, owner) in both.owner.iter_mut().enumerate().filter(|(slot, _)| taken >> slot & 1 == 0) {
        *owner = old.owner[slot];
    }
    both
}

/// Destinations: the most exact first when adding, the most general first when removing. What an address with its port says
/// goes before what the address says.
fn targets(old: &TableImage, new: &TableImage) -> Vec<Step> {
    let (mut put, mut remove) = (Vec::new(), Vec::new());
    for pair in pairs(&old.targets, &new.targets, |(key, _)| target_order(key)) {
        match pair {
            Pair::Both(o, n) if o == n => {}
            Pair::Both(_, n) | Pair::New(n) => put.push(*n),
            Pair::Old((key, _)) => remove.push(*key),
        }
    }
    put.sort_by_key(|(key, _)| rank(key));
    remove.sort_by_key(|key| std::cmp::Reverse(rank(key)));
    let steps = [Step::PutTargets(put), Step::RemoveTargets(remove)];
    steps.into_iter().filter(|step| step.changes() > 0).collect()
}

/// The place of a key in the packet path's order of lookups.
fn rank(key: &TargetKey) -> u8 {
    match (key.port, key.proto) {
        (1.., _) => 0,
        (0, OWNER) => 3,
        (0, 0) => 2,
        (0, _) => 1,
    }
}
