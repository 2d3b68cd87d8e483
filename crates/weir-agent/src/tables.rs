//! A policy and runtime entries to the tables of the packet path.

use std::collections::{BTreeMap, HashMap};

use weir_api::problem::{Position, Problem, Severity};
use weir_api::spec::{BlockAction, Cidr};
use weir_api::to_policy::Clock;
use weir_policy::compile::{CompileError, CompileErrors, CompileOptions, Compiled, compile};
use weir_policy::image::{Names, TableImage};
use weir_policy::model::{ListEntry, NameTable, Policy, Verdict};

use crate::entries::Entry;

/// Compiles; `previous` are the tables in force, whose ids are kept.
pub fn build(policy: &Policy, previous: Option<&TableImage>, clock: Clock) -> Result<Compiled, CompileErrors> {
    compile(policy, &CompileOptions::new(clock.hz, clock.ticks), previous)
}

/// What the compiler refuses, as findings at the objects' places.
pub fn findings(errors: &CompileErrors, places: &HashMap<String, Position>, otherwise: &str) -> Vec<Problem> {
    let finding = |error: &CompileError| {
        let place = subject(error).and_then(|name| places.get(name)).cloned();
        Problem {
            severity: Severity::Error,
            position: place.unwrap_or_else(|| Position { file: otherwise.into(), line: 0, column: 0 }),
            field: String::new(),
            message: error.to_string(),
        }
    };
    errors.0.iter().map(finding).collect()
}

/// The target or object an error is about.
fn subject(error: &CompileError) -> Option<&str> {
    match error {
        CompileError::DuplicateTarget { target }
        | CompileError::TooManyTargets { target, .. }
        | CompileError::NoPorts { target, .. }
        | CompileError::Limit { target, .. }
        | CompileError::UnknownSet { target, .. } => Some(target),
        CompileError::List { name, .. } | CompileError::Rule { name, .. } => Some(name),
        _ => None,
    }
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
