//! Whose turn it is in a TCP connection: whether its client waits for the host. Slow attacks are connections that wait for long and for nothing.
//!
//! The host's side is seen where it sends ([`crate::connections::sent`]). A client's packet is noted when it passes: what is dropped was not
//! said. That is in [`crate::settle`], since the verifier has no room left in [`crate::judge`], and costs a tail call; so the packets that are most of an
//! upload are left out. Inside tunnels, and behind IP options, only a connection's first wait is seen.

use weir_abi::counters::fact;
use weir_abi::flow::{AGE_MASK, FED_UNITS, SLOW_UNITS, TURN_MASK, TURN_SHIFT, turn};
use weir_abi::policy::flag;
use weir_abi::{Reason, TargetPolicy};
use weir_wire::Frame;
use weir_wire::packet::proto;
use weir_wire::tcp::flag as tcp;

use crate::connections::{hash, line};
use crate::head::{Head, Read};
use crate::{Env, dawdlers, hammers, marks};

/// Payload bytes up to which a client that waits feeds its connection: a header line in TLS is shorter.
const FEW: u32 = 128;
/// And those above which a packet is one of many of an upload: it asks for nothing before its last one. Below what IPv6 guarantees (RFC 8200, 5).
const MOST: u32 = 1200;

/// The head of a packet in a known flow that may change the turn: it says something that is no full segment of an upload, or resets the connection.
#[inline(always)]
pub fn changing<F: Frame + Clone>(frame: &F, number: u8) -> Option<Head> {
    if number != Reason::KnownFlow as u8 {
        return None;
    }
    match Head::read(&frame.refreshed()) {
        Read::Head(head) if head.flags & tcp::RST != 0 || head.payload.wrapping_sub(1) < MOST => Some(head),
        _ => None,
    }
}

/// Whose turn it is in a flow with this mark.
#[inline(always)]
pub fn of(held: u32) -> u32 {
    (held & TURN_MASK) >> TURN_SHIFT
}

/// Notes what a packet that passes means for its connection: the client begins to wait, gives up, or waits and keeps the host from closing it.
/// Whether it does so once too often, where that is asked: it is not to pass, and if that is enforced its client waits no more.
#[inline(always)]
pub fn note<F: Frame, E: Env>(
    frame: &F,
    env: &E,
    head: &Head,
    policy: &TargetPolicy,
    target: u32,
    enforce: bool,
) -> bool {
    let h = frame.blur64(hash(env, head.ends.src, head.ends.dst, head.ends.ports, proto::TCP));
    let Some(line) = line(env, h) else { return false };
    let now = marks::age(env);
    let (at, own) = marks::place(frame, line, marks::mark(h), now);
    if !own {
        // The inner packet of a tunnel was meant.
        return false;
    }
    let place = &line.marks[at];
    let held = place.load();
    let resets = head.flags & tcp::RST != 0;
    let whose = of(held);
    let other = |turn: u32, time: u32| held & !(TURN_MASK | AGE_MASK) | turn << TURN_SHIFT | time & AGE_MASK;
    if whose & turn::BEGUN != 0 && resets {
        place.store(other(turn::CLIENT, held));
        env.feature(target, fact::WAIT_ENDED);
        return false;
    }
    match whose {
        _ if resets => {}
        // A question is a sign of life that the host will answer. After a handshake the first one comes when it will: it was expected, and is waited with.
        turn::CLIENT => {
            place.store(other(turn::ASKED, now));
            env.feature(target, fact::WAIT_BEGUN);
        }
        turn::BEGUN => {
            place.store(other(turn::ASKED, now));
            if policy.has(flag::SHARED) {
                hammers::opened(frame, env, policy, head.ends.src);
            }
        }
        turn::ASKED | turn::FED | turn::CHARGED if head.payload <= FEW => {
            let closing = policy.has(flag::CLOSE);
            let fed = if closing { turn::CHARGED } else { turn::FED };
            // Who has fed too many has lost the right to feed a few, and so has who went on asking for more connections than its share.
            let dawdles = closing && dawdlers::is_one(env, target, head.ends.src);
            let hammers = policy.has(flag::SHARED) && hammers::is_one(env, target, head.ends.src);
            let dawdles = frame.blur(dawdles as u8 | hammers as u8) & 1 != 0;
            let units = if whose >= fed && !dawdles { FED_UNITS } else { SLOW_UNITS };
            if marks::since(now, held) < units {
                return false;
            }
            place.store(other(fed, now));
            env.feature(target, fact::WAIT_FED);
            if !dawdles && !dawdlers::feeds_too_many(frame, env, policy, head.ends.src) {
                return false;
            }
            env.feature(target, fact::WAIT_FED_BEYOND);
            if !closing {
                return false;
            }
            dawdlers::note(frame, env, target, head.ends.src);
            if enforce {
                place.store(other(turn::CLIENT, now));
                env.feature(target, fact::WAIT_ENDED);
            }
            return true;
        }
        _ => {}
    }
    false
}
