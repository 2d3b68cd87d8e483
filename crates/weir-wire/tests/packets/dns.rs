//! DNS messages over UDP.

use super::{ethernet, frame, ip4, udp};

/// The question "www.example.com, type, class IN".
pub fn question(kind: u16) -> Vec<u8> {
    let [high, low] = kind.to_be_bytes();
    frame(&[
        b"\x03www\x07example\x03com\x00", // labels, each behind its length; the root's is empty
        &[
            high, low, // type
            0x00, 0x01, // class: Internet
        ],
    ])
}

/// A header.
pub const fn header(flags: u16, questions: u16, answers: u16) -> [u8; 12] {
    let ([a, b], [c, d], [e, f]) = (flags.to_be_bytes(), questions.to_be_bytes(), answers.to_be_bytes());
    [
        0xbe, 0xef, // identification
        a, b, // flags and codes
        c, d, // questions
        e, f, // answers
        0x00, 0x00, // authority records
        0x00, 0x01, // additional records: EDNS
    ]
}

/// A message in a datagram from port `source` to port `destination`.
pub fn over_udp(source: u16, destination: u16, message: &[u8]) -> Vec<u8> {
    let length = 8 + message.len() as u16;
    frame(&[&ethernet::IP4, &ip4::header(17, 20 + length), &udp::header(source, destination, length), message])
}

/// A recursive query for ANY: what amplification asks.
pub fn query() -> Vec<u8> {
    over_udp(5000, 53, &frame(&[&header(0x0100, 1, 0), &question(255)]))
}

/// A truncated answer with NXDOMAIN.
pub fn answer() -> Vec<u8> {
    over_udp(53, 5000, &frame(&[&header(0x8783, 1, 2), &question(28)]))
}

/// All of them.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![("dns-query", query()), ("dns-answer", answer())]
}
