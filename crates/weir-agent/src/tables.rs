//! A policy and runtime entries to the tables of the packet path.

use std::collections::BTreeMap;

use weir_api::spec::{BlockAction, Cidr};
use weir_api::to_policy::Clock;
use weir_policy::compile::{CompileOptions, Compiled, compile};
use weir_policy::image::{Names, TableImage};
use weir_policy::model::{ListEntry, NameTable, Policy, Verdict};

use crate::entries::Entry;

/// Compiles; what is wrong is told one error a line.
pub fn build(policy: &Policy, previous: Option<&TableImage>, clock: Clock) -> Result<Compiled, String> {
    let options = CompileOptions::new(clock.hz, clock.ticks);
    compile(policy, &options, previous).map_err(|errors| errors.to_string())
}

/// Empty tables with the ids of an agent before this one: what is compiled against them keeps its ids.
pub fn remembered(names: Option<&Names>, clock: Clock) -> Option<TableImage> {
    let empty = build(&Policy::default(), None, clock).ok()?;
    Some(TableImage { names: names?.clone(), ..empty.image })
}

/// Puts runtime entries on the node's list.
pub fn add_entries(policy: &mut Policy, entries: &BTreeMap<Cidr, Entry>, clock: Clock) {
    for (cidr, entry) in entries {
        let verdict = match entry.action {
            BlockAction::Deny => Verdict::Deny,
            BlockAction::Allow => Verdict::Allow,
        };
        let word = if entry.action == BlockAction::Deny { "block" } else { "allow" };
        let rule = policy.names.intern(&format!("{word} {cidr}"));
        let list = ListEntry::new(cidr.net(), verdict, rule);
        policy.lists.push(match entry.expires {
            Some(end) => list.until(clock.tick(end)),
            None => list,
        });
    }
}

/// The names that are still in use, with their numbers.
pub fn used_names(policy: &Policy) -> NameTable {
    let mut used: Vec<u32> = policy.lists.iter().map(|e| e.rule).chain(policy.rules.iter().map(|r| r.id)).collect();
    used.sort_unstable();
    used.dedup();
    NameTable::continuing(used.into_iter().filter_map(|n| Some((n, policy.names.get(n)?))))
}
