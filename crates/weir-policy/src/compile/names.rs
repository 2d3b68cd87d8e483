//! Which rules and entries have which names.

use std::collections::BTreeSet;

use super::problem::{CompileError, Log};
use crate::model::Policy;

/// The names in use, by number. Each number without a name is reported once, with the first place that uses it.
pub(super) fn used(policy: &Policy, log: &mut Log) -> Vec<(u32, String)> {
    let mut used = vec![false; policy.names.numbers()];
    let mut unknown = BTreeSet::new();
    let mut note = |number: u32, place: &dyn Fn() -> String| match used.get_mut(number as usize) {
        Some(known) if policy.names.get(number).is_some() => *known = true,
        _ => {
            if unknown.insert(number) {
                log.errors.push(CompileError::UnknownOwner { place: place(), number });
            }
        }
    };
    // Entries come in long runs of one owner.
    let mut last = 0;
    for entry in &policy.lists {
        if entry.rule != last {
            last = entry.rule;
            if last != 0 {
                note(last, &|| entry.prefix.to_string());
            }
        }
    }
    for rule in &policy.rules {
        note(rule.id, &|| format!("rule `{}`", rule.matches));
    }
    let numbers = (0..).zip(used).filter(|(_, used)| *used);
    numbers.filter_map(|(number, _)| Some((number, policy.names.get(number)?.to_owned()))).collect()
}
