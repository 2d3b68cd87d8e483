//! The last steps for a packet that passes, where its target challenges: the challenge, and the target's limit of new connections,
//! which forged SYNs must not use up.
//!
//! A part of its own that reads the few fields that it needs again: inside `judge` the verifier would walk it once for every way
//! into it.

use weir_abi::challenge::reply;
use weir_abi::policy::flag;
use weir_abi::target::NODE;
use weir_abi::{Reason, TargetPolicy};
use weir_wire::Frame;
use weir_wire::tcp::flag as tcp;

use crate::Env;
use crate::challenge;
use crate::head::{Head, Read};
use crate::judge::{Decision, GO_ON};
use crate::limits;

#[inline(always)]
fn policy<E: Env>(env: &E, target: u32) -> Option<&TargetPolicy> {
    let config = env.config();
    let copy = if config.policy_copy & 1 != 0 { config.targets } else { 0 };
    env.policy(copy + target)
}

/// Whether a decision is to be settled: the packet passes, for no special reason, to a target that challenges.
#[inline(always)]
pub fn settles<E: Env>(env: &E, d: Decision) -> bool {
    let passes = d.number == Reason::Clean as u8 || d.number == Reason::KnownFlow as u8;
    passes
        && d.target != NODE
        && env.config().reply != reply::NONE
        && policy(env, d.target).is_some_and(|policy| policy.has(flag::CHALLENGE))
}

/// Settles a decision.
#[inline(always)]
pub fn settle<F: Frame, E: Env>(frame: &F, env: &E, before: Decision) -> Decision {
    let target = frame.blur64(before.target as u64) as u32 & 0xffff;
    let d = Decision { number: frame.blur(before.number), target, ..before };
    match Head::read(frame) {
        Read::Head(head) => Decision { number: of_packet(frame, env, &head.blurred(frame), &d), ..d },
        // An attacker would only have to add an option.
        Read::Strange => Decision { number: Reason::Unchallengeable as u8, ..d },
        Read::Other => d,
    }
}

#[inline(always)]
fn of_packet<F: Frame, E: Env>(frame: &F, env: &E, head: &Head, d: &Decision) -> u8 {
    let syn = head.flags & (tcp::SYN | tcp::ACK) == tcp::SYN;
    if !syn && head.flags & tcp::RST == 0 {
        return d.number;
    }
    let Some(policy) = policy(env, d.target) else { return d.number };
    let step = if syn {
        challenge::check(frame, env, head, policy, d.target)
    } else {
        challenge::answer(frame, env, head, policy)
    };
    let step = frame.blur(step);
    if crate::process::drops(step) {
        return step;
    }
    if syn && limits::is_syn_refused(env, policy, d.target) {
        return Reason::TargetSyns as u8;
    }
    if step != GO_ON { step } else { d.number }
}
