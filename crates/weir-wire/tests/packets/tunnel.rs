//! Packets inside packets.

use super::{ethernet, frame, ip4, ip6, tcp, udp};

/// A VXLAN header.
pub const VXLAN: [u8; 8] = [
    0x08, 0x00, 0x00, 0x00, // flags: the network identifier counts
    0x00, 0x00, 0x2a, // network identifier 42
    0x00, // reserved
];

/// A Geneve header with `words` words of options.
pub const fn geneve(words: u8, protocol: u16) -> [u8; 8] {
    let [high, low] = protocol.to_be_bytes();
    [
        words, // version 0, length of the options in words
        0x00,  // flags
        high, low, // protocol
        0x00, 0x00, 0x2a, // network identifier 42
        0x00, // reserved
    ]
}

/// `inside` in a UDP datagram to `port` over IPv4.
pub fn in_udp(port: u16, inside: &[u8]) -> Vec<u8> {
    let length = 8 + inside.len() as u16;
    frame(&[&ethernet::IP4, &ip4::header(17, 20 + length), &udp::header(50_000, port, length), inside])
}

/// `inside` directly in IPv4.
pub fn in_ip4(proto: u8, inside: &[u8]) -> Vec<u8> {
    frame(&[&ethernet::IP4, &ip4::header(proto, 20 + inside.len() as u16), inside])
}

/// `inside` directly in IPv6.
pub fn in_ip6(proto: u8, inside: &[u8]) -> Vec<u8> {
    frame(&[&ethernet::IP6, &ip6::header(proto, inside.len() as u16), inside])
}

/// A SYN in VXLAN.
pub fn vxlan() -> Vec<u8> {
    in_udp(4789, &frame(&[&VXLAN, &tcp::syn_linux()]))
}

/// A request over IPv6 in VXLAN on flannel's port, with a VLAN tag inside.
pub fn vxlan_tagged() -> Vec<u8> {
    let inner = frame(&[&ethernet::ADDRESSES, &ethernet::TAG_100, &ethernet::TYPE_IP6, &tcp::request()[14..]]);
    in_udp(8472, &frame(&[&VXLAN, &inner]))
}

/// A SYN in Geneve behind two words of options.
pub fn geneve_ethernet() -> Vec<u8> {
    in_udp(6081, &frame(&[&geneve(2, 0x6558), &[0; 8], &tcp::syn_linux()]))
}

/// A SYN in Geneve without an Ethernet header between.
pub fn geneve_ip4() -> Vec<u8> {
    in_udp(6081, &frame(&[&geneve(0, 0x0800), &tcp::syn_linux()[14..]]))
}

/// A SYN in IPv4 in IPv4.
pub fn ipip() -> Vec<u8> {
    in_ip4(4, &tcp::syn_linux()[14..])
}

/// A request over IPv6 in IPv4.
pub fn six_in_four() -> Vec<u8> {
    in_ip4(41, &tcp::request()[14..])
}

/// A SYN over IPv4 in IPv6.
pub fn four_in_six() -> Vec<u8> {
    in_ip6(4, &tcp::syn_linux()[14..])
}

/// A SYN in IPv4 in IPv4 in IPv4.
pub fn three_deep() -> Vec<u8> {
    in_ip4(4, &ipip()[14..])
}

/// All well-formed ones.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("vxlan", vxlan()),
        ("vxlan-tagged", vxlan_tagged()),
        ("geneve", geneve_ethernet()),
        ("geneve-ip4", geneve_ip4()),
        ("ipip", ipip()),
        ("six-in-four", six_in_four()),
        ("four-in-six", four_in_six()),
        ("three-deep", three_deep()),
    ]
}
