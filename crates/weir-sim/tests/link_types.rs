//! Frames of every link type, made to look like Ethernet: the same packet is read from each.

use weir_sim::link::{LinkType, ethernet};
use weir_sim::pcap::Record;
use weir_wire::{Malformed, Parsed, parse};

/// An empty UDP datagram over IPv4: 192.0.2.1, port 5000, to 198.51.100.2, port 53.
const IP4: [u8; 28] = [
    0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, // IPv4
    0x13, 0x88, 0, 53, 0, 8, 0, 0, // UDP
];

/// Nothing over IPv6: 2001:db8::1 to 2001:db8::2.
const IP6: [u8; 40] = [
    0x60, 0, 0, 0, 0, 0, 59, 64, // version, length 0, no next header
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // source
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // destination
];

/// A record of a link type: a header and what follows, `original` bytes on the wire.
fn snapped(link: LinkType, header: &[u8], packet: &[u8], original: usize) -> Record {
    let data = [header, packet].concat();
    Record { time_ns: 0, link, original_length: original as u32, data }
}

/// The same, captured whole.
fn record(link: LinkType, header: &[u8], packet: &[u8]) -> Record {
    snapped(link, header, packet, header.len() + packet.len())
}

/// What the pipeline reads of a record.
fn read(record: &Record) -> Parsed {
    parse(&ethernet(record).expect("a link type that is read").frame())
}

#[track_caller]
fn is_ip4(record: &Record) {
    match read(record) {
        Parsed::Packet(p) => {
            assert_eq!((p.ip.v6, p.source_port, p.destination_port, p.ip.header), (false, 5000, 53, 14));
            assert_eq!(ethernet(record).unwrap().length, 14 + 28);
        }
        other => panic!("{:?}: {other:?}", record.link),
    }
}

#[track_caller]
fn is_ip6(record: &Record) {
    assert!(matches!(read(record), Parsed::Packet(p) if p.ip.v6 && p.ip.proto == 59), "{:?}", read(record));
}

/// A cooked header.
const fn sll(hardware: u16, protocol: u16) -> [u8; 16] {
    let ([a, b], [c, d]) = (hardware.to_be_bytes(), protocol.to_be_bytes());
    [
        0, 0, // sent to us
        a, b, // hardware type
        0, 6, 2, 0, 0, 0, 0, 9, 0, 0, // address: length, bytes, padding
        c, d, // protocol
    ]
}

/// A cooked header, version 2.
const fn sll2(hardware: u16, protocol: u16) -> [u8; 20] {
    let ([a, b], [c, d]) = (hardware.to_be_bytes(), protocol.to_be_bytes());
    [
        c, d, // protocol
        0, 0, // reserved
        0, 0, 0, 3, // interface
        a, b, // hardware type
        0, // sent to us
        6, 2, 0, 0, 0, 0, 9, 0, 0, // address: length, bytes, padding
    ]
}

#[test]
fn ethernet_is_left_alone() {
    let frame = record(LinkType::Ethernet, &[2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 8, 0], &IP4);
    is_ip4(&frame);
    assert_eq!(ethernet(&frame).unwrap().data, &frame.data[..]);
}

#[test]
fn raw_ip_tells_its_family_by_its_version() {
    is_ip4(&record(LinkType::Raw, &[], &IP4));
    is_ip6(&record(LinkType::Raw, &[], &IP6));
    assert_eq!(read(&record(LinkType::Raw, &[], &[0x50; 30])), Parsed::NoNetwork);
    assert_eq!(read(&record(LinkType::Raw, &[], &[])), Parsed::Malformed(Malformed::Ip4Truncated));
}

#[test]
fn one_family_alone_is_what_it_says() {
    is_ip4(&record(LinkType::Ip4, &[], &IP4));
    is_ip6(&record(LinkType::Ip6, &[], &IP6));
    assert_eq!(read(&record(LinkType::Ip4, &[], &IP6)), Parsed::Malformed(Malformed::Ip4BadVersion));
}

