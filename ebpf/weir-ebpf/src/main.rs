//! The kernel program: entry points around the decision of `weir_core`, in the order of `weir_core::process`. That is not
//! called itself because its two ways are programs of their own here: see `parts`.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod answer;
mod env;
mod frame;
mod interface;
mod maps;
mod parts;
mod sample;
mod settle;

use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action, xdp_md};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::maps::ProgramArray;
use aya_ebpf::programs::{TcContext, XdpContext};

use weir_core::{Decision, Outcome, reply};
use weir_wire::Frame;

use crate::env::KernelEnv;
use crate::frame::Linear;

/// Native XDP on an uplink.
#[xdp(frags)]
#[inline(always)]
pub fn weir_xdp(ctx: XdpContext) -> u32 {
    judge_xdp(ctx, &maps::ANY_XDP, &maps::SETTLE_XDP)
}

/// The same for a slot of libxdp's dispatcher, whose function it replaces (freplace); loaded only where there is one.
#[unsafe(no_mangle)]
#[unsafe(link_section = "freplace")]
pub extern "C" fn weir_chained(ctx: *mut xdp_md) -> u32 {
    judge_xdp(XdpContext::new(ctx), &maps::ANY_CHAINED, &maps::SETTLE_CHAINED)
}

/// A plain packet, which nearly all are. No function is called for it: a call and its return cost more than its lists do.
#[inline(always)]
fn judge_xdp(ctx: XdpContext, any: &ProgramArray, settle: &ProgramArray) -> u32 {
    let Some(env) = KernelEnv::new() else { return xdp_action::XDP_PASS };
    let frame = Linear::of_xdp(&ctx, env.zero());
    match parts::plain(&frame, &env) {
        Some(decision) => end_xdp(&ctx, settle, &frame, &env, decision),
        None => {
            // SAFETY: the context is the kernel's. Where nothing is in the table the program goes on, and the packet passes.
            let _ = unsafe { any.tail_call(&ctx, 0) };
            xdp_action::XDP_PASS
        }
    }
}

/// Behind [`weir_xdp`] by tail call: every packet that is not plain.
#[xdp(frags)]
#[inline(always)]
pub fn weir_any_xdp(ctx: XdpContext) -> u32 {
    any_xdp(ctx, &maps::SETTLE_XDP)
}

/// The same behind [`weir_chained`], loaded as that one is.
#[xdp(frags)]
#[inline(always)]
pub fn weir_any_chained(ctx: XdpContext) -> u32 {
    any_xdp(ctx, &maps::SETTLE_CHAINED)
}

#[inline(always)]
fn any_xdp(ctx: XdpContext, settle: &ProgramArray) -> u32 {
    let Some(env) = KernelEnv::new() else { return xdp_action::XDP_PASS };
    let frame = Linear::of_xdp(&ctx, env.zero());
    let (config, cpu) = env.parts();
    let decision = parts::blurred(&frame, Decision::unpack(parts::any_xdp(ctx.ctx, frame.length, config, cpu)));
    end_xdp(&ctx, settle, &frame, &env, decision)
}

/// What becomes of a decision.
#[inline(always)]
fn end_xdp(ctx: &XdpContext, settle: &ProgramArray, frame: &Linear, env: &KernelEnv, decision: Decision) -> u32 {
    if settle::leave(frame, env, decision) {
        // SAFETY: as in `judge_xdp`. Where nothing is in the table the packet is not challenged.
        let _ = unsafe { settle.tail_call(ctx, 0) };
    }
    // Fail-open is decided here and below, and nowhere else: only a stated drop drops.
    if finish(frame, env, decision, || interface::of_xdp(ctx)).drop {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

/// tcx ingress: the fallback where a device has no native XDP, and the hook of pod interfaces.
#[classifier]
#[inline(always)]
pub fn weir_tcx(ctx: TcContext) -> i32 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_UNSPEC };
    let frame = Linear::of_skb(&ctx, env.zero());
    match parts::plain(&frame, &env) {
        Some(decision) => end_tcx(&ctx, &frame, &env, decision),
        None => {
            // SAFETY: as in `judge_xdp`.
            let _ = unsafe { maps::ANY_TCX.tail_call(&ctx, 0) };
            TC_ACT_UNSPEC
        }
    }
}

/// Behind [`weir_tcx`], as [`weir_any_xdp`] is behind XDP.
#[classifier]
#[inline(always)]
pub fn weir_any_tcx(ctx: TcContext) -> i32 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_UNSPEC };
    let frame = Linear::of_skb(&ctx, env.zero());
    let (config, cpu) = env.parts();
    let decision = parts::blurred(&frame, Decision::unpack(parts::any_skb(ctx.skb.skb, frame.length, config, cpu)));
    end_tcx(&ctx, &frame, &env, decision)
}

