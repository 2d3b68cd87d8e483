//! The last steps for a packet that passes, where a rule holds it to a limit, its target challenges, or strangers are held back: that limit;
//! the challenge, and the target's limit of new connections, which forged SYNs must not use up; what strangers send as a whole. And in
//! a known connection, whose turn it is from now on; where an attack keeps connections waiting, or opens too many, whether its source does that too often.
//! Of what is dropped only a SYN is settled whose source had its share of an attacked target's connections: whether it really had, and is to open any others.
//!
//! A part of its own that reads the few fields that it needs again: inside `judge` the verifier would walk it once for every way
//! into it.

use weir_abi::challenge::reply;
use weir_abi::config::node_flag;
use weir_abi::counters::fact;
use weir_abi::limit::{MATCHED_BURST_SHIFT, TARGET_UNIT_SHIFT};
use weir_abi::policy::flag;
use weir_abi::target::NODE;
use weir_abi::{Addr, Reason, TargetPolicy};
use weir_wire::Frame;
use weir_wire::tcp::flag as tcp;

use crate::Env;
use crate::head::{Head, Read, source};
use crate::judge::hold::{LIMITED, STRANGER};
use crate::judge::{Decision, GO_ON};
use crate::limits::{self, Load};
use crate::targets::policy;
use crate::{challenge, connections, dawdlers, hammers, regulars, shares, turns};

/// While one of these is on some sources open no connections.
const BARS: u32 = flag::CLOSE | flag::SHARED;

/// Whether a decision is to be settled: the packet passes, and a rule holds it to a limit, or it is a stranger's where these are held back,
/// or its target challenges, or the turn changes in its connection.
#[inline(always)]
pub fn settles<F: Frame + Clone, E: Env>(frame: &F, env: &E, d: Decision) -> bool {
    let refused = d.number == Reason::SourceSyns as u8;
    if d.target == NODE || !refused && crate::process::drops(d.number & 127) {
        return false;
    }
    let Some(policy) = policy(env, d.target) else { return false };
    if refused {
        return policy.has(flag::SHARED);
    }
    let challenged = is_plain(d.number) & challenges(env, policy);
    let held = d.hold & STRANGER != 0 && policy.strangers.cost != 0;
    // Of a barred source's packets it is the SYN that is looked for, and what belongs to a connection.
    let bars = d.number == Reason::Clean as u8 && policy.flags & BARS != 0;
    d.hold & LIMITED != 0 || held || challenged || bars || turns::changing(frame, d.number).is_some()
}

/// Whether a packet passes for no special reason.
#[inline(always)]
fn is_plain(number: u8) -> bool {
    (number == Reason::Clean as u8) | (number == Reason::KnownFlow as u8)
}

#[inline(always)]
fn challenges<E: Env>(env: &E, policy: &TargetPolicy) -> bool {
    let config = env.config();
    // Frames without a link header have no link addresses to exchange.
    let answers = (config.reply != reply::NONE) & (config.flags & node_flag::NO_LINK == 0);
    answers & policy.has(flag::CHALLENGE)
}

