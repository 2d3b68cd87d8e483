//! A target's own list, one family of it: everything is in the exact map, and one entry names the lengths to probe.

use weir_abi::maps::SCOPED_LENGTHS_BASE;
use weir_abi::prefix::State;
use weir_abi::{Lengths6, PrefixEntry, PrefixKey};

use super::fit::{Fit, Region};
use super::group::Group;
use super::item::{self, Item};
use super::lens::Lens;
use super::sweep::{Sink, sweep};

/// The compiled family of a list.
pub(super) struct Run {
    list: u16,
    six: bool,
    lens: Lens,
    pub prefixes: Vec<(PrefixKey, PrefixEntry)>,
}

/// Compiles the items of one list and family.
pub(super) fn compile(list: u16, six: bool, items: &mut [Item], until: &mut u64) -> Run {
    item::sort(items, six);
    let mut run = Run { list, six, lens: Lens::default(), prefixes: Vec::with_capacity(items.len()) };
    sweep(items, &mut run, until);
    run
}

impl Run {
    /// Brings the number of lengths within what an entry holds.
    pub fn fit(&mut self, fit: &mut Fit) {
        let region = Region::List { id: self.list, six: self.six };
        fit.fit(&mut self.prefixes, [(region, &mut self.lens)]);
    }

    /// The entry that names the lengths; none for an empty list.
    pub fn lengths(&self) -> Option<(u32, Lengths6)> {
        if self.prefixes.is_empty() {
            return None;
        }
        let key = SCOPED_LENGTHS_BASE + 2 * u32::from(self.list) + u32::from(self.six);
        let mut entry = self.lens.entry(State::None)?;
        self.prefixes.iter().for_each(|(key, _)| entry.note(key.addr, key.len));
        Some((key, entry))
    }
}

impl Sink for Run {
    fn list(&self) -> u16 {
        self.list
    }

    fn paints(&self, _: &Group) -> bool {
        false
    }

    fn always_probes(&self, _: &Group) -> bool {
        true
    }

    fn paint(&mut self, _: u128, _: u128, _: State) {}

    fn probe(&mut self, key: PrefixKey, entry: PrefixEntry) {
        self.lens.insert(key.len);
        self.prefixes.push((key, entry));
    }
}
