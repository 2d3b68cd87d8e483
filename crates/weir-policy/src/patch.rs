//! One entry more or less, without compiling a million others again: what stands between `weir block` and its effect.
//!
//! An entry can change the /24s or IPv6 slots that it touches and nothing else. So only the entries about those blocks are
//! compiled, and only those blocks of the image are compared. The result is what compiling everything would have given.

use weir_abi::config::node_flag;
use weir_abi::prefix::{LIST_NODE, SLOT6_LEN, State, slot6};
use weir_abi::{Lengths6, Part4, PrefixEntry, PrefixKey};

use crate::diff::view::{View, Words, within};
use crate::diff::{Diff, Step, diff_lists};
use crate::explain::Index;
use crate::image::{ListImage, Names, TableImage};
use crate::lists::six::SLOTS;
use crate::lists::{self, ListError, prefix_order, words};
use crate::model::{ListEntry, NameTable, Scope};
use crate::prefix::{Prefix, V4_BITS};

/// A small change of the node's list.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The steps. Carry them out on the kernel first and on the image afterwards: there they take longer.
    pub diff: Diff,
    /// As [`crate::lists::Lists::exact_until`], for the blocks that changed.
    pub exact_until: Option<u64>,
}

/// What becomes of an image when node entries of this prefix have come or gone. `index` has the entries as they are now.
///
/// Nothing where the prefix has addresses outside the blocks that can be compiled alone (IPv6 outside 2000::/3): then the
/// whole policy must be compiled.
pub fn patch(
    image: &TableImage,
    index: &Index,
    prefix: Prefix,
    names: &NameTable,
    now: u64,
) -> Option<Result<Patch, Vec<ListError>>> {
    let window = Window::around(prefix)?;
    let entries = index.about(Scope::Node, window.prefix);
    let compiled = match lists::compile(&entries, &[], now) {
        Ok(compiled) => compiled,
        Err(errors) => return Some(Err(errors)),
    };
    let old = Cut::of(&image.lists, &window, &image.lists, image.lists.wide_lens4);
    let wide = wide_outside(&image.lists, &window) | wide_lens(within_window(&compiled.image, &window));
    let new = Cut::of(&compiled.image, &window, &image.lists, wide);
    let mut diff = diff_lists(old.view(), new.view());

    let look = if prefix.is_v4() { node_flag::LIST4 } else { node_flag::LIST6 };
    if image.node_flags & look == 0 && !diff.steps.is_empty() {
        diff.steps.insert(0, Step::Flags(image.node_flags | look));
    }
    diff.steps.extend(new_names(image, &entries, names).map(Step::Names));
    Some(Ok(Patch { diff, exact_until: compiled.exact_until }))
}

/// The image's names and those of entries that it does not know yet; nothing where it knows all.
fn new_names(image: &TableImage, entries: &[ListEntry], names: &NameTable) -> Option<Box<Names>> {
    let mut unknown: Vec<u32> =
        entries.iter().map(|e| e.rule).filter(|rule| *rule != 0 && image.names.rule(*rule).is_none()).collect();
    unknown.sort_unstable();
    unknown.dedup();
    let named: Vec<_> = unknown.into_iter().filter_map(|rule| Some((rule, names.get(rule)?.to_owned()))).collect();
    if named.is_empty() {
        return None;
    }
    let mut all = image.names.clone();
    all.rules.extend(named);
    all.rules.sort_unstable();
    Some(Box::new(all))
}

/// Whole blocks around a prefix.
struct Window {
    prefix: Prefix,
    /// The first and the last slot of its family's table.
    slots: (u32, u32),
}

impl Window {
    fn around(prefix: Prefix) -> Option<Self> {
        let block = if prefix.is_v4() { V4_BITS + 24 } else { SLOT6_LEN };
        let prefix = Prefix::new(prefix.addr(), prefix.len().min(block))?;
        let slot = |bits: u128| if prefix.is_v4() { bits as u32 >> 8 } else { slot6((bits >> 64) as u64) };
        let whole = prefix.is_v4() || prefix.first() >= SLOTS.0 && prefix.last() <= SLOTS.1;
        whole.then(|| Self { prefix, slots: (slot(prefix.first()), slot(prefix.last())) })
    }
}