/// Settles a decision.
#[inline(always)]
pub fn settle<F: Frame + Clone, E: Env>(frame: &F, env: &E, before: Decision) -> Decision {
    let target = frame.blur64(before.target as u64) as u32 & 0xffff;
    let mut d = Decision { number: frame.blur(before.number), target, ..before };
    let Some(policy) = policy(env, target) else { return d };
    let hold = frame.blur(d.hold);
    d.hold = 0;
    let mut charged = 0;
    if frame.blur(d.number) == Reason::SourceSyns as u8 {
        // A rule that holds packets to a limit has no part in this.
        let decided = frame.blur64(((hold & LIMITED) as u64).wrapping_sub(1)) as u32;
        d.rule = before.rule & decided;
        let Read::Head(head) = Head::read(frame) else { return d };
        let src = head.blurred(frame).ends.src;
        if shares::had(frame, env, policy, target, src) {
            hammers::refused(frame, env, policy, target, src);
            return d;
        }
        charged = 1;
        // What the limits would have said if the source's had not ended it.
        let load = Load { bytes: frame.len() as u32, syn: || true };
        let step = frame.blur(limits::beyond_source(frame, env, policy, target, src, &load));
        d.number = if step == GO_ON { Reason::Clean as u8 } else { step };
        if frame.blur(step) != GO_ON {
            return d;
        }
        d.rule = before.rule;
    }
    let charged = frame.blur(charged) & 1 != 0;
    if hold & LIMITED != 0 {
        if frame.blur(is_over(frame, env, policy, target) as u8) & 1 != 0 {
            d.number = Reason::RuleLimit as u8;
            return d;
        }
        d.rule = 0;
    }
    let mut step = GO_ON;
    let challenged = frame.blur(challenges(env, policy) as u8) & 1 != 0;
    if is_plain(frame.blur(d.number)) && (challenged || policy.flags & BARS != 0) {
        step = frame.blur(match Head::read(frame) {
            Read::Head(head) => of_packet(frame, env, &head.blurred(frame), policy, target, (challenged, charged)),
            // An attacker would only have to add an option.
            Read::Strange if challenged => Reason::Unchallengeable as u8,
            _ => GO_ON,
        });
    }
    // The answer to a challenge is of no known flow either.
    if step == GO_ON && hold & STRANGER != 0 && connections::is_refused(env, policy, target) {
        step = Reason::Strangers as u8;
    }
    let step = frame.blur(step);
    if step != GO_ON {
        d.number = step;
    }
    if let Some(head) = turns::changing(frame, frame.blur(d.number)) {
        let closes = turns::note(frame, env, &head.blurred(frame), policy, target, d.enforce);
        if frame.blur(closes as u8) & 1 != 0 {
            d.number = Reason::KeptWaiting as u8;
        }
    }
    d
}

/// What is made of a SYN, or of a RST that may answer a challenge: where the target challenges; and whether the SYN is charged to its source's share
/// already.
#[inline(always)]
fn of_packet<F: Frame, E: Env>(
    frame: &F,
    env: &E,
    head: &Head,
    policy: &TargetPolicy,
    target: u32,
    (challenged, charged): (bool, bool),
) -> u8 {
    let opens = head.flags & (tcp::SYN | tcp::ACK) == tcp::SYN;
    if opens && policy.has(flag::CLOSE) {
        let dawdles = frame.blur(dawdlers::is_one(env, target, head.ends.src) as u8) & 1 != 0;
        if dawdles {
            env.feature(target, fact::DAWDLER);
            return Reason::Dawdler as u8;
        }
    }
    if opens && policy.has(flag::SHARED) {
        let hammers = frame.blur(hammers::is_one(env, target, head.ends.src) as u8) & 1 != 0;
        if hammers {
            return Reason::Barred as u8;
        }
        // By its first line it has not had its share.
        if !charged {
            shares::had(frame, env, policy, target, head.ends.src);
        }
    }
    if !challenged {
        return GO_ON;
    }
    if !opens {
        return if head.flags & tcp::RST != 0 { challenge::answer(frame, env, head, policy) } else { GO_ON };
    }
    let step = frame.blur(challenge::check(frame, env, head, policy, target));
    if crate::process::drops(step & 127) {
        return step;
    }
    if limits::is_syn_refused(env, policy, target) {
        return Reason::TargetSyns as u8;
    }
    step
}

/// Whether a packet that a limiting rule matches is over what its target takes of them. Sources that come regularly are not counted; inside a tunnel
/// it is the tunnel's end that has to.
#[inline(always)]
fn is_over<F: Frame, E: Env>(frame: &F, env: &E, policy: &TargetPolicy, target: u32) -> bool {
    let cost = policy.matched;
    if cost == 0 {
        return false;
    }
    if let Some(src) = source(frame, env.config().flags & node_flag::NO_LINK != 0) {
        let src = Addr { hi: frame.blur64(src.hi), lo: frame.blur64(src.lo) };
        if frame.blur(regulars::is_regular(env, target, src) as u8) & 1 != 0 {
            return false;
        }
    }
    match env.target_cells(target) {
        Some(cells) => limits::charge64(env, &cells.matched, cost, MATCHED_WINDOW),
        None => false,
    }
}

const MATCHED_WINDOW: u64 = 1 << (TARGET_UNIT_SHIFT + MATCHED_BURST_SHIFT);
