//! The facts as weir-wire reads them.

use super::facts::{Facts, Transport};
use std::net::{IpAddr, Ipv6Addr};
use weir_wire::{Bytes, Packet, Parsed, Transport as Read, ethernet};

/// What weir-wire makes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ours {
    /// An IP packet.
    Ip(Facts),
    /// Anything else, by its own name.
    Not(Parsed),
}

/// Reads a frame.
pub fn read(frame: &Bytes) -> Ours {
    match weir_wire::parse(frame) {
        Parsed::Packet(p) => Ours::Ip(facts(frame, &p)),
        other => Ours::Not(other),
    }
}

fn facts(frame: &Bytes, p: &Packet) -> Facts {
    let link = ethernet::parse(frame, 0).expect("the packet was read").expect("the packet was read");
    let ports = (p.source_port, p.destination_port);
    Facts {
        tags: link.tags as usize,
        src: address(p.ip.v6, p.ip.src),
        dst: address(p.ip.v6, p.ip.dst),
        proto: p.ip.proto,
        fragment: p.ip.fragment.is_fragment().then_some((p.ip.fragment.offset, p.ip.fragment.more)),
        transport: match p.transport {
            Read::Tcp => Some(Transport::Tcp(ports.0, ports.1, p.tcp_flags)),
            Read::Udp => Some(Transport::Udp(ports.0, ports.1)),
            Read::Icmp => Some(Transport::Icmp((ports.0 >> 8) as u8, ports.0 as u8)),
            Read::Sctp => Some(Transport::Sctp(ports.0, ports.1)),
            Read::None | Read::Tiny => None,
        },
    }
}

fn address(v6: bool, words: (u64, u64)) -> IpAddr {
    let whole = Ipv6Addr::from((words.0 as u128) << 64 | words.1 as u128);
    // An IPv6 packet may carry a mapped address: it is still IPv6.
    if v6 { IpAddr::V6(whole) } else { IpAddr::V4(whole.to_ipv4_mapped().expect("IPv4 is kept mapped")) }
}
