//! Step 9: the SYN challenge. The SYN of a source that has proven nothing is answered in the target's place, with a SYN-ACK whose
//! acknowledgement number is a keyed cookie and not SYN + 1.
//!
//! A stack that sent the SYN answers with a RST that has the cookie as its sequence number (RFC 9293, 3.10.7.3), and that proves its
//! source; its next SYN passes untouched. Linux sends that within milliseconds (`tcp_rcv_synsent_state_process` in
//! net/ipv4/tcp_input.c), others after their time-out. Nothing is kept of a SYN but what lets it pass when it comes again
//! ([`came_again`]): for clients behind a firewall that swallows the odd answer.

use weir_abi::challenge::{EPOCH_SHIFT, PROVEN_UNITS, reply};
use weir_abi::flow::MARK_SHIFT;
use weir_abi::policy::flag;
use weir_abi::{Addr, FlowLine, Reason, TargetPolicy};
use weir_wire::{Frame, Packet};

use crate::hash::{hash2, hash4};
use crate::head::Head;
use crate::judge::GO_ON;
use crate::siphash::siphash;
use crate::{Env, limits, marks};

/// Keeps hashes of proven sources apart from those of limits.
const PROVEN_KEY: u64 = 0x7072_6f76_656e_2121;
/// Keeps hashes of SYNs that may come again apart from those of flows.
const RETRY_KEY: u64 = 0x7265_7472_7920_2121;

/// The two ends of a connection as the client's SYN names them.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// The client.
    pub src: Addr,
    /// The target.
    pub dst: Addr,
    /// The client's port and the target's.
    pub ports: (u16, u16),
}

impl Ends {
    /// Those of a packet that the host sends to a client.
    #[inline(always)]
    pub fn of_sent(p: &Packet) -> Self {
        Self {
            src: Addr { hi: p.ip.dst.0, lo: p.ip.dst.1 },
            dst: Addr { hi: p.ip.src.0, lo: p.ip.src.1 },
            ports: (p.destination_port, p.source_port),
        }
    }

    /// Seen from the other side.
    #[inline(always)]
    pub fn turned(&self) -> Self {
        Self { src: self.dst, dst: self.src, ports: (self.ports.1, self.ports.0) }
    }
}

/// The epoch of cookies now.
#[inline(always)]
pub fn epoch<E: Env>(env: &E) -> u64 {
    env.tick() >> EPOCH_SHIFT
}

/// What a challenge between these ends says in an epoch: the acknowledgement number above the sequence number.
#[inline(always)]
pub fn cookie<E: Env>(env: &E, ends: &Ends, epoch: u64) -> u64 {
    let ports = (ends.ports.0 as u64) << 48 | (ends.ports.1 as u64) << 32 | epoch & 0xffff_ffff;
    siphash([ends.src.hi, ends.src.lo, ends.dst.hi, ends.dst.lo, ports], &env.config().secret)
}

/// The acknowledgement number of a challenge, which its answer repeats.
#[inline(always)]
pub const fn acknowledged(cookie: u64) -> u32 {
    (cookie >> 32) as u32
}

/// The sequence number of a challenge.
#[inline(always)]
pub const fn sequence(cookie: u64) -> u32 {
    cookie as u32
}

/// Whether XDP sends the reply with this cookie itself.
#[inline(always)]
pub fn transmits(mode: u32, cookie: u64) -> bool {
    let other = cookie & ((1 << reply::OTHER_SHIFT) - 1) == 0;
    (mode == reply::PROBE) & other | (mode == reply::TRANSMIT) & !other
}

/// Whether a SYN-ACK with these two numbers is a challenge of ours and not the host's. `ends`: as the client's SYN names them.
#[inline(always)]
pub fn is_ours<E: Env>(env: &E, ends: &Ends, ack: u32, seq: u32) -> bool {
    let (said, now) = ((ack as u64) << 32 | seq as u64, epoch(env));
    // The epoch may have ended since.
    (said ^ cookie(env, ends, now) == 0) | (said ^ cookie(env, ends, now.wrapping_sub(1)) == 0)
}

