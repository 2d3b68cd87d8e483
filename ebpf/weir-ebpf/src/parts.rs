//! The parts of the program that decide. The general one is a function of its own: the kernel gives a function's stack 512 bytes,
//! its callers' included, and the compiler keeps more in registers where less is alive. The short way of plain packets is no
//! function, and has a program of its own instead.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use weir_abi::Config;
use weir_core::{Decision, decide, decide_plain, learn};
use weir_wire::{Frame, plain};

use crate::env::KernelEnv;
use crate::frame::{Context, Linear, Plain};

/// Decides a plain packet; nothing for any other.
#[inline(always)]
pub fn plain(frame: &Linear, env: &KernelEnv) -> Option<Decision> {
    let v6 = plain::family(frame)?;
    let plain = Plain { start: frame.start, end: frame.end, length: frame.length, zero: env.zero() };
    let decision = if v6 { decide_plain(&plain, env, true) } else { decide_plain(&plain, env, false) };
    Some(blurred(frame, decision?))
}

/// A decision, blurred as all that comes of a part: one state to the verifier, and not one for every way out of it.
#[inline(always)]
pub fn blurred(frame: &Linear, d: Decision) -> Decision {
    Decision {
        number: frame.blur(d.number),
        target: frame.blur64(d.target as u64) as u32,
        rule: frame.blur64(d.rule as u64) as u32,
        enforce: frame.blur(d.enforce as u8) & 1 != 0,
        hold: frame.blur(d.hold),
    }
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
    let frame = Linear::of(context, length, env.zero());
    decide(&frame, &env).pack()
}

/// Learns from a socket buffer that the host sends; says the target that sends it.
#[inline(never)]
pub fn sent(skb: *const __sk_buff, length: usize, config: &'static Config, cpu: u32) -> u64 {
    let env = KernelEnv::of(config, cpu);
    let frame = Linear::of(Context::Skb(skb), length, env.zero());
    learn(&frame, &env) as u64
}