/// What becomes of a decision.
#[inline(always)]
fn end_tcx(ctx: &TcContext, frame: &Linear, env: &KernelEnv, decision: Decision) -> i32 {
    if settle::leave(frame, env, decision) {
        // SAFETY: as in `end_xdp`.
        let _ = unsafe { maps::SETTLE_TCX.tail_call(ctx, 0) };
    }
    // "Unspecified" lets programs of others have their say.
    if finish(frame, env, decision, || interface::of_skb(ctx)).drop { TC_ACT_SHOT as i32 } else { TC_ACT_UNSPEC }
}

/// Behind these by tail call, where the target challenges: the last steps have a verifier's budget of their own.
#[xdp(frags)]
#[inline(always)]
pub fn weir_settle_xdp(ctx: XdpContext) -> u32 {
    let Some(env) = KernelEnv::new() else { return xdp_action::XDP_PASS };
    let frame = Linear::of_xdp(&ctx, env.zero());
    let outcome = finish(&frame, &env, settle::settled(&frame, &env), || interface::of_xdp(&ctx));
    if outcome.challenged {
        return answer::xdp(ctx.ctx) as u32;
    }
    if outcome.closes {
        return if answer::close(&frame.refreshed()) { xdp_action::XDP_PASS } else { xdp_action::XDP_DROP };
    }
    if outcome.drop { xdp_action::XDP_DROP } else { xdp_action::XDP_PASS }
}

/// Behind [`weir_tcx`], as [`weir_settle_xdp`] is behind XDP.
#[classifier]
#[inline(always)]
pub fn weir_settle_tcx(ctx: TcContext) -> i32 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_UNSPEC };
    let frame = Linear::of_skb(&ctx, env.zero());
    let outcome = finish(&frame, &env, settle::settled(&frame, &env), || interface::of_skb(&ctx));
    if outcome.challenged {
        return answer::skb(ctx.skb.skb) as i32;
    }
    if outcome.closes {
        return if answer::close(&frame.refreshed()) { TC_ACT_UNSPEC } else { TC_ACT_SHOT as i32 };
    }
    if outcome.drop { TC_ACT_SHOT as i32 } else { TC_ACT_UNSPEC }
}

/// tcx ingress behind XDP: sends back the challenges that XDP wrote and handed to the stack.
#[classifier]
#[inline(always)]
pub fn weir_return(ctx: TcContext) -> i32 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_UNSPEC };
    let frame = Linear::of_skb(&ctx, env.zero());
    if reply::is_reply(&frame, &env) { answer::back(ctx.skb.skb) as i32 } else { TC_ACT_UNSPEC }
}

/// tcx egress: what the host sends teaches which connections it takes part in. Never drops.
#[classifier]
#[inline(always)]
pub fn weir_egress(ctx: TcContext) -> i32 {
    if let Some(env) = KernelEnv::new() {
        let frame = Linear::of_skb(&ctx, env.zero());
        let (config, cpu) = env.parts();
        parts::sent(ctx.skb.skb, frame.length, config, cpu);
    }
    TC_ACT_UNSPEC
}

/// Tells the kernel's tick, which user space cannot read: written to the head of the frame that it is run on. Never attached.
/// No XDP program: running one by hand that is attached nowhere takes some 20 ms, this a few microseconds.
#[classifier]
#[inline(always)]
pub fn weir_clock(ctx: TcContext) -> i32 {
    let start = ctx.data();
    if start + 8 <= ctx.data_end() {
        // SAFETY: eight bytes that were just compared with the end of the packet.
        unsafe { core::ptr::write_unaligned(start as *mut u64, aya_ebpf::helpers::bpf_jiffies64()) }
    }
    TC_ACT_UNSPEC
}

/// Counts a decision, and takes a sample where one is due.
#[inline(always)]
fn finish(frame: &Linear, env: &KernelEnv, decision: Decision, ifindex: impl FnOnce() -> u32) -> Outcome {
    let outcome = weir_core::finish(frame, env, decision);
    if outcome.sample_weight != 0 {
        sample::take(&frame.refreshed(), env, &outcome, ifindex());
    }
    outcome
}

/// `bpf_ringbuf_*` and other helpers ask for a licence that the kernel knows.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // Not reached: the core has no panic path, and the verifier refuses a loop without end.
    loop {}
}
