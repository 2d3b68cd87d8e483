//! Frames as they stand on the wire, from the peer to the node.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;

use super::world::{NODE, PEER_MAC, UPLINK_MAC};

/// Where the tests' service listens (UDP).
pub const SERVICE: u16 = 7000;

/// A UDP packet to the service.
pub fn udp(from: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    udp_to(from, 40_000, SERVICE, payload)
}

/// A UDP packet to any port, from any port.
pub fn udp_to(from: Ipv4Addr, source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let builder =
        PacketBuilder::ethernet2(PEER_MAC, UPLINK_MAC).ipv4(from.octets(), NODE.octets(), 64).udp(source, destination);
    let mut frame = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut frame, payload).expect("a short packet");
    frame
}

/// The same inside a VLAN.
pub fn udp_in_vlan(from: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let mut frame = udp(from, payload);
    frame.splice(12..12, [0x81, 0x00, 0x00, 0x07]);
    frame
}

/// A TCP segment with these flags (low byte of the flags word).
pub fn tcp(from: Ipv4Addr, destination: u16, flags: u8) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(PEER_MAC, UPLINK_MAC).ipv4(from.octets(), NODE.octets(), 64).tcp(
        40_000,
        destination,
        1,
        1024,
    );
    let mut frame = Vec::with_capacity(builder.size(0));
    builder.write(&mut frame, &[]).expect("a short packet");
    // The checksum is no longer right, which is nothing to the packet path.
    frame[14 + 20 + 13] = flags;
    frame
}

/// A UDP packet over IPv6 to a node that has no such address.
pub fn udp6(from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    let builder =
        PacketBuilder::ethernet2(PEER_MAC, UPLINK_MAC).ipv6(from.octets(), to.octets(), 64).udp(40_000, SERVICE);
    let mut frame = Vec::with_capacity(builder.size(4));
    builder.write(&mut frame, b"six!").expect("a short packet");
    frame
}

/// An echo request.
pub fn ping(from: Ipv4Addr) -> Vec<u8> {
    let builder =
        PacketBuilder::ethernet2(PEER_MAC, UPLINK_MAC).ipv4(from.octets(), NODE.octets(), 64).icmpv4_echo_request(1, 1);
    let mut frame = Vec::with_capacity(builder.size(8));
    builder.write(&mut frame, b"payload.").expect("a short packet");
    frame
}

/// A fragment of a UDP datagram to the service: `offset` in bytes, a multiple of eight.
pub fn fragment(from: Ipv4Addr, id: u16, offset: u16, more: bool) -> Vec<u8> {
    let mut frame = udp(from, &[0x55; 24]);
    let flags = (offset >> 3) | if more { 0x2000 } else { 0 };
    frame[14 + 4..14 + 6].copy_from_slice(&id.to_be_bytes());
    frame[14 + 6..14 + 8].copy_from_slice(&flags.to_be_bytes());
    frame
}

/// An IPv4 packet whose header says that it is shorter than a header.
pub fn malformed(from: Ipv4Addr) -> Vec<u8> {
    let mut frame = udp(from, b"");
    frame[14] = 0x44;
    frame
}

/// A frame of some other protocol.
pub fn other(ethertype: u16) -> Vec<u8> {
    [&UPLINK_MAC[..], &PEER_MAC, &ethertype.to_be_bytes(), &[0; 46]].concat()
}
