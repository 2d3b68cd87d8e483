//! The node's IPv6 list: two bits for every /27 below 2000::/3, and for a /27 with longer or timed prefixes the lengths to probe.
//!
//! All other addresses (2000::/3 is all that is assigned for global use, RFC 4291) share one slot, in which everything is probed.

use weir_abi::prefix::{LIST_NODE, SLOT6_LEN, SLOT6_OUTSIDE, SLOTS6_WORDS, State, slot6};
use weir_abi::{Lengths6, PrefixEntry, PrefixKey};

use super::fit::{Fit, Region};
use super::group::Group;
use super::item::{self, Item};
use super::lens::Lens;
use super::sweep::{Sink, sweep};
use super::words;
use crate::prefix::{Prefix, last};

/// The first and the last address that have slots: 2000::/3.
pub(crate) const SLOTS: (u128, u128) = (1 << 125, (1 << 126) - 1);

/// Whether a prefix has addresses in 2000::/3.
pub(crate) fn touches_slots(prefix: Prefix) -> bool {
    touches(prefix.first(), prefix.len())
}

fn touches(first: u128, len: u8) -> bool {
    first <= SLOTS.1 && last(first, len) >= SLOTS.0
}

/// The slot of an address in 2000::/3.
fn slot(bits: u128) -> u32 {
    slot6((bits >> 64) as u64)
}

/// The compiled list.
pub(super) struct Six {
    pub slots: Vec<u64>,
    pub lengths: Vec<(u32, Lengths6)>,
    pub prefixes: Vec<(PrefixKey, PrefixEntry)>,
    /// Lengths of probed prefixes longer than a slot, by slot, ascending.
    deep: Vec<(u32, Lens)>,
    /// Probed prefixes that cover whole slots: first slot, last slot, length.
    wide: Vec<(u32, u32, u8)>,
    /// Lengths of probed prefixes with addresses outside 2000::/3.
    outside: Lens,
}

/// Compiles the node's IPv6 items. [`Six::fit`] must follow.
pub(super) fn compile(items: &mut [Item], until: &mut u64) -> Six {
    item::sort(items, true);
    let long = items.iter().filter(|i| i.len > SLOT6_LEN).count();
    let mut six = Six {
        slots: vec![0; SLOTS6_WORDS as usize],
        lengths: Vec::new(),
        prefixes: Vec::with_capacity(long),
        deep: Vec::with_capacity(long),
        wide: Vec::new(),
        outside: Lens::default(),
    };
    sweep(items, &mut six, until);
    six
}

impl Six {
    /// Brings the number of lengths in each slot within what an entry holds, and marks the slots that have lengths.
    pub fn fit(&mut self, fit: &mut Fit) {
        let mut probed = self.probed();
        let regions = probed.iter_mut().map(|(slot, lens)| {
            let region = if *slot == SLOT6_OUTSIDE { Region::Outside } else { Region::Slot(*slot) };
            (region, lens)
        });
        fit.fit(&mut self.prefixes, regions);

        self.lengths.reserve_exact(probed.len());
        for (slot, lens) in probed {
            let otherwise = if slot == SLOT6_OUTSIDE { State::None } else { words::get(&self.slots, slot) };
            if let Some(entry) = lens.entry(otherwise) {
                self.lengths.push((slot, entry));
            }
            if slot != SLOT6_OUTSIDE {
                words::fill(&mut self.slots, slot, slot, State::Part);
            }
        }
        self.note_prefixes();
    }

    /// Notes each prefix in the entries that lead to it.
    fn note_prefixes(&mut self) {
        let mut at = 0;
        for (key, _) in &self.prefixes {
            let (first, last) = (key.addr.bits(), last(key.addr.bits(), key.len));
            let slots = if first < SLOTS.0 || last > SLOTS.1 {
                SLOT6_OUTSIDE..=SLOT6_OUTSIDE
            } else {
                slot(first)..=slot(last)
            };
            for slot in slots {
                // Prefixes come mostly in the order of the slots.
                match self.lengths.get(at) {
                    Some((here, _)) if *here == slot => {}
                    Some((next, _)) if *next < slot && self.lengths.get(at + 1).is_some_and(|(n, _)| *n == slot) => {
                        at += 1
                    }
                    _ => at = self.lengths.partition_point(|(n, _)| *n < slot),
                }
                if let Some((here, entry)) = self.lengths.get_mut(at)
                    && *here == slot
                {
                    entry.note(key.addr, key.len);
                }
            }
        }
    }

    /// The lengths to probe by slot, ascending.
    fn probed(&mut self) -> Vec<(u32, Lens)> {
        let mut probed = std::mem::take(&mut self.deep);
        if !self.wide.is_empty() {
            let covered = self.wide.iter().flat_map(|&(first, last, len)| (first..=last).map(move |slot| (slot, len)));
            probed.extend(covered.map(|(slot, len)| {
                let mut lens = Lens::default();
                lens.insert(len);
                (slot, lens)
            }));
            probed.sort_unstable_by_key(|(slot, _)| *slot);
            probed.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    kept.1 = kept.1.or(later.1);
                }
                same
            });
        }
        if self.outside.count() > 0 {
            probed.push((SLOT6_OUTSIDE, self.outside));
        }
        probed
    }
}

impl Sink for Six {
    fn list(&self) -> u16 {
        LIST_NODE
    }

    fn paints(&self, group: &Group) -> bool {
        group.len <= SLOT6_LEN && touches(group.first, group.len)
    }

    fn always_probes(&self, group: &Group) -> bool {
        let (first, last) = (group.first, last(group.first, group.len));
        group.len > SLOT6_LEN || first < SLOTS.0 || last > SLOTS.1
    }

    fn paint(&mut self, first: u128, last: u128, state: State) {
        let (first, last) = (first.max(SLOTS.0), last.min(SLOTS.1));
        if first <= last {
            words::fill(&mut self.slots, slot(first), slot(last), state);
        }
    }

    fn probe(&mut self, key: PrefixKey, entry: PrefixEntry) {
        self.prefixes.push((key, entry));
        let (first, last) = (key.addr.bits(), last(key.addr.bits(), key.len));
        if first < SLOTS.0 || last > SLOTS.1 {
            // Where such a prefix reaches into 2000::/3 as well (::/0 to ::/2, never timed), it is painted there.
            self.outside.insert(key.len);
        } else if key.len <= SLOT6_LEN {
            self.wide.push((slot(first), slot(last), key.len));
        } else {
            let slot = slot(first);
            match self.deep.last_mut() {
                Some((n, lens)) if *n == slot => lens.insert(key.len),
                _ => {
                    let mut lens = Lens::default();
                    lens.insert(key.len);
                    self.deep.push((slot, lens));
                }
            }
        }
    }
}
