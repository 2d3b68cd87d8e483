//! The peek at DNS messages, byte by byte.

mod common;
mod packets;

use common::packet;
use packets::{dns, frame};
use weir_wire::Bytes;
use weir_wire::dns::{Dns, peek};

/// What the message of a frame says.
fn of(data: &[u8]) -> Option<Dns> {
    let p = packet(data);
    peek(&Bytes::new(data), p.payload, p.ip.end)
}

#[test]
fn a_query() {
    let d = of(&dns::query()).unwrap();
    assert_eq!((d.id, d.response, d.opcode, d.rcode, d.truncated), (0xbeef, false, 0, 0, false));
    assert_eq!((d.questions, d.answers, d.first_type), (1, 0, Some(255)));
}

#[test]
fn a_truncated_answer() {
    let d = of(&dns::answer()).unwrap();
    assert_eq!((d.response, d.rcode, d.truncated), (true, 3, true));
    assert_eq!((d.questions, d.answers, d.first_type), (1, 2, Some(28)));
}

#[test]
fn an_update_has_another_opcode() {
    let d = of(&dns::over_udp(5000, 53, &dns::header(0x2800, 0, 0))).unwrap();
    assert_eq!((d.opcode, d.questions, d.first_type), (5, 0, None));
}

#[test]
fn a_message_shorter_than_its_header_is_none() {
    for n in 0..12 {
        assert_eq!(of(&dns::over_udp(5000, 53, &dns::header(0x0100, 1, 0)[..n])), None, "{n} bytes");
    }
}

#[test]
fn names_that_cannot_be_walked_have_no_type() {
    let query = |name: &[u8]| dns::over_udp(5000, 53, &frame(&[&dns::header(0x0100, 1, 0), name]));
    let kind = |name: &[u8]| of(&query(name)).unwrap().first_type;
    assert_eq!(kind(b"\xc0\x0c\x00\x01\x00\x01"), None); // a pointer to itself
    assert_eq!(kind(b"\x80\x00\x01\x00\x01"), None); // reserved label type
    assert_eq!(kind(&[b"\x40", &[b'a'; 64][..], b"\x00\x00\x01"].concat()), None); // extended label type, given up (RFC 6891)
    assert_eq!(kind(b"\x3fwww"), None); // a label beyond the message
    assert_eq!(kind(b"\x03www"), None); // no end
    assert_eq!(kind(b"\x03www\x00\x00"), None); // half a type
    assert_eq!(kind(&[b"\x01a".repeat(31), b"\x00\x00\x01".to_vec()].concat()), Some(1)); // the longest walk
    assert_eq!(kind(&[b"\x01a".repeat(32), b"\x00\x00\x01".to_vec()].concat()), None); // one label more
}

#[test]
fn padding_behind_the_packet_is_not_read() {
    // The message ends behind the name; the frame goes on with what would be a type.
    let message = frame(&[&dns::header(0x0100, 1, 0), b"\x03www\x00"]);
    let data = frame(&[&dns::over_udp(5000, 53, &message), &[0x00, 0x01, 0x00, 0x01]]);
    assert_eq!(of(&data).unwrap().first_type, None);
}
