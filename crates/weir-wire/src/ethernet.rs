//! Ethernet II, 802.1Q and 802.1ad tags (two at most), 802.3 length fields.

use crate::{Frame, Malformed};

/// EtherTypes that matter here (IEEE registry).
pub mod ethertype {
    /// IPv4.
    pub const IP4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// Reverse ARP.
    pub const RARP: u16 = 0x8035;
    /// IPv6.
    pub const IP6: u16 = 0x86dd;
    /// 802.1Q.
    pub const VLAN: u16 = 0x8100;
    /// 802.1ad (QinQ).
    pub const QINQ: u16 = 0x88a8;
    /// Pre-standard QinQ.
    pub const QINQ_OLD: u16 = 0x9100;
    /// Transparent Ethernet bridging, inside GRE and Geneve.
    pub const BRIDGED: u16 = 0x6558;
    /// Values below are 802.3 lengths.
    pub const FIRST: u16 = 0x0600;
}

/// Bytes of the header without tags.
pub const HEADER: usize = 14;
/// Bytes of one VLAN tag.
pub const TAG: usize = 4;

/// What the link layer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The EtherType behind the tags.
    pub ethertype: u16,
    /// Offset of the network layer.
    pub payload: usize,
    /// VLAN tags seen, 0 to 2.
    pub tags: u8,
    /// A third tag follows: not followed further.
    pub too_deep: bool,
}

/// Whether the EtherType announces a VLAN tag.
#[inline(always)]
pub const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD)
}

/// What reading the link layer gives: the header, a named fault, or bytes that cannot be read.
pub type Read = Result<Option<Link>, Malformed>;

/// Reads the Ethernet header that starts at `off`.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, off: usize) -> Read {
    let mut payload = off + HEADER;
    let Some(mut ethertype) = frame.be16(payload - 2) else {
        return missing(frame, payload, Malformed::EthernetTruncated);
    };
    let mut tags = 0;
    if is_tag(ethertype) {
        payload += TAG;
        let Some(inner) = frame.be16(payload - 2) else { return missing(frame, payload, Malformed::VlanTruncated) };
        ethertype = inner;
        tags = 1;
        if is_tag(ethertype) {
            payload += TAG;
            let Some(inner) = frame.be16(payload - 2) else { return missing(frame, payload, Malformed::VlanTruncated) };
            ethertype = inner;
            tags = 2;
        }
    }
    Ok(Some(Link { ethertype, payload, tags, too_deep: is_tag(ethertype) }))
}

/// Why a header that should end at `end` could not be read: the frame lacks it, or it lies outside the readable part.
#[inline(always)]
fn missing<F: Frame>(frame: &F, end: usize, fault: Malformed) -> Read {
    if end > frame.len() { Err(fault) } else { Ok(None) }
}
