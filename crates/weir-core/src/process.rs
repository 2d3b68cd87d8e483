//! One frame from its first byte to its verdict: parse, judge, count.

use weir_abi::config::node_flag;
use weir_abi::target::NODE;
use weir_abi::{Reason, Verdict};
use weir_wire::ethernet::{self, ethertype};
use weir_wire::frame::MAX_OFFSET;
use weir_wire::packet::parse_within;
use weir_wire::{Frame, Malformed, Packet, Parsed, plain, tunnel};

use crate::judge::hold::LIMITED;
use crate::judge::{Decision, judge};
use crate::settle::{settle, settles};
use crate::{Env, connections, sampling};

/// What becomes of a frame, and whether it is to be sampled.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// It is dropped: what it says does not get to the host.
    pub drop: bool,
    /// It passes because the owner only observes; it would have been dropped.
    pub would: bool,
    /// Number of the [`Reason`].
    pub number: u8,
    /// The target that the packet is for, 0: none.
    pub target: u32,
    /// The rule that decided, 0: none or not known here.
    pub rule: u32,
    /// It is to be answered by what [`crate::reply::reply`] builds.
    pub challenged: bool,
    /// It passes as the client's reset: what [`crate::reset::reset`] changes.
    pub closes: bool,
    /// Take a sample: it stands for this many packets. 0: no sample.
    pub sample_weight: u32,
}

impl Outcome {
    /// Why.
    pub fn reason(&self) -> Reason {
        // Numbers come from reasons, so the fallback is never taken.
        Reason::from_number(self.number).unwrap_or(Reason::NoTarget)
    }

    /// What is done.
    #[inline(always)]
    pub const fn verdict(&self) -> Verdict {
        if self.drop {
            Verdict::Drop
        } else if self.would {
            Verdict::WouldDrop
        } else {
            Verdict::Pass
        }
    }
}

/// Decides and counts.
#[inline(always)]
pub fn process<F: Frame + Clone, E: Env>(frame: &F, env: &E) -> Outcome {
    let plain = match plain::family(frame) {
        Some(v6) => decide_plain(frame, env, v6),
        None => None,
    };
    let mut decision = match plain {
        Some(decision) => decision,
        None => decide(frame, env),
    };
    if settles(frame, env, decision) {
        decision = settle(frame, env, decision);
    }
    finish(frame, env, decision)
}

/// Counts a decision and says what becomes of the frame.
#[inline(always)]
pub fn finish<F: Frame + Clone, E: Env>(frame: &F, env: &E, decision: Decision) -> Outcome {
    let bytes = frame.len() as u32;
    let Decision { number, target, .. } = decision;
    let enforce = decision.enforce as u8;
    // A rule that limits has decided only where `settle` says so. Without a branch.
    let decided = ((decision.hold & LIMITED) as u32).wrapping_sub(1);
    let rule = decision.rule & decided;
    let drops = drops(number) as u8;
    let would = drops & !enforce;
    let count = env.count(target, would != 0, number, bytes);
    let sample_weight = sampling::weight(frame, env.config(), drops != 0, count);
    let drop = drops & enforce != 0;
    let challenged = drop && number == Reason::Challenged as u8;
    let closes = drop && number == Reason::KeptWaiting as u8;
    Outcome { drop, would: would != 0, number, target, rule, challenged, closes, sample_weight }
}

/// Whether the reason with this number drops.
#[inline(always)]
pub(crate) fn drops(number: u8) -> bool {
    (if number < 64 { DROPS[0] >> number } else { DROPS[1] >> (number & 63) }) & 1 != 0
}

/// Bit `n` of the pair is set where reason `n` drops.
const DROPS: [u64; 2] = {
    let mut bits = [0u64; 2];
    let mut i = 0;
    while i < Reason::ALL.len() {
        if Reason::ALL[i].drops() {
            bits[i >> 6] |= 1 << (i & 63);
        }
        i += 1;
    }
    bits
};

/// Tunnels inside each other that are looked into.
const MAX_TUNNELS: usize = 2;

/// The decision for a plain packet, nothing for any other ([`weir_wire::plain`]). It is [`decide`]'s, reached sooner.
#[inline(always)]
pub fn decide_plain<F: Frame, E: Env>(frame: &F, env: &E, v6: bool) -> Option<Decision> {
    if env.config().flags & node_flag::NO_LINK != 0 {
        return None;
    }
    let p = if v6 { plain::ip6(frame)? } else { plain::ip4(frame)? };
    Some(judge(frame, env, &plain::blurred(frame, p), frame.len() as u32))
}

/// The decision for a frame, before it is counted.
#[inline(always)]
pub fn decide<F: Frame + Clone, E: Env>(frame: &F, env: &E) -> Decision {
    let bytes = frame.len() as u32;
    match packet_of(frame, env.config().flags) {
        Ok(p) => {
            // From here on the verifier walks one path, not one for every way through the parser.
            let frame = frame.refreshed();
            judge(&frame, env, &p.blurred(&frame), frame.blur64(bytes as u64) as u32)
        }
        Err(reason) => of_fault(env, reason),
    }
}

