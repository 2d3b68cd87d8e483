//! IPv6 headers and extension headers.

use super::{ethernet, frame, udp};

/// 2001:db8::1
pub const SOURCE: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01];
/// 2001:db8:1::2
pub const DESTINATION: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02];

/// A fixed header: 2001:db8::1 to 2001:db8:1::2, with the given next header and payload length.
pub fn header(next: u8, payload: u16) -> Vec<u8> {
    let [high, low] = payload.to_be_bytes();
    frame(&[
        &[
            0x6b, 0x80, 0x12, 0x34, // version 6, traffic class 0xb8, flow label 0x01234
            high, low,  // payload length
            next, // next header
            64,   // hop limit
        ],
        &SOURCE,
        &DESTINATION,
    ])
}

/// An extension header of eight bytes with a length field: hop-by-hop, routing, destination options, mobility, HIP, shim6.
pub const fn extension(next: u8) -> [u8; 8] {
    [
        next, // next header
        0,    // length: eight bytes
        0x01, 0x04, 0, 0, 0, 0, // padding option of four bytes
    ]
}

/// The same of sixteen bytes.
pub const fn long_extension(next: u8) -> [u8; 16] {
    [
        next, // next header
        1,    // length: one unit of eight bytes beside the first
        0x01, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // padding option of twelve bytes
    ]
}

/// An authentication header: its length counts words of four, less two.
pub const fn authentication(next: u8) -> [u8; 16] {
    [
        next, // next header
        2,    // length: 2 + 2 words, sixteen bytes
        0, 0, // reserved
        0, 0, 0x12, 0x34, // security parameters index
        0, 0, 0, 0x01, // sequence number
        0xaa, 0xbb, 0xcc, 0xdd, // integrity check value
    ]
}

/// A fragment header of an unfragmented datagram (RFC 6946).
pub const fn atomic(next: u8) -> [u8; 8] {
    [
        next, // next header
        0,    // reserved
        0, 0, // offset 0, no more
        0xde, 0xad, 0xbe, 0xef, // identification
    ]
}

/// A UDP datagram of 12 bytes behind `extensions`; `first` is the number of the first of them.
pub fn udp_behind(first: u8, extensions: &[u8]) -> Vec<u8> {
    frame(&[
        &ethernet::IP6,
        &header(first, extensions.len() as u16 + 12),
        extensions,
        &udp::header(5000, 53, 12),
        b"weir",
    ])
}

/// Without extension headers.
pub fn plain() -> Vec<u8> {
    udp_behind(17, &[])
}

/// Six extension headers of different kinds and lengths: the most that is followed.
pub fn six_extensions() -> Vec<u8> {
    udp_behind(
        0, // hop-by-hop
        &frame(&[
            &extension(60),      // hop-by-hop, then destination options
            &long_extension(43), // destination options, then routing
            &extension(44),      // routing, then fragment
            &atomic(51),         // fragment, then authentication
            &authentication(60), // authentication, then destination options
            &extension(17),      // destination options, then UDP
        ]),
    )
}

/// One more than is followed.
pub fn seven_extensions() -> Vec<u8> {
    udp_behind(
        0,
        &frame(&[
            &extension(60),
            &extension(60),
            &extension(60),
            &extension(60),
            &extension(60),
            &extension(60),
            &extension(17),
        ]),
    )
}

/// Nothing behind the header: next header 59.
pub fn no_next() -> Vec<u8> {
    frame(&[&ethernet::IP6, &header(59, 0)])
}

/// All well-formed ones.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ip6-plain", plain()),
        ("ip6-hop-by-hop", udp_behind(0, &extension(17))),
        ("ip6-routing", udp_behind(43, &extension(17))),
        ("ip6-destination", udp_behind(60, &long_extension(17))),
        ("ip6-authentication", udp_behind(51, &authentication(17))),
        ("ip6-atomic", udp_behind(44, &atomic(17))),
        ("ip6-mobility", udp_behind(135, &extension(59))),
        ("ip6-hip", udp_behind(139, &extension(17))),
        ("ip6-shim6", udp_behind(140, &extension(17))),
        ("ip6-six-extensions", six_extensions()),
        ("ip6-seven-extensions", seven_extensions()),
        ("ip6-no-next", no_next()),
    ]
}
