//! ICMPv6 messages, neighbour discovery among them.

use super::{ethernet, frame, ip6, udp};

/// A message over IPv6 with the given hop limit.
pub fn message(hop_limit: u8, body: &[u8]) -> Vec<u8> {
    let mut ip = ip6::header(58, body.len() as u16);
    ip[7] = hop_limit;
    frame(&[&ethernet::IP6, &ip, body])
}

/// Neighbour solicitation: who has 2001:db8:1::2?
pub fn solicitation(hop_limit: u8) -> Vec<u8> {
    message(
        hop_limit,
        &frame(&[
            &[
                135, 0, // type: neighbour solicitation, code
                0x00, 0x00, // checksum: not judged
                0x00, 0x00, 0x00, 0x00, // reserved
            ],
            &ip6::DESTINATION, // target
            &[
                1, 1, // option: source link-layer address, one unit
                0x02, 0, 0, 0, 0, 0x01, // the address
            ],
        ]),
    )
}

/// Router advertisement, without options.
pub fn router_advertisement() -> Vec<u8> {
    message(
        255,
        &[
            134, 0, // type: router advertisement, code
            0x00, 0x00, // checksum
            64, 0x00, // hop limit for hosts, flags
            0x07, 0x08, // router lifetime: 1800 s
            0, 0, 0, 0, // reachable time
            0, 0, 0, 0, // retransmission timer
        ],
    )
}

/// Echo request.
pub fn echo() -> Vec<u8> {
    message(
        64,
        &[
            128, 0, // type: echo request, code
            0x00, 0x00, // checksum
            0x00, 0x07, // identifier
            0x00, 0x01, // sequence number
        ],
    )
}

/// Packet too big, quoting a UDP datagram behind a destination options header.
pub fn too_big() -> Vec<u8> {
    message(
        64,
        &frame(&[
            &[
                2, 0, // type: packet too big, code
                0x00, 0x00, // checksum
                0x00, 0x00, 0x05, 0x00, // MTU 1280
            ],
            &ip6::header(60, 1400), // the original: 1400 bytes behind its header
            &ip6::extension(17),    // its destination options
            &udp::header(5000, 53, 1392),
        ]),
    )
}

/// All well-formed ones.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("icmp6-solicitation", solicitation(255)),
        ("icmp6-router-advertisement", router_advertisement()),
        ("icmp6-echo", echo()),
        ("icmp6-too-big", too_big()),
    ]
}
