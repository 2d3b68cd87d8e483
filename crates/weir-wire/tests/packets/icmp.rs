//! ICMP messages.

use super::{ethernet, frame, ip4, tcp, udp};

/// Echo request.
pub const ECHO: [u8; 8] = [
    8, 0, // type: echo request, code
    0x00, 0x00, // checksum: not judged
    0x00, 0x07, // identifier
    0x00, 0x01, // sequence number
];

/// Destination unreachable: port.
pub const PORT_UNREACHABLE: [u8; 8] = [
    3, 3, // type: destination unreachable, code: port
    0x00, 0x00, // checksum
    0x00, 0x00, 0x00, 0x00, // unused
];

/// Time exceeded in transit.
pub const TIME_EXCEEDED: [u8; 8] = [
    11, 0, // type: time exceeded, code: in transit
    0x00, 0x00, // checksum
    0x00, 0x00, 0x00, 0x00, // unused
];

/// A message over IPv4.
pub fn message(header: &[u8], rest: &[u8]) -> Vec<u8> {
    let total = 20 + header.len() + rest.len();
    frame(&[&ethernet::IP4, &ip4::header(1, total as u16), header, rest])
}

/// An echo request with eight bytes of data.
pub fn echo() -> Vec<u8> {
    message(&ECHO, b"weirweir")
}

/// Port unreachable that quotes a whole UDP datagram.
pub fn port_unreachable() -> Vec<u8> {
    message(&PORT_UNREACHABLE, &frame(&[&ip4::header(17, 20 + 8 + 4), &udp::header(5000, 53, 12), b"weir"]))
}

/// Time exceeded that quotes a TCP segment of 1500 bytes as RFC 792 wants it: the IP header and eight bytes.
pub fn time_exceeded() -> Vec<u8> {
    message(&TIME_EXCEEDED, &frame(&[&ip4::header(6, 1500), &tcp::header(0x10, 0)[..8]]))
}

/// All well-formed ones.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![("icmp-echo", echo()), ("icmp-port-unreachable", port_unreachable()), ("icmp-time-exceeded", time_exceeded())]
}
