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
    /// Sorted.
    entries: Vec<ListEntry>,
    /// Sorted, too: what came since. Making room among a million entries would take longer than all else that a block takes.
    recent: Vec<ListEntry>,
}

/// So many recent entries are merged into the others: by then that costs each of them next to nothing.
const MOST_RECENT: usize = 4096;

/// The order of the index.
fn order(e: &ListEntry) -> (Scope, Prefix, u32, Verdict, Option<NonZeroU64>) {
    (e.scope, e.prefix, e.rule, e.verdict, e.expires)
}

impl Index {
    /// Sorts the entries in place and keeps them.
    pub fn new(mut entries: Vec<ListEntry>) -> Self {
        entries.sort_unstable_by_key(order);
        Self { entries, recent: Vec::new() }
    }

    /// The entries, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &ListEntry> {
        self.parts().into_iter().flatten()
    }

    fn parts(&self) -> [&[ListEntry]; 2] {
        [&self.entries, &self.recent]
    }

    /// Adds an entry.
    pub fn insert(&mut self, entry: ListEntry) {
        let at = self.recent.partition_point(|e| order(e) < order(&entry));
        self.recent.insert(at, entry);
        if self.recent.len() > MOST_RECENT {
            self.entries.append(&mut self.recent);
            // Two sorted runs: the stable sort merges them.
            self.entries.sort_by_key(order);
        }
    }

    /// Takes an entry out; false where there is none like it.
    pub fn remove(&mut self, entry: &ListEntry) -> bool {
        [&mut self.recent, &mut self.entries].into_iter().any(|part| {
            let at = part.partition_point(|e| order(e) < order(entry));
            let found = part.get(at) == Some(entry);
            if found {
                part.remove(at);
            }
            found
        })
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
        let within = move |e: &&ListEntry| e.scope == scope && e.prefix.first() <= prefix.last();
        let runs = self.parts().map(|part| {
            let from = part.partition_point(|e| (e.scope, e.prefix) < (scope, prefix));
            // IPv4 lies inside ::/0 as numbers only.
            part[from..].iter().take_while(within).filter(move |e| prefix.covers(e.prefix))
        });
        runs.into_iter().flatten()
    }

    /// The entries that cover an address.
    fn around(&self, scope: Scope, addr: Addr) -> impl Iterator<Item = &ListEntry> {
        let shortest = if addr.is_v4() { 96 } else { 0 };
        let prefixes = (shortest..=128).filter_map(move |len| Prefix::new(addr, len));
        prefixes.flat_map(move |prefix| {
            let runs = self.parts().map(|part| {
                let from = part.partition_point(|e| (e.scope, e.prefix) < (scope, prefix));
                part[from..].iter().take_while(move |e| (e.scope, e.prefix) == (scope, prefix))
            });
            runs.into_iter().flatten()
        })
    }

    /// The entries that say something of a prefix: those around it and those inside it, itself included.
    pub fn about(&self, scope: Scope, prefix: Prefix) -> Vec<ListEntry> {
        let around = self.around(scope, prefix.addr()).filter(|e| e.prefix.len() < prefix.len());
        around.chain(self.inside(scope, prefix)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    //! What came one by one against what came at once.
    use super::*;

    fn entry(i: u32) -> ListEntry {
        let ip = i.wrapping_mul(0x9E37_79B1) >> 8 << 8;
        let prefix = Prefix::new(Addr::v4(ip), if i.is_multiple_of(3) { 112 } else { 128 }).unwrap();
        ListEntry::new(prefix, if i.is_multiple_of(2) { Verdict::Deny } else { Verdict::Allow }, i)
    }

    fn sorted<'a>(entries: impl Iterator<Item = &'a ListEntry>) -> Vec<ListEntry> {
        let mut entries: Vec<ListEntry> = entries.copied().collect();
        entries.sort_unstable_by_key(order);
        entries
    }

    #[test]
    fn entries_that_come_one_by_one_are_found_like_all_others() {
        let all: Vec<ListEntry> = (0..2 * MOST_RECENT as u32 + 100).map(entry).collect();
        let at_once = Index::new(all.clone());
        let mut one_by_one = Index::default();
        all.iter().for_each(|e| one_by_one.insert(*e));
        assert!(!one_by_one.recent.is_empty() && !one_by_one.entries.is_empty());
        assert_eq!(sorted(one_by_one.entries()), sorted(at_once.entries()));
        for e in all.iter().step_by(37) {
            let scopes = [e.scope];
            assert_eq!(one_by_one.explain(&scopes, e.prefix.addr(), 0), at_once.explain(&scopes, e.prefix.addr(), 0));
            let wide = Prefix::new(e.prefix.addr(), 104).unwrap();
            let about = |index: &Index| sorted(index.about(e.scope, wide).iter());
            assert_eq!(about(&one_by_one), about(&at_once));
        }
        // And out again, from either part.
        for e in &all {
            assert!(one_by_one.remove(e) && !one_by_one.remove(e), "{e:?}");
        }
        assert_eq!(one_by_one.entries().count(), 0);
    }
}
