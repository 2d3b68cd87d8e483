//! Fragments of both families.

use super::{ethernet, frame, ip4, ip6, udp};

/// An IPv4 fragment of a UDP datagram: `offset` in bytes, `more` follow, `data` behind the header.
pub fn ip4(offset: u16, more: bool, data: &[u8]) -> Vec<u8> {
    let mut ip = ip4::header(17, 20 + data.len() as u16);
    let field = (offset / 8) | if more { 0x2000 } else { 0 };
    ip[6..8].copy_from_slice(&field.to_be_bytes());
    frame(&[&ethernet::IP4, &ip, data])
}

/// An IPv6 fragment of a UDP datagram.
pub fn ip6(offset: u16, more: bool, data: &[u8]) -> Vec<u8> {
    frame(&[&ethernet::IP6, &ip6::header(44, 8 + data.len() as u16), &ip6_header(17, offset, more), data])
}

/// An IPv6 fragment header.
pub fn ip6_header(next: u8, offset: u16, more: bool) -> [u8; 8] {
    let [high, low] = (offset & 0xfff8 | more as u16).to_be_bytes();
    [
        next, // next header
        0,    // reserved
        high, low, // offset in eight-byte units, two reserved bits, more
        0xde, 0xad, 0xbe, 0xef, // identification
    ]
}

/// The head of a datagram of 40 bytes: its UDP header and eight bytes of payload.
pub fn head() -> Vec<u8> {
    frame(&[&udp::header(5000, 53, 40), b"weirweir"])
}

/// All well-formed ones.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ip4-first", ip4(0, true, &head())),
        ("ip4-middle", ip4(16, true, &[0xaa; 16])),
        ("ip4-last", ip4(32, false, &[0xbb; 7])),
        ("ip6-first", ip6(0, true, &head())),
        ("ip6-middle", ip6(16, true, &[0xaa; 16])),
        ("ip6-last", ip6(32, false, &[0xbb; 7])),
    ]
}
