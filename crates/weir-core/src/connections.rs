//! Step 6: connection truth. What the host sends teaches which flows it takes part in; what comes is looked up among them.
//!
//! A flow is learned from what nobody can make a host say who does not hear it: payload, a FIN, a SYN or a query of its own; and
//! from the ACK that completes a handshake, which has to name the host's initial sequence number. The idea of learning from what
//! leaves is that of authentication filters (Tempesta xFW, Auto_XDP); that strangers can neither fill nor evict is ours.

use weir_abi::challenge::reply;
use weir_abi::counters::fact;
use weir_abi::flow::{AGE_MASK, FED_UNITS, MARK_SHIFT, Pending, TURN_SHIFT, WAITED_BITS, turn};
use weir_abi::policy::flag;
use weir_abi::target::{NODE, OWNER_ONLY};
use weir_abi::{Addr, FlowLine, TargetPolicy};
use weir_wire::tcp::flag as tcp;
use weir_wire::{Frame, Packet, Transport};

use crate::challenge::Ends;
use crate::hash::hash4;
use crate::hygiene::is_reflection_port;
use crate::{Env, challenge, limits, marks, targets, turns};

/// What is known of a packet's flow.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Nothing is asked: the packet begins one, or its kind has none.
    None = 0,
    /// The host takes part in it.
    Known = 1,
    /// The host does not, or has been silent in it for long.
    Unknown = 2,
}

/// The hash of a flow: low bits choose the line, the highest are the mark.
#[inline(always)]
pub(crate) fn hash<E: Env>(env: &E, remote: Addr, local: Addr, ports: (u16, u16), proto: u8) -> u64 {
    let ends = (ports.0 as u64) << 32 | (ports.1 as u64) << 16 | proto as u64;
    hash4(remote.hi ^ ends, remote.lo, local.hi, local.lo, &env.config().seed)
}

#[inline(always)]
pub(crate) fn line<E: Env>(env: &E, h: u64) -> Option<&FlowLine> {
    env.flow_line(h as u32 & env.config().flow_mask)
}

/// The two places where a flow's handshake may wait, so that who loses a packet and waits for long is not put out by the next one. They are
/// neighbours, mostly of one cache line.
#[inline(always)]
fn pending<E: Env>(env: &E, h: u64, which: u32) -> Option<&Pending> {
    env.pending((h as u32 & env.config().pending_mask) ^ which)
}

/// What is held there.
#[inline(always)]
fn held<E: Env>(env: &E, h: u64, which: u32) -> u64 {
    pending(env, h, which).map_or(0, |place| place.load())
}

/// Looks for a flow among the known ones.
#[inline(always)]
fn is_known<E: Env>(env: &E, h: u64) -> bool {
    match line(env, h) {
        Some(line) => marks::holds(line, marks::mark(h)),
        None => false,
    }
}

/// What a packet means for a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The host says nothing that its client waits for.
    Nothing,
    /// It says something, or will not any more.
    Something,
    /// The client has connected: it is the host's turn.
    Connected,
}

/// Notes that the host takes part in a flow; one that is not known yet is learned where there is proof of it. Whether a client waits no more: this one,
/// or the one whose place it takes.
#[inline(always)]
fn note<F: Frame, E: Env>(frame: &F, env: &E, h: u64, proof: bool, says: Says) -> bool {
    let Some(line) = line(env, h) else { return false };
    let (mark, now) = (marks::mark(h), marks::age(env));
    let (at, own) = marks::place(frame, line, mark, now);
    if !(proof || own) {
        return false;
    }
    let held = line.marks[at].load();
    let before = turns::of(held);
    let kept = before & 0u32.wrapping_sub(own as u32);
    let next = match says {
        Says::Nothing => kept,
        // The client's, where anything is known.
        Says::Something => (kept + 7) >> 3,
        Says::Connected => turn::BEGUN,
    };
    // While its client waits a mark's time is the wait's, unless that is long. Without a branch, as that before.
    let young = marks::since(now, held).wrapping_sub(FED_UNITS) >> 31;
    let waits = 0u32.wrapping_sub(kept >> 2 & next >> 2 & young & (says != Says::Connected) as u32);
    line.marks[at].store(mark << MARK_SHIFT | next << TURN_SHIFT | held & waits & AGE_MASK | now & !waits);
    before >> 2 & !(own as u32 & next >> 2) & 1 != 0
}

