//! A frame in the kernel: packet pointers, each read compared with the end of the data so that the verifier believes it.

use core::ptr::read_volatile;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::bpf_xdp_get_buff_len;
use aya_ebpf::programs::{TcContext, XdpContext};
use weir_wire::Frame;
use weir_wire::frame::MAX_OFFSET;

/// Headers are looked for in this many bytes; a socket buffer whose linear part is shorter is pulled up to them.
const HEADERS: usize = 256;

/// Where a frame's packet pointers are found.
#[derive(Clone, Copy)]
enum Context {
    Xdp(*const xdp_md),
    Skb(*const __sk_buff),
}

/// The linear part of a frame.
#[derive(Clone)]
pub struct Linear {
    context: Context,
    start: usize,
    end: usize,
    length: usize,
    /// A word whose value the verifier cannot know.
    noise: u64,
}

impl Linear {
    /// An XDP frame. Jumbo frames continue in fragments, which hold no headers but count for the length.
    #[inline(always)]
    pub fn of_xdp(ctx: &XdpContext, noise: u64) -> Self {
        let (start, end) = (ctx.data(), ctx.data_end());
        let mut length = end - start;
        if length >= MULTI_BUFFER_FROM {
            // SAFETY: the helper reads the context that the kernel gave us.
            length = unsafe { bpf_xdp_get_buff_len(ctx.ctx) } as usize;
        }
        Self { context: Context::Xdp(ctx.ctx), start, end, length, noise }
    }

    /// A socket buffer.
    #[inline(always)]
    pub fn of_skb(ctx: &TcContext, noise: u64) -> Self {
        let length = ctx.len() as usize;
        let wanted = if length < HEADERS { length } else { HEADERS };
        if ctx.data_end() - ctx.data() < wanted {
            // Headers may lie in pages. Where pulling fails, the packet passes as unreadable.
            let _ = ctx.pull_data(wanted as u32);
        }
        Self { context: Context::Skb(ctx.skb.skb), start: ctx.data(), end: ctx.data_end(), length, noise }
    }
}

/// Only a frame whose first buffer is this full can have more of them: drivers split at a page less head- and tailroom.
const MULTI_BUFFER_FROM: usize = 1536;

impl Frame for Linear {
    #[inline(always)]
    fn bytes<const N: usize>(&self, off: usize) -> Option<[u8; N]> {
        if off > MAX_OFFSET {
            return None;
        }
        let at = self.start + off;
        let mut behind = at;
        if N == 1 {
            // The compiler would turn `at + 1 > end` into `at >= end`, from which the verifier learns nothing.
            // SAFETY: an addition in a register.
            unsafe { core::arch::asm!("{behind} += 1", behind = inout(reg) behind, options(pure, nomem, nostack)) }
        } else {
            behind += N;
        }
        if behind > self.end {
            return None;
        }
        // SAFETY: [at, at + N) was just compared with the end of the packet; the type has alignment 1.
        Some(unsafe { core::ptr::read_unaligned(at as *const [u8; N]) })
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn blur64(&self, n: u64) -> u64 {
        let mut n = n;
        // SAFETY: two instructions on registers that cancel each other.
        unsafe {
            core::arch::asm!("{n} ^= {u}", "{n} ^= {u}", n = inout(reg) n, u = in(reg) self.noise, options(pure, nomem, nostack));
        }
        n
    }

    #[inline(always)]
    fn refreshed(&self) -> Self {
        // SAFETY: the context outlives this program run, and both fields are words of it that the kernel lets us read.
        // Volatile, because the compiler would otherwise keep the old pointers, and with them what is known of them.
        let (start, end) = unsafe {
            match self.context {
                Context::Xdp(c) => (read_volatile(&raw const (*c).data), read_volatile(&raw const (*c).data_end)),
                Context::Skb(c) => (read_volatile(&raw const (*c).data), read_volatile(&raw const (*c).data_end)),
            }
        };
        Self { start: start as usize, end: end as usize, ..*self }
    }
}
