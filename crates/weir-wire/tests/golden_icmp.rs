//! ICMP and the packets that its errors quote, byte by byte.

mod common;
mod packets;

use common::{address, fault, packet};
use packets::{ethernet, fragment, frame, icmp, ip4, tcp, udp};
use weir_wire::icmp::{Original, has_original, original};
use weir_wire::{Bytes, Malformed, Transport};

/// What a frame's message quotes.
fn quoted(data: &[u8]) -> Option<Original> {
    original(&Bytes::new(data), &packet(data))
}

#[test]
fn type_and_code_stand_where_the_source_port_would() {
    let p = packet(&icmp::port_unreachable());
    assert_eq!((p.transport, p.source_port, p.destination_port), (Transport::Icmp, 0x0303, 0));
    let p = packet(&icmp::echo());
    assert_eq!((p.source_port, p.payload_len()), (0x0800, 8));
}

#[test]
fn a_whole_original_is_read() {
    let o = quoted(&icmp::port_unreachable()).unwrap();
    assert_eq!(address(o.src).to_string(), "192.0.2.1");
    assert_eq!(address(o.dst).to_string(), "198.51.100.2");
    assert_eq!((o.proto, o.source_port, o.destination_port), (17, 5000, 53));
}

#[test]
fn eight_bytes_are_enough_for_the_ports() {
    // RFC 792 quotes no more: a TCP header cut behind its sequence number, of a packet of 1500 bytes.
    let o = quoted(&icmp::time_exceeded()).unwrap();
    assert_eq!((o.proto, o.source_port, o.destination_port), (6, 40_000, 80));
}

#[test]
fn a_quote_without_ports_still_names_the_addresses() {
    let cut = icmp::message(&icmp::TIME_EXCEEDED, &ip4::header(6, 1500));
    let o = quoted(&cut).unwrap();
    assert_eq!((address(o.src).to_string(), o.source_port, o.destination_port), ("192.0.2.1".into(), 0, 0));
    let ospf = icmp::message(&icmp::TIME_EXCEEDED, &frame(&[&ip4::header(89, 64), &[1, 2, 3, 4, 5, 6, 7, 8]]));
    assert_eq!(quoted(&ospf).map(|o| (o.proto, o.source_port)), Some((89, 0)));
}

#[test]
fn a_quoted_later_fragment_has_no_ports() {
    let later = &fragment::ip4(64, false, &udp::header(1, 2, 8))[14..];
    let o = quoted(&icmp::message(&icmp::PORT_UNREACHABLE, later)).unwrap();
    assert_eq!((o.proto, o.source_port, o.destination_port), (17, 0, 0));
}

#[test]
fn padding_behind_the_message_is_not_quoted() {
    // The message ends inside the quoted header; the frame goes on with bytes that would complete it.
    let short =
        frame(&[&ethernet::IP4, &ip4::header(1, 20 + 8 + 10), &icmp::TIME_EXCEEDED, &ip4::header(6, 1500), &[0; 20]]);
    assert_eq!(quoted(&short), None);
    // The message ends behind the quoted IP header; no ports.
    let no_ports =
        frame(&[&ethernet::IP4, &ip4::header(1, 48), &icmp::TIME_EXCEEDED, &ip4::header(6, 1500), &tcp::header(2, 0)]);
    assert_eq!(quoted(&no_ports).map(|o| (o.source_port, o.destination_port)), Some((0, 0)));
}

#[test]
fn what_is_no_error_quotes_nothing() {
    assert_eq!(quoted(&icmp::message(&icmp::ECHO, &icmp::port_unreachable()[14 + 28..])), None);
    assert!(!has_original(false, 8) && !has_original(true, 128));
    assert!(has_original(false, 3) && has_original(true, 1));
    assert_eq!(original(&Bytes::new(&tcp::syn_linux()), &packet(&tcp::syn_linux())), None);
}

#[test]
fn a_quote_that_is_no_packet_is_nothing() {
    assert_eq!(quoted(&icmp::message(&icmp::TIME_EXCEEDED, &[0; 28])), None);
    assert_eq!(quoted(&icmp::message(&icmp::TIME_EXCEEDED, b"")), None);
}

#[test]
fn a_message_shorter_than_its_header_is_named() {
    for n in 0..8 {
        assert_eq!(fault(&icmp::message(&icmp::ECHO[..n], b"")), Malformed::IcmpTruncated, "{n} bytes");
    }
}
