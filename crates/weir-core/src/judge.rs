//! The order of the decision for one IP packet. The first step that has an answer ends it.
//!
//! Steps answer with a reason's number or [`GO_ON`], and each answer is blurred ([`Frame::blur64`]): the verifier then walks
//! the steps one after the other, and not every combination of their outcomes. That is what keeps this program verifiable.

use weir_abi::config::node_flag;
use weir_abi::policy::flag;
use weir_abi::target::{NODE, OWNER_ONLY};
use weir_abi::{Addr, Reason, TargetPolicy};
use weir_wire::fragment::Kind;
use weir_wire::packet::proto;
use weir_wire::{Frame, Packet, Transport, plain};

use crate::connections::{self, Flow};
use crate::fragments::{self, Known};
use crate::limits::{self, Load, Place};
use crate::targets::Found;
use crate::{Env, features, hygiene, lists, matching, targets};

/// An outcome and who owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Number of the reason.
    pub number: u8,
    /// The target that the packet is for, 0: none.
    pub target: u32,
    /// The rule that decided, 0: none or not known here.
    pub rule: u32,
    /// Whether the owner of this outcome enforces.
    pub enforce: bool,
    /// What [`crate::settle`] has to see to: [`hold`] bits, kept as bits because conditions would be branches to the verifier.
    pub hold: u8,
}

const _: () = assert!(hold::STRANGER == Flow::Unknown as u8);

/// Bits of [`Decision::hold`].
pub mod hold {
    /// The rule holds what it matches to a limit.
    pub const LIMITED: u8 = 1;
    /// The packet belongs to no known connection.
    pub const STRANGER: u8 = 2;
}

impl Decision {
    /// The decision in one word, as a part of the kernel program hands it to another.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        (self.rule as u64) << 32
            | (self.target as u64 & 0xffff) << 16
            | (self.hold as u64 & 3) << 9
            | (self.enforce as u64) << 8
            | self.number as u64
    }

    /// What [`Self::pack`] made one word of.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self {
            number: word as u8,
            target: (word >> 16) as u32 & 0xffff,
            rule: (word >> 32) as u32,
            enforce: word & 0x100 != 0,
            hold: (word >> 9) as u8 & 3,
        }
    }
}

/// What a step answers when it has nothing against the packet. No reason has this number.
pub const GO_ON: u8 = 255;

/// A step's answer as a number.
#[inline(always)]
fn answer(reason: Option<Reason>) -> u8 {
    match reason {
        Some(reason) => reason as u8,
        None => GO_ON,
    }
}

/// The same address with nothing known of it.
#[inline(always)]
fn blurred<F: Frame>(frame: &F, a: Addr) -> Addr {
    if F::PLAIN {
        return a;
    }
    Addr { hi: frame.blur64(a.hi), lo: frame.blur64(a.lo) }
}

/// Judges one packet.
#[inline(always)]
pub fn judge<F: Frame, E: Env>(frame: &F, env: &E, p: &Packet, bytes: u32) -> Decision {
    let config = env.config();
    let src = Addr { hi: p.ip.src.0, lo: p.ip.src.1 };
    let dst = Addr { hi: p.ip.dst.0, lo: p.ip.dst.1 };
    let node = |number: u8, rule: u32| Decision {
        number,
        target: NODE,
        rule,
        enforce: config.flags & node_flag::ENFORCE != 0,
        hold: 0,
    };

    if config.flags & node_flag::FAILSAFE != 0 && is_failsafe(env, &p.blurred(frame)) {
        return node(Reason::Failsafe as u8, 0);
    }
    if p.blurred(frame).is_neighbour_discovery() {
        return node(Reason::NeighbourDiscovery as u8, 0);
    }
    let p = &plain::forgotten(frame, p);
    let listed = lists::node(frame, env, blurred(frame, src));
    let number = frame.answer(answer(listed.reason));
    if number != GO_ON {
        return node(number, listed.rule);
    }
    if config.flags & node_flag::TARGETS == 0 {
        return node(Reason::NoTarget as u8, 0);
    }
    of_address(frame, env, p, src, dst, bytes)
}

