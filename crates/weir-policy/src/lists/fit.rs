//! Fewer prefix lengths where there are more than a table entry can name.
//!
//! A length is done away with by writing its prefixes as several of the next longer length that is present. The cheapest is
//! taken first. It happens to lists made to provoke it, hardly ever to real ones.

use std::collections::{BTreeMap, HashSet};

use weir_abi::prefix::{MAX_LENGTHS, SLOT6_LEN};
use weir_abi::{PrefixEntry, PrefixKey};

use super::lens::Lens;
use super::six::SLOTS;
use super::{ListError, MAX_EXPANSION, prefix_order};
use crate::prefix::{Prefix, V4_BITS, addr_of, last};

/// Where lengths are counted together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Region {
    /// One IPv6 slot.
    Slot(u32),
    /// All IPv6 addresses without a slot.
    Outside,
    /// One family of a target's own list.
    List {
        /// The list.
        id: u16,
        /// Whether it is its IPv6 entries.
        six: bool,
    },
}

impl Region {
    /// The first address of a slot.
    fn base(self) -> u128 {
        match self {
            Region::Slot(slot) => SLOTS.0 | u128::from(slot) << (128 - u32::from(SLOT6_LEN)),
            Region::Outside | Region::List { .. } => 0,
        }
    }

    /// The length below which a prefix covers all of the region.
    fn len(self) -> u8 {
        if matches!(self, Region::Slot(_)) { SLOT6_LEN } else { 0 }
    }

    fn holds(self, key: &PrefixKey) -> bool {
        let bits = key.addr.bits();
        match self {
            Region::Slot(_) => key.len > SLOT6_LEN && (self.base()..=last(self.base(), SLOT6_LEN)).contains(&bits),
            Region::Outside => !(SLOTS.0..=SLOTS.1).contains(&bits),
            Region::List { .. } => true,
        }
    }

    fn error(self, lens: Lens) -> ListError {
        let (list, place, cut) = match self {
            Region::Slot(_) => {
                let block = Prefix::new(addr_of(self.base()), SLOT6_LEN).map_or_else(String::new, |p| p.to_string());
                (0, format!("the IPv6 block {block}"), 0)
            }
            Region::Outside => (0, "IPv6 outside 2000::/3".to_owned(), 0),
            Region::List { id, six: true } => (id, "its IPv6 part".to_owned(), 0),
            Region::List { id, six: false } => (id, "its IPv4 part".to_owned(), V4_BITS),
        };
        ListError::TooManyLengths { list, place, lens: lens.iter().map(|len| len.saturating_sub(cut)).collect() }
    }
}

/// What came of fitting.
#[derive(Debug)]
pub(super) struct Fit {
    /// Regions that cannot be fitted.
    pub errors: Vec<ListError>,
    /// The tick from which a key would have to hold another entry.
    pub until: u64,
}

impl Default for Fit {
    fn default() -> Self {
        Self { errors: Vec::new(), until: u64::MAX }
    }
}

type Prefixes = Vec<(PrefixKey, PrefixEntry)>;

impl Fit {
    /// Fits the regions of one sorted run of prefixes.
    pub fn fit<'a>(&mut self, prefixes: &mut Prefixes, regions: impl IntoIterator<Item = (Region, &'a mut Lens)>) {
        let mut removed: HashSet<PrefixKey> = HashSet::new();
        let mut added: Prefixes = Vec::new();
        for (region, lens) in regions {
            if lens.count() <= MAX_LENGTHS {
                continue;
            }
            let mut work = Work::of(region, *lens, prefixes);
            if !work.reduce(lens, &mut self.until) {
                self.errors.push(region.error(*lens));
                continue;
            }
            removed.extend(work.removed);
            added.extend(work.added.into_iter().filter_map(|key| Some((key, *work.entries.get(&place(&key))?))));
        }
        if removed.is_empty() && added.is_empty() {
            return;
        }
        prefixes.retain(|(key, _)| !removed.contains(key));
        prefixes.append(&mut added);
        prefixes.sort_unstable_by_key(|(key, _)| prefix_order(key));
    }
}

