//! Steps 2 and 3: allow and deny lists, of the node and of a target.
//!
//! One load answers for nearly every address. How the tables are made so that the longest prefix wins is `weir-policy`'s business.

use weir_abi::config::node_flag;
use weir_abi::maps::SCOPED_LENGTHS_BASE;
use weir_abi::prefix::{LIST_NODE, MAX_LENGTHS, SLOT6_OUTSIDE, SLOTS6_WORDS, State, slot6};
use weir_abi::{Addr, Lengths6, PrefixEntry, PrefixKey, Reason};

use weir_wire::Frame;

use crate::Env;

/// What a list says, with the rule where the exact map told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The outcome that ends the decision, nothing where the address is not listed.
    pub reason: Option<Reason>,
    /// Identity of the rule, 0 where only user space can tell.
    pub rule: u32,
}

/// Not listed.
const UNLISTED: Listed = Listed { reason: None, rule: 0 };

/// The node's list.
#[inline(always)]
pub fn node<F: Frame, E: Env>(frame: &F, env: &E, src: Addr) -> Listed {
    let config = env.config();
    if src.is_v4() {
        if config.flags & node_flag::LIST4 == 0 {
            return UNLISTED;
        }
        return node4(frame, env, src, config.wide_lens4);
    }
    if config.flags & node_flag::LIST6 == 0 {
        return UNLISTED;
    }
    node6(frame, env, src)
}

/// In what [`of_part`] says: there are timed entries of a whole address.
const HOST_TIMED: u32 = 1 << 2;

/// What a partly listed /24 says of one of its addresses: the [`State`] in two bits, [`HOST_TIMED`], and from bit 24 on, as in
/// [`weir_abi::Config::wide_lens4`], the lengths of shorter timed entries.
#[inline(always)]
pub fn of_part<E: Env>(env: &E, ip: u32) -> u32 {
    let Some(part) = env.part4(ip >> 8) else { return State::None as u32 };
    let low = ip & 255;
    let state = part.states[(low >> 5) as usize & 7] >> ((low & 31) * 2) & 3;
    let timed = part.timed_lens;
    ((timed & 0xff) << 24) | ((timed >> 8 & 1) * HOST_TIMED) | state as u32
}

/// IPv4: the /24's two bits; only "part" looks further.
#[inline(always)]
fn node4<F: Frame, E: Env>(frame: &F, env: &E, src: Addr, wide_lens: u32) -> Listed {
    let ip = src.ip4();
    let number = ip >> 8;
    let mut state = State::from_bits(env.slots4(number >> 5) >> ((number & 31) * 2));
    let mut timed = wide_lens;
    if matches!(state, State::Part) {
        let said = env.in_part4(ip);
        state = State::from_bits(said as u64);
        // Length 32 has its own test.
        timed |= said & !0xff_ffff;
        if said & HOST_TIMED != 0
            && let Some(entry) = live(env, LIST_NODE, src, 128)
        {
            return listed(&entry, LIST_NODE);
        }
    }
    // Most that comes is listed nowhere.
    if state as u32 | timed == State::None as u32 {
        return UNLISTED;
    }
    // However the walk came here, the loop is verified once.
    let state = State::from_bits(frame.blur(state as u8) as u64);
    let timed = frame.blur64(timed as u64) as u32;
    if timed != 0 {
        let mut step = 0;
        while step < 32 {
            let len = 31 - step;
            if timed >> len & 1 != 0
                && let Some(entry) = live(env, LIST_NODE, src, 96 + len as u8)
            {
                return listed(&entry, LIST_NODE);
            }
            step += 1;
        }
    }
    of_state(state, LIST_NODE)
}

/// IPv6: the /27's two bits; "part" probes the lengths that exist there.
#[inline(always)]
fn node6<F: Frame, E: Env>(frame: &F, env: &E, src: Addr) -> Listed {
    let slot = slot6(src.hi);
    if slot != SLOT6_OUTSIDE {
        let state = State::from_bits(env.slots6((slot >> 5) & (SLOTS6_WORDS - 1)) >> ((slot & 31) * 2));
        if !matches!(state, State::Part) {
            return of_state(state, LIST_NODE);
        }
    }
    let Some(lengths) = env.lengths(slot) else { return UNLISTED };
    probe(frame, env, LIST_NODE, src, lengths)
}

/// A target's own list.
#[inline(always)]
pub fn scoped<F: Frame, E: Env>(frame: &F, env: &E, list: u16, src: Addr) -> Listed {
    let key = SCOPED_LENGTHS_BASE + list as u32 * 2 + !src.is_v4() as u32;
    let Some(lengths) = env.lengths(key) else { return UNLISTED };
    probe(frame, env, list, src, lengths)
}

/// Probes the lengths, longest first: the first live entry decides.
///
/// First the filter names the lengths that are worth a look, without a branch: a look costs more than all of that. A length that
/// is not worth one is no way of its own for the verifier.
#[inline(always)]
fn probe<F: Frame, E: Env>(frame: &F, env: &E, list: u16, src: Addr, lengths: &Lengths6) -> Listed {
    let mut worth = 0u64;
    let mut i = 0;
    while i < MAX_LENGTHS {
        if i >= lengths.count as usize {
            break;
        }
        let len = lengths.lens[i];
        worth |= lengths.may_hold(src.masked(len), len) << i;
        i += 1;
    }
    let worth = frame.blur64(worth);
    let mut i = 0;
    while i < MAX_LENGTHS {
        if worth >> i == 0 {
            break;
        }
        if worth >> i & 1 != 0
            && let Some(entry) = live(env, list, src, lengths.lens[i])
        {
            return listed(&entry, list);
        }
        i += 1;
    }
    of_state(State::from_bits(lengths.otherwise as u64), list)
}

/// The entry of exactly this length, unless it has expired.
#[inline(always)]
fn live<E: Env>(env: &E, list: u16, src: Addr, len: u8) -> Option<PrefixEntry> {
    let key = PrefixKey::new(src.masked(len), list, len);
    let entry = env.prefix(&key)?;
    if entry.expires != 0 && env.tick() >= entry.expires {
        return None;
    }
    Some(*entry)
}

/// The outcome of an exact entry.
#[inline(always)]
fn listed(entry: &PrefixEntry, list: u16) -> Listed {
    let reason = match State::from_bits(entry.state as u64) {
        State::Allow if entry.never_block != 0 => Reason::NeverBlock,
        State::Allow if list == LIST_NODE => Reason::AllowListed,
        State::Allow => Reason::AllowScoped,
        State::Deny if entry.expires != 0 => Reason::Blocked,
        State::Deny if list == LIST_NODE => Reason::DenyListed,
        State::Deny => Reason::DenyScoped,
        State::None | State::Part => return UNLISTED,
    };
    Listed { reason: Some(reason), rule: entry.rule }
}

/// The outcome of a state that covers the whole block.
#[inline(always)]
fn of_state(state: State, list: u16) -> Listed {
    let reason = match (state, list == LIST_NODE) {
        (State::Deny, true) => Reason::DenyListed,
        (State::Deny, false) => Reason::DenyScoped,
        (State::Allow, true) => Reason::AllowListed,
        (State::Allow, false) => Reason::AllowScoped,
        _ => return UNLISTED,
    };
    Listed { reason: Some(reason), rule: 0 }
}
