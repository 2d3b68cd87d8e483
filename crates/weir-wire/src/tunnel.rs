//! Packets inside packets: VXLAN (RFC 7348), Geneve (RFC 8926), IP in IP (RFC 2003), 6in4 (RFC 4213), IP in IPv6 (RFC 2473).

use crate::ethernet::{self, ethertype};
use crate::packet::Transport;
use crate::{Frame, Malformed, Packet};

/// UDP port of VXLAN.
pub const VXLAN_PORT: u16 = 4789;
/// UDP port of VXLAN in Linux before its assignment; flannel still uses it.
pub const VXLAN_PORT_OLD: u16 = 8472;
/// UDP port of Geneve.
pub const GENEVE_PORT: u16 = 6081;
/// IP protocol of IPv4 in IP.
pub const PROTO_IPIP: u8 = 4;
/// IP protocol of IPv6 in IP.
pub const PROTO_IP6: u8 = 41;

/// Whether datagrams to this port may be tunnels.
#[inline(always)]
pub const fn is_port(port: u16) -> bool {
    matches!(port, VXLAN_PORT | VXLAN_PORT_OLD | GENEVE_PORT)
}

/// What carries the inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// VXLAN.
    Vxlan,
    /// Geneve.
    Geneve,
    /// IPv4 in IPv4 or IPv6.
    Ip4,
    /// IPv6 in IPv4 or IPv6.
    Ip6,
}

/// Where the inner IP packet starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner {
    /// The tunnel.
    pub kind: Kind,
    /// Offset of the inner IP header.
    pub ip: usize,
    /// The inner packet is IPv6.
    pub v6: bool,
    /// Offset behind the outer packet's last byte: the inner one cannot reach further.
    pub end: usize,
}

/// The inner packet of a tunnel: nothing where `packet` is no tunnel, or carries something other than IP.
#[inline(always)]
pub fn inner<F: Frame>(frame: &F, packet: &Packet) -> Result<Option<Inner>, Malformed> {
    if packet.ip.fragment.is_fragment() {
        return Ok(None);
    }
    let end = packet.ip.end;
    if packet.ip.proto == PROTO_IPIP {
        return Ok(Some(Inner { kind: Kind::Ip4, ip: packet.ip.payload, v6: false, end }));
    }
    if packet.ip.proto == PROTO_IP6 {
        return Ok(Some(Inner { kind: Kind::Ip6, ip: packet.ip.payload, v6: true, end }));
    }
    if packet.transport != Transport::Udp {
        return Ok(None);
    }
    let at = packet.payload;
    let (kind, ethernet) = match packet.destination_port {
        VXLAN_PORT | VXLAN_PORT_OLD => {
            // A datagram on this port that lacks VXLAN's flag is something else, not malformed.
            if at + 8 > end {
                return Ok(None);
            }
            match frame.u8(at) {
                Some(flags) if flags & 0x08 != 0 => (Kind::Vxlan, at + 8),
                _ => return Ok(None),
            }
        }
        GENEVE_PORT => {
            if at + 8 > end {
                return Ok(None);
            }
            let Some(h) = frame.bytes::<4>(at) else { return Ok(None) };
            if h[0] >> 6 != 0 {
                return Ok(None);
            }
            let payload = at + 8 + (h[0] as usize & 0x3f) * 4;
            if payload > end {
                return Err(Malformed::TunnelTruncated);
            }
            match u16::from_be_bytes([h[2], h[3]]) {
                ethertype::BRIDGED => (Kind::Geneve, payload),
                // Without an Ethernet header between (RFC 8926, 3.4: the protocol is any EtherType).
                ethertype::IP4 => return Ok(Some(Inner { kind: Kind::Geneve, ip: payload, v6: false, end })),
                ethertype::IP6 => return Ok(Some(Inner { kind: Kind::Geneve, ip: payload, v6: true, end })),
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    if ethernet + ethernet::HEADER > end {
        return Err(Malformed::TunnelTruncated);
    }
    let link = match ethernet::parse(frame, ethernet) {
        Ok(Some(link)) if link.payload <= end => link,
        Ok(None) => return Ok(None),
        _ => return Err(Malformed::TunnelTruncated),
    };
    match link.ethertype {
        ethertype::IP4 => Ok(Some(Inner { kind, ip: link.payload, v6: false, end })),
        ethertype::IP6 => Ok(Some(Inner { kind, ip: link.payload, v6: true, end })),
        _ => Ok(None),
    }
}
