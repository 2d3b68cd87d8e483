//! The parts of the program that decide, each a function of its own: the kernel gives a function's stack 512 bytes, its
//! callers' included, and the compiler keeps more in registers where less is alive.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use weir_abi::Config;
use weir_core::{Decision, decide, decide_plain, learn};

use crate::env::KernelEnv;
use crate::frame::{Context, Linear, Plain};

/// What a part says that has no decision: no [`Decision`] packs to this word.
pub const NOT_PLAIN: u64 = u64::MAX;

/// Decides a plain IPv4 packet.
#[inline(never)]
pub fn plain4(start: usize, end: usize, length: usize, config: &'static Config, cpu: u32) -> u64 {
    plain(start, end, length, config, cpu, false)
}

/// Decides a plain IPv6 packet.
#[inline(never)]
pub fn plain6(start: usize, end: usize, length: usize, config: &'static Config, cpu: u32) -> u64 {
    plain(start, end, length, config, cpu, true)
}

#[inline(always)]
fn plain(start: usize, end: usize, length: usize, config: &'static Config, cpu: u32, v6: bool) -> u64 {
    let env = KernelEnv::of(config, cpu);
    let frame = Plain { start, end, length, noise: env.noise() };
    decide_plain(&frame, &env, v6).map_or(NOT_PLAIN, Decision::pack)
}

/// Decides any XDP frame.
#[inline(never)]
pub fn any_xdp(ctx: *const xdp_md, length: usize, config: &'static Config, cpu: u32) -> u64 {
    any(Context::Xdp(ctx), length, config, cpu)
}

/// Decides any socket buffer.
#[inline(never)]
pub fn any_skb(ctx: *const __sk_buff, length: usize, config: &'static Config, cpu: u32) -> u64 {
    any(Context::Skb(ctx), length, config, cpu)
}

#[inline(always)]
fn any(context: Context, length: usize, config: &'static Config, cpu: u32) -> u64 {
    let env = KernelEnv::of(config, cpu);
    let frame = Linear::of(context, length, env.noise());
    decide(&frame, &env).pack()
}

/// Learns from a socket buffer that the host sends; says the target that sends it.
#[inline(never)]
pub fn sent(skb: *const __sk_buff, length: usize, config: &'static Config, cpu: u32) -> u64 {
    let env = KernelEnv::of(config, cpu);
    let frame = Linear::of(Context::Skb(skb), length, env.noise());
    learn(&frame, &env) as u64
}