/// Step 4 and, where the packet has a target, all that its policy asks for.
#[inline(always)]
fn of_address<F: Frame, E: Env>(frame: &F, env: &E, p: &Packet, src: Addr, dst: Addr, bytes: u32) -> Decision {
    let config = env.config();
    let enforce = config.flags & node_flag::ENFORCE != 0;
    let mut d = Decision { number: Reason::NoTarget as u8, target: NODE, rule: 0, enforce, hold: 0 };
    let (Found { id: found, limit_key }, known) = find_target(frame, env, &p.blurred(frame), dst);
    let known = frame.answer(known as u8);
    let target = found & !OWNER_ONLY;
    if frame.answer64(target as u64) as u32 == NODE {
        if known == Known::Passed as u8 {
            d.number = Reason::FragmentFollows as u8;
        }
        return d;
    }
    let cells = limits::ahead(frame, env, limit_key, src);
    if F::PLAIN && cells.is_none() {
        return d;
    }
    let Some(policy) = targets::policy(env, target) else { return d };
    let first = p.blurred(frame).ip.fragment.kind == Kind::First && policy.has(flag::FRAGMENTS_TRACK);
    let first = frame.answer(first as u8) & 1 != 0;
    if found & OWNER_ONLY != 0 && asks_for_port(&p.blurred(frame)) {
        // The address has targets, but not on this port. Its later fragments must find their way as well.
        if first {
            fragments::remember(env, p, NODE, false);
        }
        return d;
    }
    let (mut listed, mut entry, mut counted) = (GO_ON, 0, target);
    if policy.list != 0 {
        let found = lists::scoped(frame, env, policy.list, blurred(frame, src));
        entry = found.rule;
        listed = frame.blur(answer(found.reason));
        // What its list denies is no attack to be answered: it counts for nobody.
        if listed == Reason::DenyScoped as u8 {
            counted = NODE;
        }
    }
    let (listed, entry) = (frame.blur(listed), frame.blur64(entry as u64) as u32);
    let counted = frame.blur64(counted as u64) as u32;
    let slot = features::slot(frame, &p.blurred(frame), bytes);
    env.feature(counted, frame.blur(slot) & 63);
    let flow = connections::received(frame, env, &p.blurred(frame), counted);
    let seen = Seen { known, flow: frame.blur(flow), listed, entry, cells };
    d.target = target;
    let enforces = policy.has(flag::ENFORCE) as u8;
    let limited;
    (d.number, d.rule, limited) = of_target(frame, env, p, policy, target, src, dst, seen, bytes);
    d.enforce = frame.answer(enforces | limited >> INSISTS_TOO) & 1 != 0;
    d.hold = frame.answer(limited & hold::LIMITED | seen.flow & hold::STRANGER);
    if first {
        fragments::remember(env, p, target, crate::process::drops(d.number));
    }
    d
}

/// Whether the packet names a port, so that only a target with that port can own it.
#[inline(always)]
fn asks_for_port(p: &Packet) -> bool {
    hygiene::has_ports(p.ip.proto) && p.ip.fragment.kind != Kind::Later && p.transport != Transport::Tiny
}

/// What was seen before of the flow and the datagram that a packet belongs to.
#[derive(Clone, Copy)]
struct Seen<'a> {
    /// Number of a [`Known`].
    known: u8,
    /// Number of a [`Flow`].
    flow: u8,
    /// What the target's list says of the source, and which entry of it.
    listed: u8,
    entry: u32,
    /// Where the source's cells are: [`limits::ahead`].
    cells: Option<Place<'a>>,
}

