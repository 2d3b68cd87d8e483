//! The steps between two list images.

use weir_abi::prefix::{SLOT6_OUTSIDE, State};
use weir_abi::{Lengths6, Part4, PrefixEntry, PrefixKey};

use super::Step;
use super::merge::{Overlay, Pair, pairs, words};
use super::view::{View, Words};
use crate::lists::lens::Lens;
use crate::lists::{prefix_order, words as states};

/// Steps before and after what is swapped as a whole.
#[derive(Debug, Default)]
pub(super) struct ListSteps {
    /// Bridge, put, switch.
    pub before: Vec<Step>,
    /// Remove, settle.
    pub after: Vec<Step>,
    /// See [`super::Diff::torn`].
    pub torn: Vec<u32>,
}

/// Changes of one kind of detail (blocks of /24s, lengths of slots), by the phase in which they are made.
struct Details<T> {
    bridge: Vec<(u32, T)>,
    switch: Vec<(u32, T)>,
    settle: Vec<(u32, T)>,
    remove: Vec<u32>,
    /// Slots that must be looked into during the change.
    marks: Overlay,
}

impl<T> Default for Details<T> {
    fn default() -> Self {
        Self {
            bridge: Vec::new(),
            switch: Vec::new(),
            settle: Vec::new(),
            remove: Vec::new(),
            marks: Overlay::default(),
        }
    }
}

impl<T: Clone + PartialEq> Details<T> {
    /// A detail that can change in one go: nothing is probed under the old one, or nothing under the new one.
    fn at_once(&mut self, key: u32, new: Option<&T>) {
        match new {
            Some(new) => self.switch.push((key, new.clone())),
            None => self.remove.push(key),
        }
    }

    /// A detail that goes through two others.
    fn bridged(&mut self, key: u32, old: Option<&T>, [over_old, over_new]: [T; 2], new: Option<&T>) {
        if old != Some(&over_old) {
            self.bridge.push((key, over_old.clone()));
        }
        if over_new != over_old {
            self.switch.push((key, over_new.clone()));
        }
        match new {
            Some(new) if *new != over_new => self.settle.push((key, new.clone())),
            Some(_) => {}
            None => self.remove.push(key),
        }
    }
}

/// The steps from one list image to another, or between the same parts of two.
pub(super) fn steps(old: View<'_>, new: View<'_>) -> ListSteps {
    let mut torn = Vec::new();
    let four = parts(&old, &new);
    let six = lengths(&old, &new, &mut torn);
    let wide = old.wide_lens4 | new.wide_lens4;
    let Prefixes { put, remove } = prefixes(&old, &new, wide);

    let before = [
        Step::PutParts4(four.bridge),
        Step::Slots4(four.marks.over(old.slots4)),
        Step::PutLengths(six.bridge),
        Step::Slots6(six.marks.over(old.slots6)),
        Step::WideLens4(wide),
        Step::PutPrefixes(put),
        Step::PutParts4(four.switch),
        Step::Slots4(words(old.slots4, new.slots4.words, four.marks.reader()).unwrap_or_default()),
        Step::PutLengths(six.switch),
        Step::Slots6(words(old.slots6, new.slots6.words, six.marks.reader()).unwrap_or_default()),
    ];
    let after = [
        Step::RemovePrefixes(remove),
        Step::PutParts4(four.settle),
        Step::Slots4(four.marks.lifted(new.slots4)),
        Step::PutLengths(six.settle),
        Step::Slots6(six.marks.lifted(new.slots6)),
        Step::WideLens4(new.wide_lens4),
        Step::RemoveParts4(four.remove),
        Step::RemoveLengths(six.remove),
    ];
    let (mut then, mut steps) = (old.wide_lens4, ListSteps { torn, ..ListSteps::default() });
    let mut needed = |step: &Step| match step {
        Step::WideLens4(lens) => std::mem::replace(&mut then, *lens) != *lens,
        step => step.changes() > 0,
    };
    steps.before = before.into_iter().filter(&mut needed).collect();
    steps.after = after.into_iter().filter(&mut needed).collect();
    steps
}