const _: () = assert!(turn::UNKNOWN == 0 && turn::CLIENT == 1 && turn::BEGUN == 4 && turn::CHARGED < 8);

/// Forgets a flow: another connection begins between the same ends. Whether its client waited.
#[inline(always)]
fn forget<F: Frame, E: Env>(frame: &F, env: &E, h: u64) -> bool {
    let Some(line) = line(env, h) else { return false };
    let (at, own) = marks::place(frame, line, marks::mark(h), 0);
    if !own {
        return false;
    }
    let waited = turns::of(line.marks[at].load()) & turn::BEGUN != 0;
    line.marks[at].store(0);
    waited
}

/// Sees a packet that the host sends; says whose it is.
#[inline(always)]
pub fn sent<F: Frame, E: Env>(frame: &F, env: &E, p: &Packet) -> u32 {
    let (tcp_packet, udp) = (p.transport == Transport::Tcp, p.transport == Transport::Udp);
    let port = if tcp_packet || udp { p.source_port } else { 0 };
    let local = Addr { hi: p.ip.src.0, lo: p.ip.src.1 };
    let remote = Addr { hi: p.ip.dst.0, lo: p.ip.dst.1 };
    let target = targets::find(env, local, port, p.ip.proto).id;
    let target = frame.blur64(target as u64) as u32;
    // Nor is what comes to a port that no target names ever looked up.
    if target == NODE || target & OWNER_ONLY != 0 {
        return NODE;
    }
    let flags = p.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST);
    // A challenge was said in the host's place, and says nothing of it.
    if tcp_packet && flags == tcp::SYN | tcp::ACK && challenges(env, target) {
        let ours = frame.blur(challenge::is_ours(env, &Ends::of_sent(p), p.ack, p.seq) as u8) & 1;
        if ours != 0 {
            return target;
        }
    }
    env.feature(target, fact::SENT);
    if !tcp_packet && !udp {
        return target;
    }
    let h = hash(env, remote, local, (p.destination_port, p.source_port), p.ip.proto);
    if udp {
        if is_reflection_port(p.destination_port) {
            env.feature(target, fact::ASKED);
            // From a port of such a service itself it may be an answer, and whom to is up to whoever forged the question.
            if !is_reflection_port(p.source_port) {
                note(frame, env, h, true, Says::Nothing);
            }
        }
        return target;
    }
    let served;
    if flags & tcp::RST != 0 {
        env.feature(target, fact::RST_SENT);
        served = note(frame, env, h, false, Says::Something);
    } else if flags == tcp::SYN | tcp::ACK {
        env.feature(target, fact::SYN_ACK_SENT);
        // No host answers so while it has a connection there. The new one is to be proven, and counted, as any other.
        served = forget(frame, env, h);
        wait(frame, env, h, p.seq.wrapping_add(1));
    } else {
        let own = flags == tcp::SYN;
        if own {
            env.feature(target, fact::ASKED);
        }
        let ends = p.tcp_flags & tcp::FIN != 0;
        let proof = own || ends || p.payload_len() != 0;
        served = note(frame, env, h, proof, if proof { Says::Something } else { Says::Nothing });
        if ends {
            // Who was talked with to the end has proven what a challenge asks for.
            challenge::prove(frame, env, remote);
        }
    }
    if frame.blur(served as u8) & 1 != 0 {
        env.feature(target, fact::WAIT_ENDED);
    }
    target
}

/// Whether SYNs for a target may be challenged.
#[inline(always)]
fn challenges<E: Env>(env: &E, target: u32) -> bool {
    let config = env.config();
    let copy = if config.policy_copy & 1 != 0 { config.targets } else { 0 };
    config.reply != reply::NONE && env.policy(copy + target).is_some_and(|policy| policy.has(flag::CHALLENGE))
}

