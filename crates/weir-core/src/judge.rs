//! The order of the decision for one IP packet. The first step that has an answer ends it.

use weir_abi::config::node_flag;
use weir_abi::policy::flag;
use weir_abi::target::{NODE, OWNER_ONLY};
use weir_abi::{Addr, Reason, TargetPolicy};
use weir_wire::fragment::Kind;
use weir_wire::packet::proto;
use weir_wire::{Frame, Packet, Transport};

use crate::fragments::{self, Known};
use crate::limits::{self, Load};
use crate::{features, hygiene, lists, matching, targets, Env};

/// An outcome and who owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Why.
    pub reason: Reason,
    /// The target that the packet is for, 0: none.
    pub target: u32,
    /// The rule that decided, 0: none or not known here.
    pub rule: u32,
    /// Whether the owner of this outcome enforces.
    pub enforce: bool,
}

/// Judges one packet.
#[inline(always)]
pub fn judge<F: Frame, E: Env>(frame: &F, env: &E, p: &Packet, bytes: u32) -> Decision {
    let config = env.config();
    let src = Addr { hi: p.ip.src.0, lo: p.ip.src.1 };
    let dst = Addr { hi: p.ip.dst.0, lo: p.ip.dst.1 };
    let mut d = Decision { reason: Reason::NoTarget, target: NODE, rule: 0, enforce: config.flags & node_flag::ENFORCE != 0 };

    if config.flags & node_flag::FAILSAFE != 0 && is_failsafe(env, p) {
        d.reason = Reason::Failsafe;
        return d;
    }
    if p.is_neighbour_discovery() {
        d.reason = Reason::NeighbourDiscovery;
        return d;
    }
    if let Some(listed) = lists::node(env, src) {
        d.reason = listed.reason;
        d.rule = listed.rule;
        return d;
    }
    if config.flags & node_flag::TARGETS == 0 {
        return d;
    }
    let (target, known) = find_target(env, p, dst);
    let owned = target & OWNER_ONLY != 0;
    d.target = target & !OWNER_ONLY;
    if d.target == NODE {
        if matches!(known, Known::Passed(_)) {
            d.reason = Reason::FragmentFollows;
        }
        return d;
    }
    let copy = if config.policy_copy & 1 != 0 { config.targets } else { 0 };
    let Some(policy) = env.policy(copy + d.target) else { return d };
    let first = matches!(p.ip.fragment.kind, Kind::First) && policy.has(flag::FRAGMENTS_TRACK);
    if owned && hygiene::has_ports(p.ip.proto) && !matches!(p.ip.fragment.kind, Kind::Later) && !matches!(p.transport, Transport::Tiny) {
        // The address has targets, but not on this port. Its later fragments must find their way as well.
        if first {
            fragments::remember(env, p, NODE, false);
        }
        d.target = NODE;
        return d;
    }
    d.enforce = policy.has(flag::ENFORCE);
    env.feature(d.target, features::slot(frame, p, bytes));
    d.reason = of_target(frame, env, p, policy, &mut d, src, dst, known, bytes);
    if first {
        fragments::remember(env, p, d.target, d.reason.drops());
    }
    d
}

/// Steps 4 to 8 under a target's policy.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "always inlined; a struct would only rename them")]
fn of_target<F: Frame, E: Env>(
    frame: &F,
    env: &E,
    p: &Packet,
    policy: &TargetPolicy,
    d: &mut Decision,
    src: Addr,
    dst: Addr,
    known: Known,
    bytes: u32,
) -> Reason {
    if policy.list != 0 {
        if let Some(listed) = lists::scoped(env, policy.list, src) {
            d.rule = listed.rule;
            return listed.reason;
        }
    }
    if !hygiene::serves(policy, p.ip.proto) {
        return Reason::ProtocolNotServed;
    }
    let mut pass = Reason::Clean;
    if p.ip.fragment.is_fragment() {
        match of_fragment(env, p, policy, d.target, known) {
            Ok(reason) => pass = reason,
            Err(reason) => return reason,
        }
    }
    if let Some(reason) = hygiene::check(policy, p, src, dst) {
        return reason;
    }
    if policy.rules != 0 {
        if let Some(rule) = of_rules(frame, env, p, policy.rules, bytes) {
            d.rule = rule;
            return Reason::Rule;
        }
    }
    let load = Load { bytes, syn: p.is_syn() };
    match limits::check(env, policy, d.target, src, load) {
        Some(reason) => reason,
        None => pass,
    }
}

