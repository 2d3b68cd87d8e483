//! Fragments of both families: first, later, atomic, and the ones that no sender makes.

mod common;
mod packets;

use common::{fault, packet};
use packets::{ethernet, fragment, frame, ip4, ip6, tcp, udp};
use weir_wire::fragment::{Fragment, Kind};
use weir_wire::{Malformed, Transport};

#[test]
fn the_first_one_carries_the_ports() {
    for (data, id) in
        [(fragment::ip4(0, true, &fragment::head()), 0x1234), (fragment::ip6(0, true, &fragment::head()), 0xdead_beef)]
    {
        let p = packet(&data);
        assert_eq!(p.ip.fragment, Fragment { kind: Kind::First, more: true, offset: 0, length: 16, id });
        assert_eq!((p.transport, p.source_port, p.destination_port), (Transport::Udp, 5000, 53));
    }
}

#[test]
fn later_ones_have_no_ports_even_if_their_bytes_look_so() {
    let looks_like_udp = udp::header(1, 2, 8);
    for (offset, more) in [(8, true), (16, true), (1024, false)] {
        for data in [fragment::ip4(offset, more, &looks_like_udp), fragment::ip6(offset, more, &looks_like_udp)] {
            let p = packet(&data);
            assert_eq!((p.ip.fragment.kind, p.ip.fragment.more), (Kind::Later, more));
            assert_eq!((p.ip.fragment.offset, p.ip.fragment.length), (offset as u32, 8));
            assert_eq!((p.transport, p.source_port, p.destination_port, p.l4), (Transport::None, 0, 0, 0));
            assert_eq!(p.ip.proto, 17);
        }
    }
}

#[test]
fn behind_a_later_fragment_header_nothing_is_a_header() {
    // The next header says "destination options"; what follows is the middle of them.
    let data = frame(&[
        &ethernet::IP6,
        &ip6::header(44, 16),
        &fragment::ip6_header(60, 64, false),
        &[0xff; 8], // as a header it would be 2048 bytes long
    ]);
    let p = packet(&data);
    assert_eq!((p.ip.proto, p.ip.fragment.kind, p.payload_len()), (60, Kind::Later, 8));
}

#[test]
fn an_atomic_fragment_is_whole() {
    let p = packet(&ip6::udp_behind(44, &ip6::atomic(17)));
    assert_eq!(p.ip.fragment.kind, Kind::Whole);
    assert!(!p.ip.fragment.is_fragment());
    assert_eq!((p.ip.fragment.id, p.destination_port), (0xdead_beef, 53));
}

#[test]
fn a_first_one_too_small_for_its_header_is_told() {
    // RFC 1858: eight bytes of TCP hide the flags in the next fragment.
    let mut tiny = frame(&[&ethernet::IP4, &ip4::header(6, 28), &tcp::header(0x02, 0)[..8]]);
    tiny[14 + 6] = 0x20; // more follow
    let p = packet(&tiny);
    assert_eq!((p.transport, p.tcp_flags, p.l4), (Transport::Tiny, 0, 0));
    // Twenty-four bytes: the fixed header is there, its options are not.
    let mut options = frame(&[&ethernet::IP4, &ip4::header(6, 44), &tcp::header(0x02, 20), &tcp::OPTIONS_LINUX[..4]]);
    options[14 + 6] = 0x20;
    assert_eq!(packet(&options).transport, Transport::Tiny);
    // The same without the flag is malformed: nothing follows that could complete it.
    tiny[14 + 6] = 0x40;
    assert_eq!(fault(&tiny), Malformed::TcpTruncated);
}

#[test]
fn a_first_ones_udp_length_speaks_of_the_whole_datagram() {
    let p = packet(&fragment::ip4(0, true, &frame(&[&udp::header(5000, 53, 4000), &[0; 8]])));
    assert_eq!((p.transport, p.payload_len()), (Transport::Udp, 8));
}

#[test]
fn the_ping_of_death_is_refused() {
    // The last fragment starts at 65,528 and would end behind 65,535, the most a length field can say.
    assert_eq!(fault(&fragment::ip4(0xfff8, false, &[0; 8])), Malformed::FragmentTooLong);
    assert_eq!(fault(&fragment::ip6(0xfff8, false, &[0; 8])), Malformed::FragmentTooLong);
    assert_eq!(fault(&fragment::ip4(0xfff8, true, &[0; 64])), Malformed::FragmentTooLong);
}

#[test]
fn the_longest_datagram_is_not() {
    // IPv4 counts the header of twenty bytes, IPv6 does not count its own: 65,515 and 65,535 bytes of data.
    let end = |data: &[u8]| packet(data).ip.fragment.end();
    assert_eq!(end(&fragment::ip4(65_504, false, &[0; 11])), 65_515);
    assert_eq!(fault(&fragment::ip4(65_504, false, &[0; 12])), Malformed::FragmentTooLong);
    assert_eq!(end(&fragment::ip6(65_528, false, &[0; 7])), 65_535);
    // What stands before the fragment header is in the length as well.
    let behind_options = frame(&[
        &ethernet::IP6,
        &ip6::header(60, 8 + 8 + 7),
        &ip6::extension(44),
        &fragment::ip6_header(17, 65_528, false),
        &[0; 7],
    ]);
    assert_eq!(fault(&behind_options), Malformed::FragmentTooLong);
}

#[test]
fn all_but_the_last_are_multiples_of_eight() {
    assert_eq!(fault(&fragment::ip4(0, true, &[0; 15])), Malformed::FragmentBadLength);
    assert_eq!(fault(&fragment::ip6(16, true, &[0; 12])), Malformed::FragmentBadLength);
    assert_eq!(packet(&fragment::ip4(16, false, &[0; 15])).ip.fragment.length, 15);
}
