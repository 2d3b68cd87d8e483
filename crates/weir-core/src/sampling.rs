//! Which packets are sampled, and for how many each stands.
//!
//! One in so many, by the count of its kind: the first of every kind is sampled, so that rare reasons are not drowned by a flood. Of what
//! passes, SYNs are sampled more densely than the rest, which is most of what comes: who opens connections is seen in SYNs alone.

use weir_abi::Config;
use weir_wire::ethernet::{self, ethertype};
use weir_wire::packet::proto;
use weir_wire::tcp::flag;
use weir_wire::{Frame, ipv4, ipv6};

/// SYNs that pass are sampled four times as densely as what else does, as a shift of the mask.
const SYNS_DENSER: u32 = 2;

/// How many packets a frame is to be sampled for, which is the `count`th of its kind; 0: it is not.
#[inline(always)]
pub fn weight<F: Frame + Clone>(frame: &F, config: &Config, drops: bool, count: u64) -> u32 {
    let mask = if drops { config.sample_drop_mask } else { config.sample_pass_mask };
    if mask == u32::MAX {
        return 0;
    }
    let before = count.wrapping_sub(1);
    let denser = mask >> SYNS_DENSER;
    // The frame is looked at only where that may make a difference.
    if !drops && before & denser as u64 == 0 && is_plain_syn(&frame.refreshed()) == Some(true) {
        return denser + 1;
    }
    if before & mask as u64 == 0 { mask + 1 } else { 0 }
}

/// Whether a frame is a TCP SYN, behind neither tags nor options. Bytes at their places are enough here.
#[inline(always)]
fn is_plain_syn<F: Frame>(frame: &F) -> Option<bool> {
    const IP: usize = ethernet::HEADER;
    const FLAGS: usize = 13;
    let (protocol, flags) = match frame.be16(IP - 2)? {
        ethertype::IP4 if frame.u8(IP)? == 0x45 => (frame.u8(IP + 9)?, frame.u8(IP + ipv4::HEADER + FLAGS)?),
        ethertype::IP6 => (frame.u8(IP + 6)?, frame.u8(IP + ipv6::HEADER + FLAGS)?),
        _ => return Some(false),
    };
    Some(protocol == proto::TCP && flags & (flag::SYN | flag::ACK) == flag::SYN)
}
