//! UDP and UDP-Lite datagrams.

use super::{ethernet, frame, ip4};

/// A header; `length` is what it says, right or wrong.
pub const fn header(source: u16, destination: u16, length: u16) -> [u8; 8] {
    let ([a, b], [c, d], [e, f]) = (source.to_be_bytes(), destination.to_be_bytes(), length.to_be_bytes());
    [
        a, b, // source port
        c, d, // destination port
        e, f, // length, header included
        0x00, 0x00, // checksum: none
    ]
}

/// A datagram of protocol `proto` over IPv4 that says `length` and carries `payload`.
pub fn over_ip4(proto: u8, length: u16, payload: &[u8]) -> Vec<u8> {
    let total = 20 + 8 + payload.len() as u16;
    frame(&[&ethernet::IP4, &ip4::header(proto, total), &header(5000, 4000, length), payload])
}

/// All well-formed ones.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("udp", over_ip4(17, 12, b"weir")),
        ("udp-empty", over_ip4(17, 8, b"")),
        ("udp-length-zero", over_ip4(17, 0, b"weir")),
        ("udp-short-of-packet", over_ip4(17, 10, b"weir")),
        ("udplite", over_ip4(136, 8, b"weir")),
    ]
}
