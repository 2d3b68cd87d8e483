//! UDP and UDP-Lite, byte by byte.

mod common;
mod packets;

use common::{fault, packet};
use packets::{ethernet, frame, ip4, udp};
use weir_wire::{Malformed, Transport};

#[test]
fn every_field_is_read() {
    let p = packet(&udp::over_ip4(17, 12, b"weir"));
    assert_eq!((p.transport, p.source_port, p.destination_port), (Transport::Udp, 5000, 4000));
    assert_eq!((p.l4, p.payload, p.payload_len()), (34, 42, 4));
    assert_eq!((p.tcp_flags, p.data_offset, p.window, p.seq, p.ack), (0, 0, 0, 0, 0));
}

#[test]
fn an_empty_datagram_is_a_datagram() {
    assert_eq!(packet(&udp::over_ip4(17, 8, b"")).payload_len(), 0);
}

#[test]
fn a_length_of_zero_means_up_to_the_end() {
    // Legal in jumbograms (RFC 2675) and left by segmentation offload.
    assert_eq!(packet(&udp::over_ip4(17, 0, b"weir")).payload_len(), 4);
}

#[test]
fn bytes_behind_the_datagram_are_allowed() {
    // UDP options (RFC 9868) live there; and some senders pad.
    assert_eq!(packet(&udp::over_ip4(17, 10, b"weir")).payload_len(), 4);
}

#[test]
fn lying_lengths_are_named() {
    for length in [1, 7, 13, 0xffff] {
        assert_eq!(fault(&udp::over_ip4(17, length, b"weir")), Malformed::UdpBadLength, "length {length}");
    }
}

#[test]
fn a_packet_shorter_than_the_header_is_named() {
    for n in 0..8 {
        let data = frame(&[&ethernet::IP4, &ip4::header(17, 20 + n), &udp::header(5000, 53, 8)[..n as usize]]);
        assert_eq!(fault(&data), Malformed::UdpTruncated, "{n} bytes");
    }
}

#[test]
fn the_field_of_udplite_is_its_checksums_coverage() {
    for coverage in [0, 3, 8, 0xffff] {
        let p = packet(&udp::over_ip4(136, coverage, b"weir"));
        assert_eq!((p.transport, p.source_port, p.payload_len()), (Transport::Udp, 5000, 4), "coverage {coverage}");
    }
}