/// One region's prefixes while they are expanded, by length and address.
struct Work {
    region: Region,
    list: u16,
    entries: BTreeMap<(u8, u128), PrefixEntry>,
    removed: HashSet<PrefixKey>,
    added: HashSet<PrefixKey>,
}

fn place(key: &PrefixKey) -> (u8, u128) {
    (key.len, key.addr.bits())
}

impl Work {
    fn of(region: Region, lens: Lens, prefixes: &Prefixes) -> Self {
        let list = prefixes.first().map_or(0, |(key, _)| key.list);
        let inside = prefixes.iter().filter(|(key, _)| region.holds(key));
        // What covers the region whole stands before it.
        let around = lens.iter().filter(|len| *len <= region.len()).filter_map(|len| {
            let key = PrefixKey::new(addr_of(region.base()).masked(len), list, len);
            let at = prefixes.binary_search_by_key(&prefix_order(&key), |(key, _)| prefix_order(key)).ok()?;
            prefixes.get(at)
        });
        let around: Vec<_> = if matches!(region, Region::Slot(_)) { around.collect() } else { Vec::new() };
        let entries = inside.chain(around).map(|(key, entry)| (place(key), *entry)).collect();
        Self { region, list, entries, removed: HashSet::new(), added: HashSet::new() }
    }

    /// Expands lengths until the rest fits; false where that would cost too many entries.
    fn reduce(&mut self, lens: &mut Lens, until: &mut u64) -> bool {
        let mut left = MAX_EXPANSION;
        while lens.count() > MAX_LENGTHS {
            let longest_first: Vec<u8> = lens.iter().collect();
            let pairs = longest_first.windows(2).map(|pair| (pair[1], pair[0]));
            let Some((cost, from, to)) = pairs.map(|(from, to)| (self.cost(from, to), from, to)).min() else {
                return false;
            };
            if cost > left {
                return false;
            }
            left -= cost;
            self.expand(from, to, until);
            lens.remove(from);
        }
        true
    }

    /// How many entries of length `to` those of length `from` become.
    fn cost(&self, from: u8, to: u8) -> u64 {
        let entries = self.entries.range((from, 0)..=(from, u128::MAX)).count() as u64;
        let halvings = to.saturating_sub(from.max(self.region.len()));
        entries.saturating_mul(1u64.checked_shl(halvings.into()).unwrap_or(u64::MAX))
    }

    fn expand(&mut self, from: u8, to: u8, until: &mut u64) {
        let old: Vec<_> = self.entries.range((from, 0)..=(from, u128::MAX)).map(|(at, e)| (at.1, *e)).collect();
        for (first, entry) in old {
            self.entries.remove(&(from, first));
            let key = self.key(first, from);
            // What covers the slot whole still serves its other slots.
            if from > self.region.len() && !self.added.remove(&key) {
                self.removed.insert(key);
            }
            // Only the region's part of it.
            let start = first.max(self.region.base());
            let end = last(start, from.max(self.region.len()));
            let mut at = addr_of(start).masked(to).bits();
            loop {
                self.put(at, to, entry, until);
                let behind = last(at, to);
                if behind >= end {
                    break;
                }
                at = behind + 1;
            }
        }
    }

    /// An entry that is there says more: it keeps its key, and its expiry is when the wider one should take over.
    fn put(&mut self, first: u128, len: u8, entry: PrefixEntry, until: &mut u64) {
        if let Some(there) = self.entries.get(&(len, first)) {
            if there.expires != 0 && (entry.expires == 0 || entry.expires > there.expires) {
                *until = (*until).min(there.expires);
            }
            return;
        }
        self.entries.insert((len, first), entry);
        self.added.insert(self.key(first, len));
    }

    fn key(&self, first: u128, len: u8) -> PrefixKey {
        PrefixKey::new(addr_of(first), self.list, len)
    }
}
