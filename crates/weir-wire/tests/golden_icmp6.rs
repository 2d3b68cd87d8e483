//! ICMPv6, neighbour discovery and quoted originals, byte by byte.

mod common;
mod packets;

use common::{address, packet};
use packets::{ethernet, frame, icmp6, ip6};
use weir_wire::icmp::original;
use weir_wire::{Bytes, Transport};

#[test]
fn neighbour_discovery_is_recognised() {
    assert!(packet(&icmp6::solicitation(255)).is_neighbour_discovery());
    assert!(packet(&icmp6::router_advertisement()).is_neighbour_discovery());
    assert!(!packet(&icmp6::echo()).is_neighbour_discovery());
}

#[test]
fn from_behind_a_router_it_is_not_believed() {
    // RFC 4861, 7.1: a hop limit below 255 shows that it was forwarded. Else it would open a way around every check.
    assert!(!packet(&icmp6::solicitation(254)).is_neighbour_discovery());
}

#[test]
fn in_other_clothes_it_is_not_believed() {
    // The same bytes as UDP: type and code become a source port of 0x8700.
    let body = icmp6::solicitation(255)[54..].to_vec();
    let mut ip = ip6::header(17, body.len() as u16);
    ip[7] = 255;
    let mut data = frame(&[&ethernet::IP6, &ip, &body]);
    data[58] = 0;
    data[59] = body.len() as u8;
    let p = packet(&data);
    assert_eq!((p.transport, p.source_port), (Transport::Udp, 0x8700));
    assert!(!p.is_neighbour_discovery());
}

#[test]
fn type_and_code_stand_where_the_source_port_would() {
    let p = packet(&icmp6::echo());
    assert_eq!((p.transport, p.source_port, p.destination_port), (Transport::Icmp, 0x8000, 0));
}

#[test]
fn an_original_behind_extension_headers_is_read() {
    let data = icmp6::too_big();
    let o = original(&Bytes::new(&data), &packet(&data)).unwrap();
    assert_eq!(
        (address(o.src).to_string(), address(o.dst).to_string()),
        ("2001:db8::1".into(), "2001:db8:1::2".into())
    );
    assert_eq!((o.proto, o.source_port, o.destination_port), (17, 5000, 53));
}

#[test]
fn icmp_over_ipv6_is_just_a_protocol() {
    let p = packet(&frame(&[&ethernet::IP6, &ip6::header(1, 8), &[8, 0, 0, 0, 0, 0, 0, 0]]));
    assert_eq!((p.ip.proto, p.transport), (1, Transport::None));
}
