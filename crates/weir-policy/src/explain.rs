//! Which entry decides for an address, and which others would: off the packet path, from the entries themselves.

use std::num::NonZeroU64;

use weir_abi::Addr;

use crate::model::{ListEntry, Scope, Verdict};
use crate::prefix::Prefix;

/// An entry that covers an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Its prefix.
    pub prefix: Prefix,
    /// What it says.
    pub verdict: Verdict,
    /// Where it counts.
    pub scope: Scope,
    /// Its rule; names stand in [`crate::model::Policy::names`] and [`crate::image::Names`].
    pub rule: u32,
    /// The kernel tick from which it no longer counts.
    pub expires: Option<u64>,
}

/// The entry that decides for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The entry.
    pub decides: Cover,
    /// Live entries that cover the address as well, in the order in which they would decide.
    pub covered_by: Vec<Cover>,
}

/// Entries in an order in which those around an address are found by a few binary searches. It owns them, so that they need
/// not be kept twice: building it over a million entries takes about as long as compiling them, asking it microseconds.
#[derive(Clone, Debug, Default)]
pub struct Index {
    entries: Vec<ListEntry>,
}

/// The order of the index.
fn order(e: &ListEntry) -> (Scope, Prefix, u32, Verdict, Option<NonZeroU64>) {
    (e.scope, e.prefix, e.rule, e.verdict, e.expires)
}

impl Index {
    /// Sorts the entries in place and keeps them.
    pub fn new(mut entries: Vec<ListEntry>) -> Self {
        entries.sort_unstable_by_key(order);
        Self { entries }
    }

    /// The entries, sorted by scope and prefix.
    pub fn entries(&self) -> &[ListEntry] {
        &self.entries
    }

    /// Adds an entry.
    pub fn insert(&mut self, entry: ListEntry) {
        let at = self.entries.partition_point(|e| order(e) < order(&entry));
        self.entries.insert(at, entry);
    }

    /// Takes an entry out; false where there is none like it.
    pub fn remove(&mut self, entry: &ListEntry) -> bool {
        let at = self.entries.partition_point(|e| order(e) < order(entry));
        let found = self.entries.get(at) == Some(entry);
        if found {
            self.entries.remove(at);
        }
        found
    }

    /// Which entry of these scopes decides for an address at kernel tick `now`. Ask for the node and for a target's sets
    /// apart: the packet path asks the node's list first.
    pub fn explain(&self, scopes: &[Scope], addr: Addr, now: u64) -> Option<Explanation> {
        let mut covers: Vec<Cover> = scopes
            .iter()
            .flat_map(|&scope| self.around(scope, addr))
            .filter(|e| e.is_live(now))
            .map(|e| Cover {
                prefix: e.prefix,
                verdict: e.verdict,
                scope: e.scope,
                rule: e.rule,
                expires: e.expires.map(u64::from),
            })
            .collect();
        // Never-block first, then the longest prefix, then allow before deny, then the one that stays longest.
        covers.sort_by_key(|c| {
            let never = c.verdict == Verdict::NeverBlock;
            let until = c.expires.unwrap_or(u64::MAX);
            std::cmp::Reverse((never, c.prefix.len(), c.verdict, until, u32::MAX - c.rule))
        });
        let mut covers = covers.into_iter();
        Some(Explanation { decides: covers.next()?, covered_by: covers.collect() })
    }

    /// The entries that lie within a prefix.
    pub fn inside(&self, scope: Scope, prefix: Prefix) -> impl Iterator<Item = &ListEntry> {
        let from = self.entries.partition_point(|e| (e.scope, e.prefix) < (scope, prefix));
        let within = move |e: &&ListEntry| e.scope == scope && e.prefix.first() <= prefix.last();
        // IPv4 lies inside ::/0 as numbers only.
        self.entries[from..].iter().take_while(within).filter(move |e| prefix.covers(e.prefix))
    }

    /// The entries that cover an address.
    fn around(&self, scope: Scope, addr: Addr) -> impl Iterator<Item = &ListEntry> {
        let shortest = if addr.is_v4() { 96 } else { 0 };
        (shortest..=128).filter_map(move |len| Prefix::new(addr, len)).flat_map(move |prefix| {
            let from = self.entries.partition_point(|e| (e.scope, e.prefix) < (scope, prefix));
            self.entries[from..].iter().take_while(move |e| (e.scope, e.prefix) == (scope, prefix))
        })
    }

    /// The entries that say something of a prefix: those around it and those inside it, itself included.
    pub fn about(&self, scope: Scope, prefix: Prefix) -> Vec<ListEntry> {
        let around = self.around(scope, prefix.addr()).filter(|e| e.prefix.len() < prefix.len());
        around.chain(self.inside(scope, prefix)).copied().collect()
    }
}