/// Steps 4 to 8 under a target's policy: the reason's number, the rule, and whether that one limits, which [`crate::settle`] sees to, or
/// insists ([`INSISTS_TOO`]).
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "always inlined; a struct would only rename them")]
fn of_target<F: Frame, E: Env>(
    frame: &F,
    env: &E,
    p: &Packet,
    policy: &TargetPolicy,
    target: u32,
    src: Addr,
    dst: Addr,
    seen: Seen<'_>,
    bytes: u32,
) -> (u8, u32, u8) {
    let mut number = seen.listed;
    let mut rule = seen.entry;
    let mut limited = frame.blur(0) & 1;
    // Without a branch, here and in `of_rules`: each would double what the verifier has to walk from here on.
    let is_known = seen.flow & Flow::Known as u8;
    let mut pass = Reason::Clean as u8 + is_known * (Reason::KnownFlow as u8 - Reason::Clean as u8);
    if number == GO_ON {
        number = frame.answer(if hygiene::serves(policy, frame.answer(p.ip.proto)) {
            GO_ON
        } else {
            Reason::ProtocolNotServed as u8
        });
    }
    if number == GO_ON && p.blurred(frame).ip.fragment.is_fragment() {
        let known = Known::from_number(frame.answer(seen.known));
        let (step, then) = of_fragment(env, &p.blurred(frame), policy, target, known);
        number = frame.answer(step);
        pass = frame.answer(then);
    }
    if number == GO_ON {
        let step = hygiene::check(policy, &p.blurred(frame), blurred(frame, src), blurred(frame, dst), is_known != 0);
        number = frame.answer(answer(step));
    }
    if number == GO_ON && policy.rules != 0 {
        let matched = frame.blur64(of_rules(frame, env, &p.blurred(frame), policy.rules, is_known, bytes));
        // Most packets match none. Only where the verifier has the room.
        if !F::PLAIN || matched != 0 {
            rule = frame.answer64(matched) as u32;
            number = frame.answer(if matched >> DROPS & 1 != 0 { Reason::Rule as u8 } else { GO_ON });
            limited = frame.blur((matched >> LIMITS) as u8) & 3;
        }
    }
    if number == GO_ON {
        let load = Load { bytes, syn: || frame.blur(p.blurred(frame).is_syn() as u8) & 1 != 0 };
        number = limits::check(frame, env, policy, target, src, seen.cells, &load);
    }
    (if number == GO_ON { pass } else { number }, rule, limited)
}

/// What is said of a fragment before the other steps: why it is dropped, and the reason with which it would pass.
#[inline(always)]
fn of_fragment<E: Env>(env: &E, p: &Packet, policy: &TargetPolicy, target: u32, known: Known) -> (u8, u8) {
    let pass = Reason::Clean as u8;
    if policy.has(flag::FRAGMENTS_DROP) {
        return (Reason::FragmentRefused as u8, pass);
    }
    if !policy.has(flag::FRAGMENTS_TRACK) {
        return (GO_ON, pass);
    }
    if p.transport == Transport::Tiny || p.ip.proto == proto::TCP && p.ip.fragment.offset == 8 {
        return (Reason::FragmentTiny as u8, pass);
    }
    if p.ip.fragment.kind != Kind::Later {
        return (GO_ON, pass);
    }
    match known {
        Known::Passed => (GO_ON, Reason::FragmentFollows as u8),
        Known::Dropped => (Reason::FragmentFollowsDrop as u8, pass),
        Known::Overlap => (Reason::FragmentOverlap as u8, pass),
        Known::Nothing => {
            if limits::fragments(env, policy, target) {
                (Reason::FragmentUnmatchedLimit as u8, pass)
            } else {
                (GO_ON, Reason::FragmentUnmatched as u8)
            }
        }
    }
}

/// The target of a packet; a later fragment belongs to its first one's target, or to the address's owner.
#[inline(always)]
fn find_target<F: Frame, E: Env>(frame: &F, env: &E, p: &Packet, dst: Addr) -> (Found, Known) {
    let mut known = Known::Nothing;
    let mut found = targets::NONE;
    if p.ip.fragment.kind == Kind::Later {
        let (t, k) = fragments::look_up(env, p);
        found.id = frame.blur64(t as u64) as u32;
        known = Known::from_number(frame.blur(k as u8));
    }
    if known == Known::Nothing {
        let portless = p.transport == Transport::Icmp || p.ip.fragment.kind == Kind::Later;
        let port = if portless { 0 } else { p.destination_port };
        found = targets::find(env, blurred(frame, dst), frame.blur64(port as u64) as u16, frame.blur(p.ip.proto));
    }
    (Found { id: frame.blur64(found.id as u64) as u32, ..found }, known)
}