/// Learns from a frame that the host sends: see [`connections`]. Says the target that sent it, 0: none.
#[inline(always)]
pub fn learn<F: Frame + Clone, E: Env>(frame: &F, env: &E) -> u32 {
    let flags = env.config().flags;
    if env.config().connections == 0 || flags & node_flag::TARGETS == 0 {
        return NODE;
    }
    match packet_of(frame, flags) {
        Ok(p) => {
            let frame = frame.refreshed();
            connections::sent(&frame, env, &p.blurred(&frame))
        }
        Err(_) => NODE,
    }
}

/// The packet in a frame that is to be judged, the innermost one where tunnels are looked into; or why there is none.
#[inline(always)]
fn packet_of<F: Frame + Clone>(frame: &F, flags: u32) -> Result<Packet, Reason> {
    // An inner packet cannot reach beyond the one that carries it, hence `end`.
    let (at, v6) = network(frame, flags)?;
    let (mut at, mut v6) = (frame.blur64(at as u64) as usize & 63, frame.blur(v6 as u8) & 1 != 0);
    let mut end = frame.len();
    let mut depth = 0;
    loop {
        let p = match parse_within(frame, at, v6, end) {
            Parsed::Packet(p) => p,
            Parsed::Malformed(m) => return Err(of_malformed(m)),
            _ => return Err(Reason::Unreadable),
        };
        if flags & node_flag::TUNNELS == 0 {
            return Ok(p);
        }
        let inner = match tunnel::inner(frame, &p) {
            Ok(Some(inner)) => inner,
            Ok(None) => return Ok(p),
            Err(m) => return Err(of_malformed(m)),
        };
        if depth == MAX_TUNNELS {
            return Err(Reason::TunnelTooDeep);
        }
        depth += 1;
        // Blurred, as all that follows a branch of the parser: one state for the verifier.
        at = frame.blur64(inner.ip as u64) as usize & (2 * MAX_OFFSET + 1);
        v6 = frame.blur(inner.v6 as u8) & 1 != 0;
        end = frame.blur64(inner.end as u64) as usize;
    }
}

/// Where the IP header is and which family it has, or why there is none.
#[inline(always)]
fn network<F: Frame>(frame: &F, flags: u32) -> Result<(usize, bool), Reason> {
    if flags & node_flag::NO_LINK != 0 {
        return match frame.u8(0) {
            Some(b) if b >> 4 == 4 => Ok((0, false)),
            Some(b) if b >> 4 == 6 => Ok((0, true)),
            _ => Err(Reason::NotForUs),
        };
    }
    let link = match ethernet::parse(frame, 0) {
        Ok(Some(link)) => link,
        Ok(None) => return Err(Reason::Unreadable),
        Err(m) => return Err(of_malformed(m)),
    };
    match link.ethertype {
        ethertype::IP4 => Ok((link.payload, false)),
        ethertype::IP6 => Ok((link.payload, true)),
        ethertype::ARP | ethertype::RARP => Err(Reason::Arp),
        _ if link.too_deep => Err(Reason::VlanTooDeep),
        t if t < ethertype::FIRST => Err(Reason::NotForUs),
        _ => Err(Reason::UnknownEtherType),
    }
}

#[inline(always)]
fn of_node<E: Env>(env: &E, reason: Reason) -> Decision {
    Decision {
        number: reason as u8,
        target: NODE,
        rule: 0,
        enforce: env.config().flags & node_flag::ENFORCE != 0,
        hold: 0,
    }
}

/// The outcome of a frame that could not be judged as a packet. Faults drop only where the node asks for that.
#[inline(always)]
fn of_fault<E: Env>(env: &E, reason: Reason) -> Decision {
    const BOTH: u32 = node_flag::ENFORCE | node_flag::MALFORMED;
    Decision { enforce: env.config().flags & BOTH == BOTH, ..of_node(env, reason) }
}

/// The reason of a named fault.
#[inline(always)]
fn of_malformed(m: Malformed) -> Reason {
    match m {
        Malformed::EthernetTruncated => Reason::EthernetTruncated,
        Malformed::VlanTruncated => Reason::VlanTruncated,
        Malformed::Ip4Truncated => Reason::Ip4Truncated,
        Malformed::Ip4BadVersion => Reason::Ip4BadVersion,
        Malformed::Ip4BadHeaderLength => Reason::Ip4BadHeaderLength,
        Malformed::Ip4BadTotalLength => Reason::Ip4BadTotalLength,
        Malformed::Ip6Truncated => Reason::Ip6Truncated,
        Malformed::Ip6BadVersion => Reason::Ip6BadVersion,
        Malformed::Ip6BadLength => Reason::Ip6BadLength,
        Malformed::Ip6ExtensionTruncated => Reason::Ip6ExtensionTruncated,
        Malformed::Ip6ExtensionTooMany => Reason::Ip6ExtensionTooMany,
        Malformed::TcpTruncated => Reason::TcpTruncated,
        Malformed::TcpBadOffset => Reason::TcpBadOffset,
        Malformed::UdpTruncated => Reason::UdpTruncated,
        Malformed::UdpBadLength => Reason::UdpBadLength,
        Malformed::IcmpTruncated => Reason::IcmpTruncated,
        Malformed::SctpTruncated => Reason::SctpTruncated,
        Malformed::FragmentTooLong => Reason::FragmentTooLong,
        Malformed::FragmentBadLength => Reason::FragmentBadLength,
        Malformed::TunnelTruncated => Reason::TunnelTruncated,
        Malformed::TunnelBadHeader => Reason::TunnelBadHeader,
    }
}