/// How blocks of /24s change.
fn parts(old: &View<'_>, new: &View<'_>) -> Details<Part4> {
    let mut out = Details::default();
    let wide = old.wide_lens4 | new.wide_lens4 != 0;
    for pair in pairs(old.parts4, new.parts4, |(number, _)| *number) {
        let (number, o, n) = match pair {
            Pair::Both((_, o), (_, n)) if o == n => continue,
            Pair::Both((number, o), (_, n)) => (*number, Some(o), Some(n)),
            Pair::Old((number, o)) => (*number, Some(o), None),
            Pair::New((number, n)) => (*number, None, Some(n)),
        };
        let uniform = |slots: Words<'_>| Part4 { states: [states::all(slots.state(number)); 8], timed_lens: 0, pad: 0 };
        let before = o.copied().unwrap_or_else(|| uniform(old.slots4));
        let after = n.copied().unwrap_or_else(|| uniform(new.slots4));
        let timed_lens = before.timed_lens | after.timed_lens;
        // With wide timed entries about, a block's own ones must be seen before those, also where one side has none.
        let both = before.timed_lens != 0 && after.timed_lens != 0;
        if timed_lens == 0 || !(both || wide) {
            out.at_once(number, n);
        } else {
            out.marks.mark(number);
            out.bridged(number, o, [Part4 { timed_lens, ..before }, Part4 { timed_lens, ..after }], n);
        }
    }
    out
}

/// How lengths of IPv6 slots and own lists change.
fn lengths(old: &View<'_>, new: &View<'_>, torn: &mut Vec<u32>) -> Details<Lengths6> {
    let mut out = Details::default();
    for pair in pairs(old.lengths, new.lengths, |(key, _)| *key) {
        let (key, before, after) = match pair {
            Pair::Both((_, o), (_, n)) if o == n => continue,
            Pair::Both((key, o), (_, n)) => (*key, o, n),
            Pair::Old((key, _)) => {
                out.at_once(*key, None);
                continue;
            }
            Pair::New((key, n)) => {
                out.at_once(*key, Some(n));
                continue;
            }
        };
        let all = Lens::of(before).or(Lens::of(after));
        let filter = [before.filter[0] | after.filter[0], before.filter[1] | after.filter[1]];
        let [over_old, over_new] = [before, after]
            .map(|l| all.entry(State::from_bits(l.otherwise.into())).map(|entry| Lengths6 { filter, ..entry }));
        match (over_old, over_new) {
            (Some(over_old), Some(over_new)) => {
                if key < SLOT6_OUTSIDE {
                    out.marks.mark(key);
                }
                out.bridged(key, Some(before), [over_old, over_new], Some(after));
            }
            _ => {
                torn.push(key);
                out.at_once(key, Some(after));
            }
        }
    }
    out
}

/// Changes of the exact map.
struct Prefixes {
    put: Vec<(PrefixKey, PrefixEntry)>,
    remove: Vec<PrefixKey>,
}

fn prefixes(old: &View<'_>, new: &View<'_>, wide: u32) -> Prefixes {
    let (mut put, mut remove) = (Vec::new(), Vec::new());
    for pair in pairs(old.prefixes, new.prefixes, |(key, _)| prefix_order(key)) {
        match pair {
            Pair::Both(o, n) if o == n => {}
            Pair::Both(_, n) | Pair::New(n) => put.push(*n),
            Pair::Old((key, _)) => remove.push(*key),
        }
    }
    // Where nothing is probed yet, nobody sees the order.
    if !old.prefixes.is_empty() || wide != 0 {
        put.sort_by_key(|(key, _)| std::cmp::Reverse(key.len));
    }
    remove.sort_by_key(|key| key.len);
    Prefixes { put, remove }
}
