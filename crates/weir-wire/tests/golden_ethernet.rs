//! Ethernet II, VLAN tags, ARP and 802.3, byte by byte.

mod common;
mod packets;

use common::{addresses, fault, packet, read};
use packets::{ethernet, frame, tcp};
use weir_wire::{Malformed, Parsed};

#[test]
fn the_network_layer_starts_behind_the_header() {
    let p = packet(&tcp::syn_linux());
    assert_eq!(p.ip.header, 14);
    assert_eq!(addresses(&p), ("192.0.2.1".into(), "198.51.100.2".into()));
}

#[test]
fn one_and_two_tags_are_skipped() {
    let plain = packet(&tcp::syn_linux());
    for (tags, data) in [(1, ethernet::vlan()), (2, ethernet::qinq())] {
        let p = packet(&data);
        assert_eq!(p.ip.header, 14 + 4 * tags);
        assert_eq!((p.ip.src, p.ip.dst), (plain.ip.src, plain.ip.dst));
        assert_eq!((p.source_port, p.destination_port, p.tcp_flags), (40_000, 80, 0x02));
        let link = weir_wire::ethernet::parse(&weir_wire::Bytes::new(&data), 0).unwrap().unwrap();
        assert_eq!((link.ethertype, link.tags as usize, link.too_deep), (0x0800, tags, false));
    }
}

#[test]
fn the_old_service_tag_counts_as_one() {
    let data = frame(&[&ethernet::ADDRESSES, &ethernet::TAG_OLD_300, &ethernet::TYPE_IP4, &tcp::syn_linux()[14..]]);
    assert_eq!(packet(&data).ip.header, 18);
}

#[test]
fn a_third_tag_is_not_followed() {
    assert_eq!(read(&ethernet::three_tags()), Parsed::TooManyTags);
}

#[test]
fn other_protocols_are_named_not_judged() {
    assert_eq!(read(&ethernet::arp()), Parsed::Arp);
    assert_eq!(read(&ethernet::ieee_802_3()), Parsed::NoNetwork);
    let reverse = frame(&[&ethernet::ADDRESSES, &[0x80, 0x35], &ethernet::arp()[14..]]);
    assert_eq!(read(&reverse), Parsed::Arp);
    let lldp = frame(&[&ethernet::ADDRESSES, &[0x88, 0xcc], &[2, 7, 4, 2, 0, 0, 0, 0, 1]]);
    assert_eq!(read(&lldp), Parsed::Other(0x88cc));
    // 802.3 and Ethernet II part at 0x600.
    assert_eq!(read(&frame(&[&ethernet::ADDRESSES, &[0x05, 0xff], &[0; 46]])), Parsed::NoNetwork);
    assert_eq!(read(&frame(&[&ethernet::ADDRESSES, &[0x06, 0x00], &[0; 46]])), Parsed::Other(0x0600));
}

#[test]
fn an_arp_packet_under_a_tag_is_still_arp() {
    assert_eq!(read(&frame(&[&ethernet::ADDRESSES, &ethernet::TAG_100, &ethernet::arp()[12..]])), Parsed::Arp);
}

#[test]
fn frames_that_end_in_the_header_are_malformed() {
    assert_eq!(fault(&[]), Malformed::EthernetTruncated);
    assert_eq!(fault(&ethernet::IP4[..13]), Malformed::EthernetTruncated);
    assert_eq!(fault(&ethernet::vlan()[..17]), Malformed::VlanTruncated);
    assert_eq!(fault(&ethernet::qinq()[..21]), Malformed::VlanTruncated);
    assert_eq!(fault(&ethernet::IP4), Malformed::Ip4Truncated);
}
