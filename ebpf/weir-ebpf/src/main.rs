//! The kernel program: two entry points around `weir_core::process`, and nothing else.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod env;
mod frame;
mod maps;
mod sample;

use aya_ebpf::bindings::{xdp_action, TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use weir_abi::Verdict;

use crate::env::KernelEnv;
use crate::frame::Linear;

/// Native XDP on an uplink.
#[xdp(frags)]
pub fn weir_xdp(ctx: XdpContext) -> u32 {
    let Some(env) = KernelEnv::new() else { return xdp_action::XDP_PASS };
    let frame = Linear::of_xdp(&ctx, env.noise());
    // SAFETY: the context is the kernel's, valid for the length of this call.
    let ifindex = unsafe { (*ctx.ctx).ingress_ifindex };
    match run(&frame, &env, ifindex) {
        // Fail-open is decided here and nowhere else: only a stated drop drops.
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Pass | Verdict::WouldDrop => xdp_action::XDP_PASS,
    }
}

/// tcx ingress: the fallback where a device has no native XDP, and the hook of pod interfaces.
#[classifier]
pub fn weir_tcx(ctx: TcContext) -> i32 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_UNSPEC };
    let frame = Linear::of_skb(&ctx, env.noise());
    // SAFETY: the context is the kernel's, valid for the length of this call.
    let ifindex = unsafe { (*ctx.skb.skb).ifindex };
    match run(&frame, &env, ifindex) {
        Verdict::Drop => TC_ACT_SHOT as i32,
        // "Unspecified" lets programs of others have their say.
        Verdict::Pass | Verdict::WouldDrop => TC_ACT_UNSPEC,
    }
}

#[inline(always)]
fn run(frame: &Linear, env: &KernelEnv, ifindex: u32) -> Verdict {
    let outcome = weir_core::process(frame, env);
    if outcome.sample_weight != 0 {
        sample::take(frame, env, &outcome, ifindex);
    }
    outcome.verdict
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