/// What is known of the flow of a packet that came. `target`: for whom it counts.
#[inline(always)]
pub fn received<F: Frame, E: Env>(frame: &F, env: &E, p: &Packet, target: u32) -> u8 {
    let udp = p.transport == Transport::Udp;
    let asks = if udp {
        is_reflection_port(p.source_port) && !is_reflection_port(p.destination_port)
    } else {
        p.transport == Transport::Tcp && !p.is_syn()
    };
    if frame.blur(asks as u8) & 1 == 0 || env.config().connections == 0 {
        return Flow::None as u8;
    }
    let remote = Addr { hi: p.ip.src.0, lo: p.ip.src.1 };
    let local = Addr { hi: p.ip.dst.0, lo: p.ip.dst.1 };
    let h = frame.blur64(hash(env, remote, local, (p.source_port, p.destination_port), p.ip.proto));
    let mut known = frame.blur(is_known(env, h) as u8) & 1;
    let flags = p.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST | tcp::FIN);
    let gives_up = frame.blur((flags == tcp::RST) as u8) & 1;
    // Where its first packets were lost, a client that has asked and closed meanwhile sends all of that anew at once, with a FIN.
    let ends = frame.blur((flags & !tcp::FIN == tcp::ACK) as u8) & 1 | gives_up;
    if known == 0 && !udp && ends != 0 {
        let waited = frame.blur64(ends_handshake(env, h, p.ack, gives_up) as u64) as u32;
        if waited != NONE_WAITED {
            // Who gave up has proven nothing. Without a branch.
            let proves = (gives_up as u32).wrapping_sub(1);
            env.feature(target & proves, fact::COMPLETED);
            if waited & proves > env.config().prompt {
                env.feature(target, fact::LATE);
            }
            // Who is put out by it is not counted as waiting no more: the verifier has no room for that here. Such a wait fades.
            note(frame, env, h, gives_up == 0, Says::Connected);
            known = 1;
        }
    }
    let known = frame.blur(known) & 1;
    // Without a branch: KNOWN and UNKNOWN are neighbours.
    let fact = if udp { fact::ANSWERED } else { fact::UNKNOWN - known };
    if !udp || known != 0 {
        env.feature(target, frame.blur(fact) & 63);
    }
    Flow::Unknown as u8 - known
}

const _: () = assert!(fact::UNKNOWN == fact::KNOWN + 1);

const WAITED: u64 = (1 << WAITED_BITS) - 1;
const NONE_WAITED: u32 = u32::MAX;

/// A pending handshake's part of its flow's hash, in its place.
#[inline(always)]
fn whose(h: u64) -> u64 {
    (h >> (32 + WAITED_BITS) | 1) << (32 + WAITED_BITS)
}

/// Notes that a handshake waits for an acknowledgement: in its own place if it had one, else in an empty one, else instead of whoever has waited for longer.
#[inline(always)]
fn wait<F: Frame, E: Env>(frame: &F, env: &E, h: u64, number: u32) {
    let now = env.tick() & WAITED;
    // Without a branch.
    let worth = |held: u64| {
        let waited = (now.wrapping_sub(held >> 32)) & WAITED;
        is_zero((held ^ whose(h)) >> (32 + WAITED_BITS)) << 13 | is_zero(held) << 12 | waited
    };
    let less = worth(held(env, h, 0)).wrapping_sub(worth(held(env, h, 1)));
    if let Some(place) = pending(env, h, frame.blur64(less >> 63) as u32 & 1) {
        place.store(whose(h) | now << 32 | number as u64);
    }
}

/// 1 for zero, else 0.
#[inline(always)]
fn is_zero(n: u64) -> u64 {
    (n | n.wrapping_neg()) >> 63 ^ 1
}

/// For how many ticks a handshake has waited in the flow for this acknowledgement; or, where its client gave up, for any: it answers a late SYN-ACK
/// with a reset (RFC 9293, 3.10.7.1). It waits once. [`NONE_WAITED`] where there is none.
#[inline(always)]
fn ends_handshake<E: Env>(env: &E, h: u64, ack: u32, gives_up: u8) -> u32 {
    let differs = |held: u64| ((held ^ (whose(h) | ack as u64)) & !(WAITED << 32)) >> (gives_up as u32 * 32);
    // Without a branch: the second where the first is another's.
    let other = 1 - is_zero(differs(held(env, h, 0))) as u32;
    let Some(place) = pending(env, h, other) else { return NONE_WAITED };
    let held = place.load();
    if differs(held) != 0 {
        return NONE_WAITED;
    }
    place.store(0);
    (env.tick().wrapping_sub(held >> 32) & WAITED) as u32
}

/// Whether a packet of no known flow is over what the target takes of them.
#[inline(always)]
pub fn is_refused<E: Env>(env: &E, policy: &TargetPolicy, target: u32) -> bool {
    let limit = &policy.strangers;
    match env.target_cells(target) {
        Some(cells) if limit.cost != 0 => limits::charge64(env, &cells.strangers, limit.cost, limit.window),
        _ => false,
    }
}
