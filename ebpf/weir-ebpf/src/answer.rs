//! Sends a challenge back: the SYN's own frame, cut and written over with what `weir_core::reply` builds. Makes a packet its sender's reset.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT, xdp_action, xdp_md};
use aya_ebpf::helpers::{bpf_redirect, bpf_skb_change_tail, bpf_xdp_adjust_tail};
use aya_ebpf::programs::XdpContext;
use weir_abi::challenge::HANDED_PER_TICK;
use weir_abi::challenge::reply as path;
use weir_core::Env;
use weir_core::reply::{Headers, Reply, WORDS4, WORDS6, Way, reply};
use weir_core::reset::{CHECKSUM, FLAGS, Reset, reset};
use weir_wire::tcp;

use crate::env::KernelEnv;
use crate::frame::{Context, Linear};
use crate::maps;

/// Answers an XDP frame: sends it back, or hands it to the stack, where a program behind this one does.
#[inline(never)]
pub fn xdp(ctx: *mut xdp_md) -> u64 {
    let Some(env) = KernelEnv::new() else { return xdp_action::XDP_DROP as u64 };
    let frame = Linear::of_xdp(&XdpContext::new(ctx), env.zero());
    let length = frame.length;
    let Some(mut answer) = reply(&frame, &env, Way::Chosen) else { return xdp_action::XDP_DROP as u64 };
    if !answer.transmit && !may_hand(&env) {
        if env.config().reply == path::STACK {
            return xdp_action::XDP_DROP as u64;
        }
        // Anew: its checksum has to be whole.
        let Some(other) = reply(&frame, &env, Way::Transmit) else { return xdp_action::XDP_DROP as u64 };
        answer = other;
    }
    let reply = answer;
    let cut = wanted(&reply) as i32 - length as i32;
    // SAFETY: the helper checks the length; all packet pointers are read again below.
    if unsafe { bpf_xdp_adjust_tail(ctx, cut) } != 0 {
        return xdp_action::XDP_DROP as u64;
    }
    if !write(&Linear::of(Context::Xdp(ctx), 0, env.zero()), &reply) {
        return xdp_action::XDP_DROP as u64;
    }
    (if reply.transmit { xdp_action::XDP_TX } else { xdp_action::XDP_PASS }) as u64
}

/// Answers a socket buffer.
#[inline(never)]
pub fn skb(skb: *mut __sk_buff) -> u64 {
    let Some(env) = KernelEnv::new() else { return TC_ACT_SHOT as u64 };
    let frame = Linear::of(Context::Skb(skb), 0, env.zero());
    let Some(reply) = reply(&frame, &env, Way::Stack) else { return TC_ACT_SHOT as u64 };
    if !may_hand(&env) {
        return TC_ACT_SHOT as u64;
    }
    // SAFETY: the helper checks the length and makes the buffer ours; all packet pointers are read again below.
    if unsafe { bpf_skb_change_tail(skb, wanted(&reply) as u32, 0) } != 0 {
        return TC_ACT_SHOT as u64;
    }
    if !write(&Linear::of(Context::Skb(skb), 0, env.zero()), &reply) {
        return TC_ACT_SHOT as u64;
    }
    back(skb)
}

/// Sends a socket buffer out by the interface that it came in by.
#[inline(always)]
pub fn back(skb: *mut __sk_buff) -> u64 {
    // SAFETY: the context is the kernel's; the helper only notes where the packet is to go.
    unsafe { bpf_redirect((*skb).ifindex, 0) as u64 }
}

/// Makes a packet its sender's reset; whether that was possible.
#[inline(always)]
pub fn close(frame: &Linear) -> bool {
    let Some(Reset { at, flags, checksum }) = reset(frame) else { return false };
    let tcp = frame.start + at;
    if tcp + tcp::HEADER > frame.end {
        return false;
    }
    // SAFETY: the header was just compared with the end of the packet, which takes unaligned words.
    unsafe {
        ((tcp + FLAGS) as *mut u8).write(flags);
        ((tcp + CHECKSUM) as *mut u16).write_unaligned(checksum.to_be());
    }
    true
}

/// Whether this CPU may hand another reply to the stack within this tick.
#[inline(always)]
fn may_hand(env: &KernelEnv) -> bool {
    let Some(handed) = maps::HANDED.get_ptr_mut(0) else { return false };
    let tick = env.tick();
    // SAFETY: the element belongs to this CPU, and packet programs on one CPU do not interrupt each other.
    unsafe {
        if (*handed)[0] != tick {
            *handed = [tick, 0];
        }
        (*handed)[1] += 1;
        (*handed)[1] <= HANDED_PER_TICK
    }
}

/// Length of the reply's frame.
#[inline(always)]
fn wanted(reply: &Reply) -> usize {
    reply.at
        + 4 * match reply.headers {
            Headers::V4(_) => WORDS4,
            Headers::V6(_) => WORDS6,
        }
}

/// Exchanges the link addresses and writes the headers.
#[inline(always)]
fn write(frame: &Linear, reply: &Reply) -> bool {
    const ADDRESSES: usize = 12;
    if frame.start + ADDRESSES > frame.end {
        return false;
    }
    // SAFETY: twelve bytes that were just compared with the end of the packet; packet memory takes unaligned words.
    unsafe {
        let (to, from) = (frame.start as *mut u32, (frame.start + 6) as *mut u32);
        let (to_rest, from_rest) = ((frame.start + 4) as *mut u16, (frame.start + 10) as *mut u16);
        let (t, tr) = (to.read_unaligned(), to_rest.read_unaligned());
        let (f, fr) = (from.read_unaligned(), from_rest.read_unaligned());
        to.write_unaligned(f);
        to_rest.write_unaligned(fr);
        from.write_unaligned(t);
        from_rest.write_unaligned(tr);
    }
    match &reply.headers {
        Headers::V4(headers) => put(frame, reply.at, headers),
        Headers::V6(headers) => put(frame, reply.at, headers),
    }
}

#[inline(always)]
fn put<const N: usize>(frame: &Linear, at: usize, words: &[u32; N]) -> bool {
    let at = frame.start + at;
    if at + 4 * N > frame.end {
        return false;
    }
    let mut i = 0;
    while i < N {
        // SAFETY: [at, at + 4 N) was just compared with the end of the packet, which takes unaligned words.
        unsafe { ((at + 4 * i) as *mut u32).write_unaligned(words[i].to_be()) }
        i += 1;
    }
    true
}
