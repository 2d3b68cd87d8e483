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
pub enum Context {
    Xdp(*const xdp_md),
    Skb(*const __sk_buff),
}

impl Context {
    /// Start and end of the linear part, as they are now.
    #[inline(always)]
    fn data(self) -> (usize, usize) {
        // SAFETY: the context outlives this program run, and both fields are words of it that the kernel lets us read.
        // Volatile, because the compiler would otherwise keep the old pointers, and with them what is known of them.
        let (start, end) = unsafe {
            match self {
                Context::Xdp(c) => (read_volatile(&raw const (*c).data), read_volatile(&raw const (*c).data_end)),
                Context::Skb(c) => (read_volatile(&raw const (*c).data), read_volatile(&raw const (*c).data_end)),
            }
        };
        (start as usize, end as usize)
    }
}

/// The linear part of a frame.
#[derive(Clone)]
pub struct Linear {
    context: Context,
    pub start: usize,
    pub end: usize,
    pub length: usize,
    /// [`weir_abi::Config::zero`].
    zero: u64,
}

impl Linear {
    /// An XDP frame. Jumbo frames continue in fragments, which hold no headers but count for the length.
    #[inline(always)]
    pub fn of_xdp(ctx: &XdpContext, zero: u64) -> Self {
        let (start, end) = (ctx.data(), ctx.data_end());
        let mut length = end - start;
        if length >= MULTI_BUFFER_FROM {
            // SAFETY: the helper reads the context that the kernel gave us.
            length = unsafe { bpf_xdp_get_buff_len(ctx.ctx) } as usize;
        }
        Self { context: Context::Xdp(ctx.ctx), start, end, length: blur(length as u64, zero) as usize, zero }
    }

    /// A socket buffer.
    #[inline(always)]
    pub fn of_skb(ctx: &TcContext, zero: u64) -> Self {
        let length = ctx.len() as usize;
        let wanted = if length < HEADERS { length } else { HEADERS };
        if ctx.data_end() - ctx.data() < wanted {
            // Headers may lie in pages. Where pulling fails, the packet passes as unreadable.
            let _ = ctx.pull_data(wanted as u32);
        }
        // Read again: pulled or not is one state to the verifier.
        Self::of(Context::Skb(ctx.skb.skb), blur(length as u64, zero) as usize, zero)
    }

    /// The same frame in another function of the program.
    #[inline(always)]
    pub fn of(context: Context, length: usize, zero: u64) -> Self {
        let (start, end) = context.data();
        Self { context, start, end, length, zero }
    }
}

/// The linear part of a frame whose packet is expected to be plain ([`weir_wire::plain`]).
#[derive(Clone)]
pub struct Plain {
    pub start: usize,
    pub end: usize,
    pub length: usize,
    pub zero: u64,
}

/// Only a frame whose first buffer is this full can have more of them: drivers split at a page less head- and tailroom.
const MULTI_BUFFER_FROM: usize = 1536;

impl Frame for Linear {
    #[inline(always)]
    fn bytes<const N: usize>(&self, off: usize) -> Option<[u8; N]> {
        read(self.start, self.end, off)
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn blur64(&self, n: u64) -> u64 {
        blur(n, self.zero)
    }

    #[inline(always)]
    fn refreshed(&self) -> Self {
        Self::of(self.context, self.length, self.zero)
    }
}

impl Frame for Plain {
    const PLAIN: bool = true;

    #[inline(always)]
    fn bytes<const N: usize>(&self, off: usize) -> Option<[u8; N]> {
        read(self.start, self.end, off)
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn blur64(&self, n: u64) -> u64 {
        blur(n, self.zero)
    }

    #[inline(always)]
    fn forget64(&self, n: u64) -> u64 {
        let mut n = n;
        // SAFETY: as in `blur`. Not pure: the compiler must not take the result of an earlier one.
        unsafe { core::arch::asm!("{n} ^= {u}", n = inout(reg) n, u = in(reg) self.zero, options(nomem, nostack)) }
        n
    }
}

/// `N` bytes at an offset, where they lie before the end.
#[inline(always)]
fn read<const N: usize>(start: usize, end: usize, off: usize) -> Option<[u8; N]> {
    if off > MAX_OFFSET {
        return None;
    }
    let at = start + off;
    let mut behind = at;
    if N == 1 {
        // The compiler would turn `at + 1 > end` into `at >= end`, from which the verifier learns nothing.
        // SAFETY: an addition in a register.
        unsafe { core::arch::asm!("{behind} += 1", behind = inout(reg) behind, options(pure, nomem, nostack)) }
    } else {
        behind += N;
    }
    if behind > end {
        return None;
    }
    // SAFETY: [at, at + N) was just compared with the end of the packet; the type has alignment 1.
    Some(unsafe { core::ptr::read_unaligned(at as *const [u8; N]) })
}

/// The same number, of which the verifier knows nothing.
#[inline(always)]
fn blur(n: u64, zero: u64) -> u64 {
    let mut n = n;
    // SAFETY: one instruction on registers.
    unsafe { core::arch::asm!("{n} ^= {u}", n = inout(reg) n, u = in(reg) zero, options(pure, nomem, nostack)) }
    n
}
