//! The plain packet, read at once: no tag, no IP options or extension headers, no fragment, TCP or UDP.
//!
//! Nearly every packet is plain, in a flood or out of it. Its headers stand at offsets known to the compiler, so that reading
//! them costs a fraction of what the general reader costs. **Contract:** what is read here is what [`crate::parse`] reads, and
//! the packet is no tunnel that [`crate::tunnel::inner`] would open; everything else, faults included, is nothing here.

use crate::ethernet::{self, ethertype};
use crate::packet::proto;
use crate::{Frame, Ip, MAX_OFFSET, Packet, Transport, ipv4, ipv6, tcp, tunnel, udp};

/// Offset of the IP header.
const IP: usize = ethernet::HEADER;
/// Offset of the transport header behind IPv6.
const L4_OF_6: usize = IP + ipv6::HEADER;

/// Whether the frame's type field says IPv4 or IPv6, without a tag; nothing for any other.
#[inline(always)]
pub fn family<F: Frame>(frame: &F) -> Option<bool> {
    match frame.be16(IP - 2)? {
        ethertype::IP4 => Some(false),
        ethertype::IP6 => Some(true),
        _ => None,
    }
}

/// A plain IPv4 packet; the frame's type field was looked at before.
#[inline(always)]
pub fn ip4<F: Frame>(frame: &F) -> Option<Packet> {
    let h = frame.bytes::<{ ipv4::HEADER }>(IP)?;
    let total = u16::from_be_bytes([h[2], h[3]]) as usize;
    let field = u16::from_be_bytes([h[6], h[7]]);
    // A length of zero, the sign of segmentation offload, is below a header's size as well.
    if h[0] != 0x45 || field & 0x3fff != 0 || total < ipv4::HEADER || total > frame.len() - IP {
        return None;
    }
    transport(frame, ipv4::whole(&h, IP, ipv4::HEADER, total))
}

/// A plain IPv6 packet; the frame's type field was looked at before.
#[inline(always)]
pub fn ip6<F: Frame>(frame: &F) -> Option<Packet> {
    let h = frame.bytes::<{ ipv6::HEADER }>(IP)?;
    let length = u16::from_be_bytes([h[4], h[5]]) as usize;
    // Zero: a jumbogram, or segmentation offload.
    if h[0] >> 4 != 6 || length == 0 || length + L4_OF_6 > frame.len() {
        return None;
    }
    transport(frame, ipv6::whole(&h, IP, length + ipv6::HEADER))
}

/// The same packet with nothing known of what differs from one plain packet to the next: one state to the verifier, whatever
/// led here. What all plain packets share stays known, to the compiler as well.
#[inline(always)]
pub fn blurred<F: Frame>(frame: &F, p: Packet) -> Packet {
    let offset = |n: usize| frame.blur64(n as u64) as usize & (2 * MAX_OFFSET + 1);
    let transport = if frame.blur(p.transport as u8) == Transport::Tcp as u8 { Transport::Tcp } else { Transport::Udp };
    Packet {
        ip: Ip {
            proto: frame.blur(p.ip.proto),
            length: frame.blur64(p.ip.length as u64) as u32,
            end: frame.blur64(p.ip.end as u64) as usize,
            ..p.ip
        },
        transport,
        source_port: frame.blur64(p.source_port as u64) as u16,
        destination_port: frame.blur64(p.destination_port as u64) as u16,
        tcp_flags: frame.blur(p.tcp_flags),
        data_offset: frame.blur(p.data_offset),
        payload: offset(p.payload),
        ..p
    }
}

/// The same packet, of which the steps of the decision up to here have told nothing: see [`Frame::forget64`].
#[inline(always)]
pub fn forgotten<F: Frame>(frame: &F, p: &Packet) -> Packet {
    if !F::PLAIN {
        return *p;
    }
    let tcp = frame.forget64(p.transport as u64) as u8 == Transport::Tcp as u8;
    Packet {
        transport: if tcp { Transport::Tcp } else { Transport::Udp },
        tcp_flags: frame.forget64(p.tcp_flags as u64) as u8,
        ..*p
    }
}

/// TCP or UDP behind a header without options.
#[inline(always)]
fn transport<F: Frame>(frame: &F, ip: Ip) -> Option<Packet> {
    let at = ip.payload;
    let room = ip.end - at;
    if ip.proto == proto::TCP {
        if room < tcp::HEADER {
            return None;
        }
        let t = tcp::parse(frame.bytes::<{ tcp::HEADER }>(at)?, room, true).ok()?;
        return Some(Packet::bare(ip).with_tcp(at, &t));
    }
    if ip.proto != proto::UDP || room < udp::HEADER {
        return None;
    }
    let u = udp::parse(frame.bytes::<{ udp::HEADER }>(at)?, room, true).ok()?;
    if tunnel::is_port(u.destination) {
        return None;
    }
    Some(Packet::bare(ip).with_udp(at, &u))
}
