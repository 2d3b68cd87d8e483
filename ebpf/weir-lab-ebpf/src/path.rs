//! Programs of the lab's path: the router's fast lane, the stub that opens a veth's queue, the stand-in filter.

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_DROP, XDP_PASS},
    helpers::bpf_redirect,
    macros::{map, xdp},
    maps::{Array, PerCpuArray},
    programs::XdpContext,
};

use crate::abi::Keep;
use crate::packet::{IPV4, IPV6, read};

/// Where `forward` sends every frame.
#[map]
static FORWARD_TO: Array<u32> = Array::with_max_entries(1, 0);

/// Frames that `forward` sent on.
#[map]
static FORWARDED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

#[map]
static KEEP: Array<Keep> = Array::with_max_entries(1, 0);

/// Frames that `stand_in` passed and dropped.
#[map]
static KEPT: PerCpuArray<u64> = PerCpuArray::with_max_entries(2, 0);

/// Sends every frame out of another interface: a router that is never the bottleneck.
#[xdp]
pub fn forward(_ctx: XdpContext) -> u32 {
    let Some(&ifindex) = FORWARD_TO.get(0) else { return XDP_ABORTED };
    if let Some(count) = FORWARDED.get_ptr_mut(0) {
        // SAFETY: a per-CPU slot, and the program does not run twice at once on a CPU.
        unsafe { *count += 1 };
    }
    // SAFETY: a plain helper call; a wrong interface only makes the kernel free the frame.
    unsafe { bpf_redirect(ifindex, 0) as u32 }
}

/// Does nothing. A veth end takes redirected frames only while some XDP program runs on it.
#[xdp]
pub fn stub(_ctx: XdpContext) -> u32 {
    XDP_PASS
}

/// The world behind the router: what goes to an address that floods forge (11.0.0.0 to 99.255.255.255, 2a00::/12) arrives nowhere, at nobody's
/// expense. In the lab the router would route it on the core that the node needs.
#[xdp]
pub fn world(ctx: XdpContext) -> u32 {
    if forged(&ctx).unwrap_or(false) { XDP_DROP } else { XDP_PASS }
}

#[inline(always)]
fn forged(ctx: &XdpContext) -> Option<bool> {
    match read::<u16>(ctx, 12)? {
        IPV4 => Some((11..100).contains(&u32::from_be(read::<u32>(ctx, 30)?).wrapping_shr(24))),
        IPV6 => Some(u16::from_be(read::<u16>(ctx, 38)?) & 0xfff0 == 0x2a00),
        _ => None,
    }
}

/// Drops everything that does not come from the customers' networks (IP only: ARP passes, and so does what an IPv6 router
/// says from its link-local address).
#[xdp]
pub fn stand_in(ctx: XdpContext) -> u32 {
    let pass = customer(&ctx).unwrap_or(true);
    if let Some(count) = KEPT.get_ptr_mut(if pass { 0 } else { 1 }) {
        // SAFETY: a per-CPU slot, and the program does not run twice at once on a CPU.
        unsafe { *count += 1 };
    }
    if pass { XDP_PASS } else { XDP_DROP }
}

#[inline(always)]
fn customer(ctx: &XdpContext) -> Option<bool> {
    let keep = KEEP.get(0)?;
    match read::<u16>(ctx, 12)? {
        IPV4 => Some(read::<u32>(ctx, 26)? & keep.mask4 == keep.net4),
        IPV6 => {
            let high = read::<u64>(ctx, 22)?;
            Some(high & keep.mask6 == keep.net6 || high == 0xfe80_0000_0000_0000u64.to_be())
        }
        _ => None,
    }
}
