//! The policy in force as the engine keeps it: the next change starts from here.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_api::problem::Problem;
use weir_api::spec::{BlockAction, Cidr};
use weir_api::to_policy::Clock;
use weir_policy::explain::Index;
use weir_policy::model::{ListEntry, NameTable, Policy, Verdict};

use crate::entries::Entry;

/// Everything but the tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Base {
    /// The policy; its lists are in `index`.
    pub policy: Arc<Policy>,
    /// Names of rules and list entries; grows with runtime entries until the policy is loaded again.
    pub names: NameTable,
    /// All list entries: of the files, the never-block set, and run time.
    pub index: Index,
    /// How many of them are of the files and the never-block set.
    pub from_files: u64,
    /// The list entries of runtime entries as they stand in `index`.
    pub runtime: BTreeMap<Cidr, ListEntry>,
    /// What has no effect here.
    pub warnings: Vec<Problem>,
    /// Files the policy came from.
    pub files: Vec<String>,
    /// How many objects they hold.
    pub objects: u64,
}

impl Base {
    /// Takes over a policy with its lists, after it was compiled.
    pub fn new(mut policy: Policy, runtime: BTreeMap<Cidr, ListEntry>) -> Self {
        let lists = std::mem::take(&mut policy.lists);
        Self {
            names: policy.names.clone(),
            from_files: (lists.len() - runtime.len()) as u64,
            index: Index::new(lists),
            policy: Arc::new(policy),
            runtime,
            ..Self::default()
        }
    }

    /// The policy with its lists, to be compiled as a whole. A copy: at a million entries one thinks twice.
    pub fn whole(&self) -> Policy {
        let mut policy = Policy::clone(&self.policy);
        policy.lists = self.index.entries().copied().collect();
        policy.names = self.names.clone();
        policy
    }

    /// Sets or clears the list entry of a runtime entry; returns what was there.
    pub fn set_runtime(&mut self, cidr: Cidr, entry: Option<ListEntry>) -> Option<ListEntry> {
        let before = match entry {
            Some(entry) => {
                self.index.insert(entry);
                self.runtime.insert(cidr, entry)
            }
            None => self.runtime.remove(&cidr),
        };
        if let Some(before) = &before {
            self.index.remove(before);
        }
        before
    }
}

/// A runtime entry as a list entry.
pub(super) fn list_entry(cidr: Cidr, entry: &Entry, names: &mut NameTable, clock: Clock) -> ListEntry {
    let (verdict, word) = match entry.action {
        BlockAction::Deny => (Verdict::Deny, "block"),
        BlockAction::Allow => (Verdict::Allow, "allow"),
    };
    let list = ListEntry::new(cidr.net(), verdict, names.intern(&format!("{word} {cidr}")));
    match entry.expires {
        Some(end) => list.until(clock.tick(end)),
        None => list,
    }
}

/// The names that are still in use, with their numbers.
pub(super) fn used_names(base: &Base) -> NameTable {
    let rules = base.policy.rules.iter().map(|r| r.id);
    let mut used: Vec<u32> = base.index.entries().map(|e| e.rule).chain(rules).collect();
    used.sort_unstable();
    used.dedup();
    NameTable::continuing(used.into_iter().filter_map(|n| Some((n, base.names.get(n)?))))
}
