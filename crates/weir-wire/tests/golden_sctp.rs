//! SCTP, byte by byte.

mod common;
mod packets;

use common::{fault, packet};
use packets::{ethernet, frame, ip4, sctp};
use weir_wire::{Malformed, Transport};

#[test]
fn the_ports_are_read() {
    let p = packet(&sctp::init());
    assert_eq!((p.transport, p.source_port, p.destination_port), (Transport::Sctp, 2905, 2906));
    assert_eq!((p.l4, p.payload, p.payload_len()), (34, 46, 20));
}

#[test]
fn a_packet_shorter_than_the_header_is_named() {
    for n in 0..12 {
        let data = frame(&[&ethernet::IP4, &ip4::header(132, 20 + n), &sctp::init()[34..34 + n as usize]]);
        assert_eq!(fault(&data), Malformed::SctpTruncated, "{n} bytes");
    }
}