/// What [`of_rules`] adds to the rule's owner where the rule drops.
const DROPS: u32 = 32;
/// The same where it limits and none drops.
const LIMITS: u32 = 33;
/// The same where it drops whether or not the target enforces. Behind [`LIMITS`], see [`INSISTS_TOO`].
const INSISTS: u32 = 34;
/// Of what is left of the three bits behind [`LIMITS`], the one of [`INSISTS`].
const INSISTS_TOO: u32 = INSISTS - LIMITS;

/// The owner of the rule that fits first, with [`DROPS`] or [`LIMITS`]; 0 where none does either. Every packet that fits is counted, also where
/// the rule only watches.
#[inline(always)]
fn of_rules<F: Frame, E: Env>(frame: &F, env: &E, p: &Packet, among: u64, known: u8, bytes: u32) -> u64 {
    let Some(tables) = env.rules(env.config().rules_copy & 1) else { return 0 };
    // What an attack by strangers taught must not touch a known flow.
    let may = tables.known | frame.blur64((known as u64).wrapping_sub(1));
    let candidates = tables.live & among & may;
    if candidates == 0 {
        return 0;
    }
    let m = frame.blur64(matching::matches(frame, p, tables, candidates));
    if m == 0 {
        return 0;
    }
    // The first one that drops owns the packet; where none drops, the first one that limits, and else the first one that watches is
    // counted. Without a branch.
    let (drop, limit) = (frame.blur64(m & tables.enforce), frame.blur64(m & tables.limit));
    let (drops, limits) = (is_any(drop), is_any(limit) & !is_any(drop));
    let first = drop | limit & 0u64.wrapping_sub(limits) | m & (drops | limits).wrapping_sub(1);
    let slot = env.opaque(frame.blur64(first).trailing_zeros()) & 63;
    env.count_rule(slot, bytes);
    // Who only watches has no say.
    let owner = tables.owner[slot as usize] as u64 & 0u64.wrapping_sub(drops | limits);
    let insists = drops & tables.insist >> slot;
    owner | drops << DROPS | limits << LIMITS | insists << INSISTS
}

/// 1 where a bit is set, else 0.
#[inline(always)]
fn is_any(bits: u64) -> u64 {
    (bits | bits.wrapping_neg()) >> 63
}

/// Whether the destination port is a failsafe port.
#[inline(always)]
fn is_failsafe<E: Env>(env: &E, p: &Packet) -> bool {
    let base = match p.transport {
        Transport::Tcp => 0,
        Transport::Udp => 1,
        _ => return false,
    };
    let bit = p.destination_port & 63;
    // Most ports are none by their remainder already.
    env.config().failsafe[base] >> bit & 1 != 0
        && env.failsafe(base as u32 * 1024 + (p.destination_port >> 6) as u32) >> bit & 1 != 0
}

#[cfg(test)]
mod tests {
    //! What one part hands over, the next one gets.
    use super::Decision;
    use super::hold::{LIMITED, STRANGER};

    #[test]
    fn a_decision_is_the_same_on_the_other_side() {
        let plain = Decision { number: 0, target: 0, rule: 0, enforce: false, hold: 0 };
        for d in [
            plain,
            Decision { number: 255, ..plain },
            Decision { target: 0xffff, ..plain },
            Decision { rule: u32::MAX, ..plain },
            Decision { enforce: true, ..plain },
            Decision { hold: LIMITED, ..plain },
            Decision { hold: STRANGER, ..plain },
        ] {
            assert_eq!(Decision::unpack(d.pack()), d);
        }
    }
}
