//! Reading a [`ListImage`] exactly as the packet path does: the reference for tests and the fast half of `explain`.

use weir_abi::maps::SCOPED_LENGTHS_BASE;
use weir_abi::prefix::{LIST_NODE, SLOT6_OUTSIDE, State, slot6};
use weir_abi::{Addr, Lengths6, PrefixEntry, PrefixKey};

use crate::image::ListImage;
use crate::lists::{prefix_order, words};

/// What a list says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// [`State::None`], [`State::Deny`] or [`State::Allow`].
    pub state: State,
    /// The entry of the exact map that said so; none: a state that covers more than one address did.
    pub entry: Option<(PrefixKey, PrefixEntry)>,
}

impl Found {
    fn state(state: State) -> Self {
        // "Part" with nothing behind it says nothing.
        Self { state: if state == State::Part { State::None } else { state }, entry: None }
    }

    fn entry((key, entry): (PrefixKey, PrefixEntry)) -> Self {
        Self { state: State::from_bits(entry.state.into()), entry: Some((key, entry)) }
    }
}

/// What the node's list says of a source at kernel tick `now`.
pub fn node(lists: &ListImage, addr: Addr, now: u64) -> Found {
    if addr.is_v4() { node4(lists, addr, now) } else { node6(lists, addr, now) }
}

/// What a target's own list says of a source at kernel tick `now`.
pub fn own(lists: &ListImage, list: u16, addr: Addr, now: u64) -> Found {
    let key = SCOPED_LENGTHS_BASE + 2 * u32::from(list) + u32::from(!addr.is_v4());
    match lengths(lists, key) {
        Some(lengths) => probe_all(lists, list, addr, lengths, now),
        None => Found::state(State::None),
    }
}

fn node4(lists: &ListImage, addr: Addr, now: u64) -> Found {
    let ip = addr.ip4();
    let number = ip >> 8;
    let mut state = words::get(&lists.slots4, number);
    let mut timed = lists.wide_lens4;
    let mut host = false;
    if state == State::Part {
        state = State::None;
        if let Ok(at) = lists.parts4.binary_search_by_key(&number, |(n, _)| *n) {
            let part = &lists.parts4[at].1;
            state = words::get(&part.states, ip & 255);
            timed |= (part.timed_lens & 0xff) << 24;
            host = part.timed_lens >> 8 & 1 != 0;
        }
    }
    let lens = host.then_some(32).into_iter().chain((0..32).rev().filter(|len| timed >> len & 1 != 0));
    lens.map(|len| 96 + len)
        .find_map(|len| probe(lists, LIST_NODE, addr, len, now))
        .map_or(Found::state(state), Found::entry)
}

fn node6(lists: &ListImage, addr: Addr, now: u64) -> Found {
    let slot = slot6(addr.hi);
    if slot != SLOT6_OUTSIDE {
        let state = words::get(&lists.slots6, slot);
        if state != State::Part {
            return Found::state(state);
        }
    }
    match lengths(lists, slot) {
        Some(lengths) => probe_all(lists, LIST_NODE, addr, lengths, now),
        None => Found::state(State::None),
    }
}

fn lengths(lists: &ListImage, key: u32) -> Option<&Lengths6> {
    let at = lists.lengths.binary_search_by_key(&key, |(k, _)| *k).ok()?;
    Some(&lists.lengths[at].1)
}

/// The lengths in their order: the first entry that is live decides.
fn probe_all(lists: &ListImage, list: u16, addr: Addr, lengths: &Lengths6, now: u64) -> Found {
    let lens = lengths.lens.iter().take(lengths.count.into());
    // As in the kernel: what the filter leaves out is not looked for.
    lens.copied()
        .filter(|&len| lengths.may_hold(addr.masked(len), len) != 0)
        .find_map(|len| probe(lists, list, addr, len, now))
        .map_or(Found::state(State::from_bits(lengths.otherwise.into())), Found::entry)
}

fn probe(lists: &ListImage, list: u16, addr: Addr, len: u8, now: u64) -> Option<(PrefixKey, PrefixEntry)> {
    let key = PrefixKey::new(addr.masked(len), list, len);
    let at = lists.prefixes.binary_search_by_key(&prefix_order(&key), |(k, _)| prefix_order(k)).ok()?;
    let (_, entry) = lists.prefixes[at];
    (entry.expires == 0 || now < entry.expires).then_some((key, entry))
}