/// What is said of a fragment before the other steps: how it would pass, or why it is dropped.
#[inline(always)]
fn of_fragment<E: Env>(env: &E, p: &Packet, policy: &TargetPolicy, target: u32, known: Known) -> Result<Reason, Reason> {
    if policy.has(flag::FRAGMENTS_DROP) {
        return Err(Reason::FragmentRefused);
    }
    if !policy.has(flag::FRAGMENTS_TRACK) {
        return Ok(Reason::Clean);
    }
    if matches!(p.transport, Transport::Tiny) || p.ip.proto == proto::TCP && p.ip.fragment.offset == 8 {
        return Err(Reason::FragmentTiny);
    }
    if !matches!(p.ip.fragment.kind, Kind::Later) {
        return Ok(Reason::Clean);
    }
    match known {
        Known::Passed(_) => Ok(Reason::FragmentFollows),
        Known::Dropped(_) => Err(Reason::FragmentFollowsDrop),
        Known::Overlap(_) => Err(Reason::FragmentOverlap),
        Known::Nothing => {
            if limits::fragments(env, policy, target) {
                Err(Reason::FragmentUnmatchedLimit)
            } else {
                Ok(Reason::FragmentUnmatched)
            }
        }
    }
}

/// The target of a packet; a later fragment belongs to its first one's target, or to the address's owner.
#[inline(always)]
fn find_target<E: Env>(env: &E, p: &Packet, dst: Addr) -> (u32, Known) {
    if matches!(p.ip.fragment.kind, Kind::Later) {
        let known = fragments::look_up(env, p);
        return match known {
            Known::Passed(t) | Known::Dropped(t) | Known::Overlap(t) => (t, known),
            Known::Nothing => (targets::find(env, dst, 0, p.ip.proto), known),
        };
    }
    let port = if matches!(p.transport, Transport::Icmp) { 0 } else { p.destination_port };
    (targets::find(env, dst, port, p.ip.proto), Known::Nothing)
}

/// The rule that fits first. Every conjunction that fits is counted, also those that only watch.
#[inline(always)]
fn of_rules<F: Frame, E: Env>(frame: &F, env: &E, p: &Packet, among: u64, bytes: u32) -> Option<u32> {
    let tables = env.rules(env.config().rules_copy & 1)?;
    let candidates = tables.live & among;
    if candidates == 0 {
        return None;
    }
    let v = matching::vector(frame, p, candidates & tables.needs_layout != 0);
    let m = matching::matches(tables, &v, candidates);
    if m == 0 {
        return None;
    }
    // The first one that drops owns the packet; where none drops, the first one that watches is counted.
    let drops = m & tables.enforce;
    let slot = if drops != 0 { drops.trailing_zeros() } else { m.trailing_zeros() };
    let slot = env.opaque(slot) & 63;
    env.count_rule(slot, bytes);
    if drops == 0 {
        return None;
    }
    Some(tables.owner[slot as usize])
}

/// Whether the destination port is a failsafe port.
#[inline(always)]
fn is_failsafe<E: Env>(env: &E, p: &Packet) -> bool {
    let base = match p.transport {
        Transport::Tcp => 0,
        Transport::Udp => 1024,
        _ => return false,
    };
    env.failsafe(base + (p.destination_port >> 6) as u32) >> (p.destination_port & 63) & 1 != 0
}
