//! Sends a sampled packet to user space: 128 bytes through the ring buffer, at most so many per tick and CPU.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use weir_abi::Sample;
use weir_abi::sample::SAMPLE_BYTES;
use weir_core::{Env, Outcome};
use weir_wire::Frame;

use crate::env::KernelEnv;
use crate::frame::Linear;
use crate::maps;

/// Takes a sample, unless this CPU's budget of the tick is spent or the ring is full.
#[inline(always)]
pub fn take(frame: &Linear, env: &KernelEnv, outcome: &Outcome, ifindex: u32) {
    if !within_budget(env) {
        return;
    }
    let Some(mut entry) = maps::SAMPLES.reserve::<Sample>(0) else {
        return count_lost(env);
    };
    let mut captured = 0;
    // SAFETY: the reservation is this program's alone until it is submitted; every field is written before that.
    let sample = unsafe { &mut *entry.as_mut_ptr() };
    // SAFETY: the helper has no arguments. Exact time is asked for only here: it costs as much as the rest of a decision.
    sample.time_ns = unsafe { bpf_ktime_get_ns() };
    sample.length = frame.len() as u32;
    sample.target = outcome.target as u16;
    sample.reason = outcome.number;
    sample.verdict = outcome.drop as u8 + 2 * outcome.would as u8;
    sample.rule = outcome.rule;
    sample.ifindex = ifindex;
    sample.weight = outcome.sample_weight;
    sample.pad = 0;
    let mut at = 0;
    while at < SAMPLE_BYTES {
        let word = match frame.bytes::<8>(at) {
            Some(word) => {
                captured = at + 8;
                word
            }
            None => [0; 8],
        };
        let mut i = 0;
        while i < 8 {
            sample.bytes[at + i] = word[i];
            i += 1;
        }
        at += 8;
    }
    // What is left of the frame behind the last whole word.
    let mut left = 0;
    while left < 7 {
        let at = captured & 127;
        if at >= SAMPLE_BYTES {
            break;
        }
        let Some([byte]) = frame.bytes::<1>(at) else { break };
        sample.bytes[at] = byte;
        captured = at + 1;
        left += 1;
    }
    sample.captured = captured as u16;
    entry.submit(0);
}

/// Whether this CPU may take another sample within this tick. Those that it may not take are counted.
#[inline(always)]
fn within_budget(env: &KernelEnv) -> bool {
    let Some(budget) = maps::SAMPLE_BUDGETS.get_ptr_mut(env.cpu()) else { return false };
    let tick = env.tick();
    // SAFETY: the element is this CPU's own; user space only reads it.
    unsafe {
        if (*budget).tick != tick {
            (*budget).tick = tick;
            (*budget).taken = 0;
        }
        (*budget).taken += 1;
        let within = (*budget).taken <= env.config().samples_per_tick as u64;
        if !within {
            (*budget).over_budget += 1;
        }
        within
    }
}

/// The ring was full: user space is behind.
#[inline(always)]
fn count_lost(env: &KernelEnv) {
    if let Some(budget) = maps::SAMPLE_BUDGETS.get_ptr_mut(env.cpu()) {
        // SAFETY: as in `within_budget`.
        unsafe { (*budget).ring_full += 1 }
    }
}