#[test]
fn loopback_families_are_read_in_either_byte_order() {
    for link in [LinkType::Null, LinkType::Loop] {
        is_ip4(&record(link, &[2, 0, 0, 0], &IP4));
        is_ip4(&record(link, &[0, 0, 0, 2], &IP4));
        for family in [10, 24, 28, 30] {
            is_ip6(&record(link, &[family, 0, 0, 0], &IP6));
            is_ip6(&record(link, &[0, 0, 0, family], &IP6));
        }
        // An EtherType instead of a family; an unknown family.
        is_ip6(&record(link, &[0, 0, 0x86, 0xdd], &IP6));
        assert_eq!(read(&record(link, &[7, 0, 0, 0], &IP4)), Parsed::NoNetwork);
    }
}

#[test]
fn cooked_headers_name_the_protocol() {
    is_ip4(&record(LinkType::LinuxSll, &sll(1, 0x0800), &IP4));
    is_ip6(&record(LinkType::LinuxSll, &sll(772, 0x86dd), &IP6));
    is_ip4(&record(LinkType::LinuxSll2, &sll2(1, 0x0800), &IP4));
    is_ip6(&record(LinkType::LinuxSll2, &sll2(65534, 0x86dd), &IP6));
    // The sender's address is kept.
    for r in [record(LinkType::LinuxSll, &sll(1, 0x0800), &IP4), record(LinkType::LinuxSll2, &sll2(1, 0x0800), &IP4)] {
        assert_eq!(ethernet(&r).unwrap().data[6..12], [2, 0, 0, 0, 0, 9]);
    }
}

#[test]
fn tags_behind_a_cooked_header_are_tags() {
    let tagged = [&[0, 100, 8, 0][..], &IP4].concat();
    assert!(
        matches!(read(&record(LinkType::LinuxSll, &sll(1, 0x8100), &tagged)), Parsed::Packet(p) if p.ip.header == 18)
    );
}

#[test]
fn cooked_frames_of_other_protocols_are_not_ip() {
    assert_eq!(read(&record(LinkType::LinuxSll, &sll(1, 0x0806), &[0; 28])), Parsed::Arp);
    assert_eq!(read(&record(LinkType::LinuxSll, &sll(1, 0x0004), &[0x42, 0x42, 3])), Parsed::NoNetwork); // 802.2
    assert_eq!(read(&record(LinkType::LinuxSll, &sll(824, 0x0800), &IP4)), Parsed::NoNetwork); // netlink family 2048
}

#[test]
fn snapped_lengths_are_kept() {
    for (link, header) in [
        (LinkType::Raw, &[][..]),
        (LinkType::Null, &[2, 0, 0, 0]),
        (LinkType::LinuxSll, &sll(1, 0x0800)),
        (LinkType::LinuxSll2, &sll2(1, 0x0800)),
    ] {
        // The datagram says 1228 bytes, of which the first 28 were kept.
        let mut packet = IP4;
        packet[2..4].copy_from_slice(&1228u16.to_be_bytes());
        packet[24..26].copy_from_slice(&1208u16.to_be_bytes());
        let r = snapped(link, header, &packet, header.len() + 1228);
        assert!(matches!(read(&r), Parsed::Packet(p) if p.ip.end == 14 + 1228 && p.payload_len() == 1200), "{link}");
        // Cut inside the UDP header: nothing is wrong with the packet, it just cannot be read.
        let r = snapped(link, header, &packet[..24], header.len() + 1228);
        assert_eq!(read(&r), Parsed::Unreadable, "{link}");
    }
}

#[test]
fn a_frame_cut_inside_its_link_header_is_told_from_one_that_ends_there() {
    for link in [LinkType::Null, LinkType::LinuxSll, LinkType::LinuxSll2] {
        assert_eq!(read(&snapped(link, &[0; 3], &[], 100)), Parsed::Unreadable, "{link}");
        assert_eq!(read(&snapped(link, &[0; 3], &[], 3)), Parsed::Malformed(Malformed::EthernetTruncated), "{link}");
    }
}

#[test]
fn other_link_types_are_named() {
    assert_eq!(LinkType::from_number(105), LinkType::Other(105));
    assert_eq!(LinkType::from_number(105).to_string(), "link type 105");
    assert_eq!(ethernet(&record(LinkType::Other(105), &[], &IP4)), None);
    for n in [0, 1, 101, 108, 113, 228, 229, 276, 105] {
        assert_eq!(LinkType::from_number(n).number(), n);
    }
    assert_eq!((LinkType::from_number(12), LinkType::from_number(14)), (LinkType::Raw, LinkType::Raw));
}
