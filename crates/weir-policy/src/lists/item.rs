//! What the sweep works on: 32 bytes an entry, apart by list and family, sorted.

use crate::model::{ListEntry, Scope, Verdict};

/// Stands for "no expiry": a later tick than any.
pub(super) const NEVER: u64 = u64::MAX;

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// The first address of its prefix, all 128 bits.
    pub first: u128,
    /// The tick from which it no longer counts, or [`NEVER`].
    pub expires: u64,
    /// Its rule.
    pub rule: u32,
    /// Its length from the top of 128 bits.
    pub len: u8,
    /// What it says.
    pub verdict: Verdict,
}

const _: () = assert!(size_of::<Item>() == 32);

impl Item {
    fn of(entry: &ListEntry) -> Self {
        Self {
            first: entry.prefix.first(),
            expires: entry.expires.map_or(NEVER, u64::from),
            rule: entry.rule,
            len: entry.prefix.len(),
            verdict: entry.verdict,
        }
    }
}

/// The items of one list.
#[derive(Default)]
pub(super) struct Families {
    /// IPv4.
    pub four: Vec<Item>,
    /// IPv6.
    pub six: Vec<Item>,
}

impl Families {
    fn push(&mut self, entry: &ListEntry) {
        let family = if entry.prefix.is_v4() { &mut self.four } else { &mut self.six };
        family.push(Item::of(entry));
    }
}

/// All items, apart by list.
pub(super) struct Parts {
    /// The node's.
    pub node: Families,
    /// The targets' own lists, by id.
    pub own: Vec<(u16, Families)>,
}

impl Parts {
    /// Sorts the entries that are live at `now` into their lists.
    pub fn of(entries: &[ListEntry], lists: &[(u16, Vec<u32>)], now: u64) -> Self {
        let mut node = Families::default();
        // Nearly all entries are the node's and of one family: what is not used is never touched, so it costs nothing.
        let four = entries.iter().filter(|e| e.prefix.is_v4()).count();
        node.four.reserve_exact(four);
        node.six.reserve_exact(entries.len() - four);
        let mut own: Vec<(u16, Families)> = lists.iter().map(|(id, _)| (*id, Families::default())).collect();
        let mut of_set: Vec<(u32, usize)> = Vec::new();
        for (place, (_, sets)) in lists.iter().enumerate() {
            of_set.extend(sets.iter().map(|set| (*set, place)));
        }
        of_set.sort_unstable();
        of_set.dedup();
        for entry in entries.iter().filter(|e| e.is_live(now)) {
            match entry.scope {
                Scope::Node => node.push(entry),
                Scope::Set(set) => {
                    let from = of_set.partition_point(|(s, _)| *s < set);
                    for (_, place) in of_set[from..].iter().take_while(|(s, _)| *s == set) {
                        own[*place].1.push(entry);
                    }
                }
            }
        }
        Self { node, own }
    }
}

/// Sorts the items of one family by address, then length: every prefix stands before those inside it.
pub(super) fn sort(items: &mut [Item], six: bool) {
    if six {
        items.sort_unstable_by_key(|item| (item.first, item.len));
    } else {
        // All IPv4 addresses differ in their last 32 bits only: one word to compare.
        items.sort_unstable_by_key(|item| (item.first as u64) << 8 | u64::from(item.len));
    }
}
