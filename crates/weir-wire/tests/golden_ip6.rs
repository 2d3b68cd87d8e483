//! IPv6 headers and extension headers, byte by byte.

mod common;
mod packets;

use common::{addresses, fault, packet};
use packets::{ethernet, fragment, frame, ip6, udp};
use weir_wire::fragment::Kind;
use weir_wire::{Malformed, Transport};

#[test]
fn every_field_is_read() {
    let p = packet(&ip6::plain());
    assert!(p.ip.v6 && !p.ip.options);
    assert_eq!(addresses(&p), ("2001:db8::1".into(), "2001:db8:1::2".into()));
    assert_eq!((p.ip.proto, p.ip.ttl, p.ip.tos, p.ip.length), (17, 64, 0xb8, 52));
    assert_eq!((p.ip.header, p.ip.payload, p.ip.end), (14, 54, 66));
    assert_eq!((p.source_port, p.destination_port, p.payload_len()), (5000, 53, 4));
}

#[test]
fn each_extension_header_is_skipped() {
    let cases: [(&str, u8, &[u8]); 8] = [
        ("hop-by-hop", 0, &ip6::extension(17)),
        ("routing", 43, &ip6::extension(17)),
        ("fragment", 44, &ip6::atomic(17)),
        ("authentication", 51, &ip6::authentication(17)),
        ("destination options", 60, &ip6::long_extension(17)),
        ("mobility", 135, &ip6::extension(17)),
        ("HIP", 139, &ip6::extension(17)),
        ("shim6", 140, &ip6::extension(17)),
    ];
    for (name, number, bytes) in cases {
        let p = packet(&ip6::udp_behind(number, bytes));
        assert_eq!((p.ip.proto, p.source_port, p.destination_port), (17, 5000, 53), "{name}");
        assert_eq!(p.ip.payload, 54 + bytes.len(), "{name}");
        assert!(p.ip.options, "{name}");
        assert_eq!(p.ip.fragment.kind, Kind::Whole, "{name}");
    }
}

#[test]
fn six_are_followed_and_a_seventh_is_refused() {
    let p = packet(&ip6::six_extensions());
    assert_eq!((p.ip.proto, p.source_port, p.destination_port), (17, 5000, 53));
    assert_eq!(p.ip.payload, 54 + 8 + 16 + 8 + 8 + 16 + 8);
    assert_eq!(p.ip.fragment.id, 0xdead_beef);
    assert_eq!(fault(&ip6::seven_extensions()), Malformed::Ip6ExtensionTooMany);
}

#[test]
fn a_second_fragment_header_is_refused() {
    // It could say that the packet is whole where the first one said that it is a fragment.
    let both = frame(&[&fragment::ip6_header(44, 0, true), &ip6::atomic(17), &udp::header(5000, 53, 8)]);
    let data = frame(&[&ethernet::IP6, &ip6::header(44, both.len() as u16), &both]);
    assert_eq!(fault(&data), Malformed::Ip6ExtensionTooMany);
    let twice_atomic = frame(&[&ip6::atomic(44), &ip6::atomic(17)]);
    assert_eq!(fault(&ip6::udp_behind(44, &twice_atomic)), Malformed::Ip6ExtensionTooMany);
}

#[test]
fn a_chain_out_of_reach_is_refused() {
    // Five headers of 248 bytes hide the UDP header behind everything that can be read. Honest chains are below 300 bytes.
    let mut chain = Vec::new();
    for i in 0..5 {
        let mut header = [0u8; 248];
        header[0] = if i == 4 { 17 } else { 60 };
        header[1] = 30;
        chain.extend(header);
    }
    assert_eq!(fault(&ip6::udp_behind(60, &chain)), Malformed::Ip6ExtensionTooMany);
}

#[test]
fn encrypted_and_empty_packets_are_packets() {
    let p = packet(&ip6::no_next());
    assert_eq!((p.ip.proto, p.transport, p.ip.length), (59, Transport::None, 40));
    let esp = frame(&[&ethernet::IP6, &ip6::header(50, 16), &[0x5a; 16]]);
    let p = packet(&esp);
    assert_eq!((p.ip.proto, p.transport, p.payload_len()), (50, Transport::None, 16));
}

#[test]
fn nothing_follows_is_an_end_wherever_it_stands() {
    let p = packet(&frame(&[&ethernet::IP6, &ip6::header(135, 8), &ip6::extension(59)]));
    assert_eq!((p.ip.proto, p.transport, p.payload_len()), (59, Transport::None, 0));
}

#[test]
fn a_length_of_zero_means_up_to_the_end() {
    // Jumbograms and segmentation offload.
    let data = frame(&[&ethernet::IP6, &ip6::header(17, 0), &udp::header(5000, 53, 12), b"weir"]);
    let p = packet(&data);
    assert_eq!((p.ip.end, p.ip.length, p.destination_port), (data.len(), 52, 53));
}

#[test]
fn lying_headers_are_named() {
    let mut version = ip6::plain();
    version[14] = 0x4b;
    assert_eq!(fault(&version), Malformed::Ip6BadVersion);
    let mut long = ip6::plain();
    long[19] = 13; // twelve bytes follow
    assert_eq!(fault(&long), Malformed::Ip6BadLength);
    // The header says more than the packet has, though the frame has padding to give.
    let mut beyond = frame(&[&ethernet::IP6, &ip6::header(60, 8), &ip6::extension(17), &[0; 32]]);
    beyond[55] = 3;
    assert_eq!(fault(&beyond), Malformed::Ip6ExtensionTruncated);
    // Not even its first eight bytes are there, or all but the last one of sixteen.
    for (length, header) in [(4, &ip6::extension(17)[..]), (7, &ip6::extension(17)), (15, &ip6::long_extension(17))] {
        let cut = frame(&[&ethernet::IP6, &ip6::header(60, length), header]);
        assert_eq!(fault(&cut), Malformed::Ip6ExtensionTruncated, "{length} bytes");
    }
}

#[test]
fn every_cut_has_a_name() {
    let data = ip6::six_extensions();
    for n in 14..data.len() {
        let expected = if n < 54 { Malformed::Ip6Truncated } else { Malformed::Ip6BadLength };
        assert_eq!(fault(&data[..n]), expected, "{n} bytes");
    }
}