/// The window's prefixes. Those around it are the same before and after.
fn within_window<'a>(image: &'a ListImage, window: &Window) -> &'a [(PrefixKey, PrefixEntry)] {
    let first = PrefixKey::new(window.prefix.addr(), LIST_NODE, window.prefix.len());
    let behind = match window.prefix.last().checked_add(1) {
        Some(bits) => (0, (bits >> 64) as u64, bits as u64, 0),
        None => (1, 0, 0, 0),
    };
    within(&image.prefixes, prefix_order(&first)..behind, |(key, _)| prefix_order(key))
}

/// Lengths below /24 among prefixes.
fn wide_lens(prefixes: &[(PrefixKey, PrefixEntry)]) -> u32 {
    let wide = prefixes.iter().filter(|(key, _)| key.addr.is_v4() && key.len < V4_BITS + 24);
    wide.fold(0, |lens, (key, _)| lens | 1 << (key.len - V4_BITS))
}

/// Lengths below /24 among the IPv4 prefixes that the window does not hold.
fn wide_outside(image: &ListImage, window: &Window) -> u32 {
    if image.wide_lens4 == 0 {
        return 0;
    }
    let node = within(&image.prefixes, 0..1, |(key, _)| key.list);
    let held = |key: &PrefixKey| Prefix::new(key.addr, key.len).is_some_and(|p| window.prefix.covers(p));
    let outside: Vec<_> = node.iter().filter(|(key, _)| !held(key)).copied().collect();
    wide_lens(&outside)
}

/// The window's part of an image.
struct Cut<'a> {
    v4: bool,
    first_word: u32,
    words: Vec<u64>,
    parts: &'a [(u32, Part4)],
    lengths: &'a [(u32, Lengths6)],
    prefixes: &'a [(PrefixKey, PrefixEntry)],
    wide_lens4: u32,
}

impl<'a> Cut<'a> {
    /// The window as it is in `image`; slots beside it that share its words are those of `beside`.
    fn of(image: &'a ListImage, window: &Window, beside: &ListImage, wide_lens4: u32) -> Self {
        let v4 = window.prefix.is_v4();
        let (first, last) = window.slots;
        let range = (first >> 5) as usize..(last >> 5) as usize + 1;
        let table = |image: &'a ListImage| if v4 { &image.slots4 } else { &image.slots6 };
        let mut words =
            (if v4 { &beside.slots4 } else { &beside.slots6 }).get(range.clone()).unwrap_or_default().to_vec();
        let inside = table(image).get(range.clone()).unwrap_or_default();
        let base = first >> 5 << 5;
        let mut mask = vec![0u64; words.len()];
        words::fill(&mut mask, first - base, last - base, State::Part);
        for ((word, inside), mask) in words.iter_mut().zip(inside).zip(mask) {
            *word = *word & !mask | inside & mask;
        }
        let keys = first..last + 1;
        Self {
            v4,
            first_word: first >> 5,
            words,
            parts: if v4 { within(&image.parts4, keys.clone(), |(n, _)| *n) } else { &[] },
            lengths: if v4 { &[] } else { within(&image.lengths, keys, |(n, _)| *n) },
            prefixes: within_window(image, window),
            wide_lens4,
        }
    }

    fn view(&self) -> View<'_> {
        let words = Words { first: self.first_word, words: &self.words };
        let none = Words { first: 0, words: &[] };
        let (slots4, slots6) = if self.v4 { (words, none) } else { (none, words) };
        View {
            slots4,
            parts4: self.parts,
            slots6,
            lengths: self.lengths,
            prefixes: self.prefixes,
            wide_lens4: self.wide_lens4,
        }
    }
}
