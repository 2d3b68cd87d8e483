//! The interface that a frame came in by.

use aya_ebpf::programs::{TcContext, XdpContext};

/// That of an XDP frame.
#[inline(always)]
pub fn of_xdp(ctx: &XdpContext) -> u32 {
    // SAFETY: the context is the kernel's, valid for the length of this program run.
    unsafe { (*ctx.ctx).ingress_ifindex }
}

/// That of a socket buffer.
#[inline(always)]
pub fn of_skb(ctx: &TcContext) -> u32 {
    // SAFETY: as in `of_xdp`.
    unsafe { (*ctx.skb.skb).ifindex }
}
