//! The kernel program: entry points around the decision of `weir_core`, in the order of `weir_core::process`. That is not
//! called itself because its halves are functions of their own here: see `parts`.
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

use weir_abi::Config;
use weir_core::{Decision, Outcome, reply};
use weir_wire::{Frame, plain};

use crate::env::KernelEnv;
use crate::frame::Linear;
use crate::parts::NOT_PLAIN;

/// Native XDP on an uplink.
#[xdp(frags)]
pub fn weir_xdp(ctx: XdpContext) -> u32 {
    judge_xdp(ctx, &maps::SETTLE_XDP)
}

#[inline(always)]
fn judge_xdp(ctx: XdpContext, settles: &ProgramArray) -> u32 {
    let Some(env) = KernelEnv::new() else { return xdp_action::XDP_PASS };
    let frame = Linear::of_xdp(&ctx, env.noise());
    let any = |config, cpu| parts::any_xdp(ctx.ctx, frame.length, config, cpu);
    let (frame, decision) = decide(&frame, &env, any);
    if settle::leave(&frame, &env, decision) {
        // SAFETY: the context is the kernel's. Where nothing is in the table, the program goes on, and the packet is not challenged.
        let _ = unsafe { settles.tail_call(&ctx, 0) };
    }
    // Fail-open is decided here and below, and nowhere else: only a stated drop drops.
    if finish(&frame, &env, decision, || interface::of_xdp(&ctx)).drop {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

/// The same for a slot of libxdp's dispatcher, whose function it replaces (freplace); loaded only where there is one.
#[unsafe(no_mangle)]
#[unsafe(link_section = "freplace")]
pub extern "C" fn weir_chained(ctx: *mut xdp_md) -> u32 {
    judge_xdp(XdpContext::new(ctx), &maps::SETTLE_CHAINED)
}

/// tcx ingress: the fallback where a device has no native XDP, and the hook of pod interfaces.
#[classifier]
pub fn weir_tcx(ctx: TcContext) -> i32 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_UNSPEC };
    let frame = Linear::of_skb(&ctx, env.noise());
    let any = |config, cpu| parts::any_skb(ctx.skb.skb, frame.length, config, cpu);
    let (frame, decision) = decide(&frame, &env, any);
    if settle::leave(&frame, &env, decision) {
        // SAFETY: as in `judge_xdp`.
        let _ = unsafe { maps::SETTLE_TCX.tail_call(&ctx, 0) };
    }
    // "Unspecified" lets programs of others have their say.
    if finish(&frame, &env, decision, || interface::of_skb(&ctx)).drop { TC_ACT_SHOT as i32 } else { TC_ACT_UNSPEC }
}

/// Behind [`weir_xdp`] by tail call, where the target challenges: the last steps have a verifier's budget of their own.
#[xdp(frags)]
pub fn weir_settle_xdp(ctx: XdpContext) -> u32 {
    let Some(env) = KernelEnv::new() else { return xdp_action::XDP_PASS };
    let frame = Linear::of_xdp(&ctx, env.noise());
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
pub fn weir_settle_tcx(ctx: TcContext) -> i32 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_UNSPEC };
    let frame = Linear::of_skb(&ctx, env.noise());
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
pub fn weir_return(ctx: TcContext) -> i32 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_UNSPEC };
    let frame = Linear::of_skb(&ctx, env.noise());
    if reply::is_reply(&frame, &env) { answer::back(ctx.skb.skb) as i32 } else { TC_ACT_UNSPEC }
}

/// tcx egress: what the host sends teaches which connections it takes part in. Never drops.
#[classifier]
pub fn weir_egress(ctx: TcContext) -> i32 {
    if let Some(env) = KernelEnv::new() {
        let frame = Linear::of_skb(&ctx, env.noise());
        let (config, cpu) = env.parts();
        parts::sent(ctx.skb.skb, frame.length, config, cpu);
    }
    TC_ACT_UNSPEC
}

/// Tells the kernel's tick, which user space cannot read: written to the head of the frame that it is run on. Never attached.
/// No XDP program: running one by hand that is attached nowhere takes some 20 ms, this a few microseconds.
#[classifier]
pub fn weir_clock(ctx: TcContext) -> i32 {
    let start = ctx.data();
    if start + 8 <= ctx.data_end() {
        // SAFETY: eight bytes that were just compared with the end of the packet.
        unsafe { core::ptr::write_unaligned(start as *mut u64, aya_ebpf::helpers::bpf_jiffies64()) }
    }
    TC_ACT_UNSPEC
}

/// The decision about a frame, before it is counted; and the frame, of which the verifier knows nothing any more.
#[inline(always)]
fn decide(frame: &Linear, env: &KernelEnv, any: impl FnOnce(&'static Config, u32) -> u64) -> (Linear, Decision) {
    let (config, cpu) = env.parts();
    let mut word = match plain::family(frame) {
        Some(false) => parts::plain4(frame.start, frame.end, frame.length, config, cpu),
        Some(true) => parts::plain6(frame.start, frame.end, frame.length, config, cpu),
        None => NOT_PLAIN,
    };
    if word == NOT_PLAIN {
        word = any(config, cpu);
    }
    let frame = frame.refreshed();
    // Blurred, as all that comes of a part: one state to the verifier, and not one for every way out of it.
    word = frame.blur64(word);
    (frame, Decision::unpack(word))
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
