//! One pass over the sorted prefixes of a list, with the prefixes around the present one on a stack.
//!
//! Two things come out. *Paint*: runs of addresses with the state that entries without expiry give them. *Probes*: prefixes
//! for the exact map. Entries with an expiry are probed; so is every entry without one inside of them, as if it were timed and
//! never expired: then the longest probe that is live is the longest prefix that counts, and once the timed one has expired
//! the probes inside it say what the paint says.

use weir_abi::prefix::State;
use weir_abi::{PrefixEntry, PrefixKey};

use super::group::{Group, Say};
use super::item::{Item, NEVER};
use crate::prefix::{addr_of, last};

/// Where the results go.
pub(super) trait Sink {
    /// The list whose keys are probed.
    fn list(&self) -> u16;
    /// Whether this prefix's state is painted, where it has no expiry.
    fn paints(&self, group: &Group) -> bool;
    /// Whether this prefix is probed even though nothing about it expires.
    fn always_probes(&self, group: &Group) -> bool;
    /// Paints a run of addresses. Runs come in ascending order and are never of [`State::None`].
    fn paint(&mut self, first: u128, last: u128, state: State);
    /// Takes an entry of the exact map. They come in the map's order.
    fn probe(&mut self, key: PrefixKey, entry: PrefixEntry);
}

/// A prefix that encloses the present one.
struct Frame {
    last: u128,
    paint: State,
    /// Whether it or one around it expires.
    timed: bool,
    never_block: bool,
}

/// Where painting has come to.
struct Brush {
    next: u128,
}

impl Brush {
    /// Paints from where it is up to `last`.
    fn to(&mut self, last: u128, state: State, sink: &mut impl Sink) {
        if state != State::None && self.next <= last {
            sink.paint(self.next, last, state);
        }
        // Behind the last address of all there is nothing more to paint, and no sink looks there.
        self.next = last.saturating_add(1);
    }
}

/// Sweeps sorted items. Lowers `until` where one key cannot say all there is to say.
pub(super) fn sweep(items: &[Item], sink: &mut impl Sink, until: &mut u64) {
    let mut stack: Vec<Frame> = Vec::with_capacity(130);
    let mut brush = Brush { next: 0 };
    let mut rest = items;
    while let Some((group, count)) = Group::next(rest) {
        rest = &rest[count..];
        close(&mut stack, &mut brush, sink, Some(group.first));
        let (around, in_timed, silenced) =
            stack.last().map_or((State::None, false, false), |f| (f.paint, f.timed, f.never_block));
        if silenced {
            continue;
        }
        let mut paint = around;
        if let Some(say) = group.fixed.filter(|_| sink.paints(&group)) {
            paint = say.state;
            if paint != around {
                if let Some(before) = group.first.checked_sub(1) {
                    brush.to(before, around, sink);
                }
                brush.next = group.first;
            }
        }
        probe(&group, in_timed, sink, until);
        stack.push(Frame {
            last: last(group.first, group.len),
            paint,
            timed: in_timed || group.timed.is_some(),
            never_block: group.never_block,
        });
    }
    close(&mut stack, &mut brush, sink, None);
}

/// Takes from the stack what does not enclose `next`, painting to its end.
fn close(stack: &mut Vec<Frame>, brush: &mut Brush, sink: &mut impl Sink, next: Option<u128>) {
    while let Some(frame) = stack.pop_if(|f| next.is_none_or(|next| f.last < next)) {
        let around = stack.last().map_or(State::None, |f| f.paint);
        if frame.paint != around {
            brush.to(frame.last, frame.paint, sink);
        }
    }
}

/// Puts what must be probed of a prefix into the exact map.
fn probe(group: &Group, in_timed: bool, sink: &mut impl Sink, until: &mut u64) {
    let fixed = group.fixed.filter(|_| in_timed || sink.always_probes(group));
    let (Say { state, rule }, expires) = match (group.timed, fixed) {
        (Some(timed), fixed) => {
            *until = (*until).min(group.until);
            if fixed.is_some() {
                // The key is needed for both; when the timed one expires, the other must be put in.
                *until = (*until).min(timed.1);
            }
            timed
        }
        (None, Some(say)) => (say, NEVER),
        (None, None) => return,
    };
    let key = PrefixKey::new(addr_of(group.first), sink.list(), group.len);
    let expires = if expires == NEVER { 0 } else { expires };
    sink.probe(key, PrefixEntry { expires, state: state as u8, never_block: group.never_block.into(), pad: 0, rule });
}
