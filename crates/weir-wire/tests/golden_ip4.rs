//! IPv4 headers, byte by byte.

mod common;
mod packets;

use common::{addresses, fault, packet};
use packets::{ethernet, frame, ip4, udp};
use weir_wire::{Malformed, Transport};

/// The frame of [`ip4::padded`] without its padding, with one byte of the IPv4 header changed.
fn changed(offset: usize, value: u8) -> Vec<u8> {
    let mut data = ip4::padded();
    data.truncate(14 + 32);
    data[14 + offset] = value;
    data
}

#[test]
fn every_field_is_read() {
    let p = packet(&ip4::with_option());
    assert!(!p.ip.v6);
    assert_eq!(addresses(&p), ("192.0.2.1".into(), "198.51.100.2".into()));
    assert_eq!((p.ip.proto, p.ip.ttl, p.ip.tos, p.ip.length), (17, 64, 0xb8, 36));
    assert_eq!((p.ip.dont_fragment, p.ip.id_zero, p.ip.options), (true, true, true));
    assert_eq!((p.ip.header, p.ip.payload, p.ip.end), (14, 14 + 24, 14 + 36));
    assert_eq!((p.source_port, p.destination_port, p.l4, p.payload_len()), (5000, 53, 14 + 24, 4));
}

#[test]
fn forty_bytes_of_options_are_skipped() {
    let p = packet(&ip4::with_all_options());
    assert_eq!((p.ip.payload, p.source_port, p.destination_port), (14 + 60, 5000, 53));
}

#[test]
fn padding_behind_the_packet_is_not_payload() {
    let p = packet(&ip4::padded());
    assert_eq!((p.ip.end, p.payload_len()), (14 + 32, 4));
    assert!(!p.ip.options && !p.ip.id_zero);
}

#[test]
fn a_protocol_without_ports_is_a_packet() {
    let p = packet(&ip4::ospf());
    assert_eq!((p.ip.proto, p.transport, p.l4, p.payload_len()), (89, Transport::None, 0, 8));
}

#[test]
fn icmpv6_over_ipv4_is_just_a_protocol() {
    let p = packet(&frame(&[&ethernet::IP4, &ip4::header(58, 28), &[128, 0, 0, 0, 0, 0, 0, 0]]));
    assert_eq!((p.ip.proto, p.transport), (58, Transport::None));
}

#[test]
fn a_length_of_zero_means_up_to_the_end() {
    // Segmentation offload leaves the field zero where the length does not fit.
    let mut data = changed(2, 0);
    data[14 + 3] = 0;
    let p = packet(&data);
    assert_eq!((p.ip.length, p.ip.end), (32, data.len()));
}

#[test]
fn lying_headers_are_named() {
    assert_eq!(fault(&changed(0, 0x55)), Malformed::Ip4BadVersion);
    assert_eq!(fault(&changed(0, 0x65)), Malformed::Ip4BadVersion);
    assert_eq!(fault(&changed(0, 0x44)), Malformed::Ip4BadHeaderLength); // four words
    assert_eq!(fault(&changed(0, 0x40)), Malformed::Ip4BadHeaderLength); // none
    assert_eq!(fault(&changed(0, 0x4f)), Malformed::Ip4BadHeaderLength); // sixty bytes of a packet of thirty-two
    assert_eq!(fault(&changed(3, 19)), Malformed::Ip4BadTotalLength); // below the header
    assert_eq!(fault(&changed(3, 33)), Malformed::Ip4BadTotalLength); // one byte beyond the frame
    assert_eq!(fault(&changed(2, 0xff)), Malformed::Ip4BadTotalLength);
}

#[test]
fn a_header_may_fill_the_packet_but_not_exceed_it() {
    let with_total = |total: u8| {
        let mut data = ip4::with_all_options();
        data[14 + 9] = 89; // OSPF: no transport header is looked for
        data[14 + 3] = total;
        data
    };
    assert_eq!(packet(&with_total(60)).payload_len(), 0);
    assert_eq!(fault(&with_total(59)), Malformed::Ip4BadHeaderLength);
}

#[test]
fn every_cut_has_a_name() {
    let data = frame(&[&ethernet::IP4, &ip4::header(17, 32), &udp::header(5000, 53, 12), b"weir"]);
    for n in 14..data.len() {
        let expected = if n < 34 { Malformed::Ip4Truncated } else { Malformed::Ip4BadTotalLength };
        assert_eq!(fault(&data[..n]), expected, "{n} bytes");
    }
}