#[inline(always)]
fn proven_line<E: Env>(env: &E, src: Addr) -> Option<(&FlowLine, u32)> {
    let h = hash2(limits::source_key(src), PROVEN_KEY, &env.config().seed);
    Some((env.proven_line(h as u32 & env.config().proven_mask)?, marks::mark(h)))
}

/// Whether a source has proven itself within the last half hour. An IPv6 source is its /64, as for limits.
#[inline(always)]
fn is_proven<E: Env>(env: &E, src: Addr) -> bool {
    match proven_line(env, src) {
        Some((line, mark)) => marks::holds_since(line, mark, marks::age(env), PROVEN_UNITS),
        None => false,
    }
}

/// Notes that a source has proven itself.
#[inline(always)]
pub fn prove<F: Frame, E: Env>(frame: &F, env: &E, src: Addr) {
    let Some((line, mark)) = proven_line(env, src) else { return };
    let now = marks::age(env);
    let (at, _) = marks::place(frame, line, mark, now);
    line.marks[at].store(mark << MARK_SHIFT | now);
}

/// Whether a RST is the answer to a challenge: the number of that reason, and its source is proven then, or [`GO_ON`].
#[inline(always)]
pub fn answer<F: Frame, E: Env>(frame: &F, env: &E, head: &Head, policy: &TargetPolicy) -> u8 {
    if !policy.has(flag::ENFORCE) || env.config().reply == reply::NONE {
        return GO_ON;
    }
    let (ends, now) = (&head.ends, epoch(env));
    let (new, old) = (cookie(env, ends, now), cookie(env, ends, now.wrapping_sub(1)));
    let is_new = acknowledged(new) == head.seq;
    let wrong = frame.blur((!is_new && acknowledged(old) != head.seq) as u8) & 1;
    if wrong != 0 {
        return GO_ON;
    }
    prove(frame, env, ends.src);
    // Where it went the other way, the next answer tells the same.
    let transmitted = transmits(env.config().reply, if is_new { new } else { old });
    if frame.blur(transmitted as u8) & 1 != 0 { Reason::TransmittedAnswer as u8 } else { Reason::ChallengeAnswer as u8 }
}

/// What the challenge makes of a SYN that no earlier step had anything against: the number of a reason, [`GO_ON`] where nothing is
/// challenged.
#[inline(always)]
pub fn check<F: Frame, E: Env>(frame: &F, env: &E, head: &Head, policy: &TargetPolicy, target: u32) -> u8 {
    if env.config().reply == reply::NONE {
        return GO_ON;
    }
    if frame.blur(is_proven(env, head.ends.src) as u8) & 1 != 0 {
        return Reason::Proven as u8;
    }
    let again = came_again(env, head, policy, target);
    if frame.blur(again as u8) & 1 != 0 { Reason::ChallengeRetry as u8 } else { Reason::Challenged as u8 }
}

/// Whether the same SYN was challenged a plausible time ago, and the target takes one that comes again; notes it where it is new.
///
/// A SYN holds its slot for as long as clients wait before their first repetition: a flood cannot push it out, only take the slot
/// before it.
#[inline(always)]
fn came_again<E: Env>(env: &E, head: &Head, policy: &TargetPolicy, target: u32) -> bool {
    let (config, ends) = (env.config(), &head.ends);
    let ports = (ends.ports.0 as u64) << 48 | (ends.ports.1 as u64) << 32 | head.seq as u64;
    let h = hash4(ends.src.hi ^ RETRY_KEY, ends.src.lo ^ ports, ends.dst.hi, ends.dst.lo, &config.seed);
    let Some(slot) = env.retry(h as u32 & config.retry_mask) else { return false };
    let now = env.tick() as u32;
    let held = slot.load();
    let age = now.wrapping_sub(held as u32);
    if held >> 32 != h >> 32 {
        if held == 0 || age >= config.retry_least << 1 {
            slot.store(h >> 32 << 32 | now as u64);
        }
        return false;
    }
    if age < config.retry_least {
        return false;
    }
    if age > config.retry_most {
        slot.store(h >> 32 << 32 | now as u64);
        return false;
    }
    match env.target_cells(target) {
        Some(cells) if policy.retries.cost != 0 => {
            !limits::charge64(env, &cells.retries, policy.retries.cost, policy.retries.window)
        }
        _ => false,
    }
}
