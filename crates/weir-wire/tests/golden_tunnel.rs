//! Packets inside packets, byte by byte.

mod common;
mod packets;

use common::{addresses, packet};
use packets::{ethernet, frame, ip4, tcp, tunnel};
use weir_wire::tunnel::{Inner, Kind, inner};
use weir_wire::{Bytes, Malformed, Packet, Parsed, parse_within};

/// Where the inner packet of a frame starts.
fn inside(data: &[u8]) -> Result<Option<Inner>, Malformed> {
    inner(&Bytes::new(data), &packet(data))
}

/// The inner packet.
#[track_caller]
fn unpacked(data: &[u8]) -> (Inner, Packet) {
    let i = inside(data).unwrap().expect("a tunnel");
    match parse_within(&Bytes::new(data), i.ip, i.v6, i.end) {
        Parsed::Packet(p) => (i, p),
        other => panic!("{other:?}"),
    }
}

#[test]
fn vxlan() {
    let (i, p) = unpacked(&tunnel::vxlan());
    assert_eq!((i.kind, i.v6, i.ip), (Kind::Vxlan, false, 42 + 8 + 14));
    assert_eq!((addresses(&p).0.as_str(), p.destination_port, p.tcp_flags), ("192.0.2.1", 80, 0x02));
}

#[test]
fn vxlan_on_flannels_port_with_a_tag_inside() {
    let (i, p) = unpacked(&tunnel::vxlan_tagged());
    assert_eq!((i.kind, i.v6, i.ip), (Kind::Vxlan, true, 42 + 8 + 18));
    assert_eq!((addresses(&p).0.as_str(), p.destination_port, p.tcp_flags), ("2001:db8::1", 80, 0x18));
}

#[test]
fn geneve_behind_its_options() {
    let (i, p) = unpacked(&tunnel::geneve_ethernet());
    assert_eq!((i.kind, i.ip, p.destination_port), (Kind::Geneve, 42 + 8 + 8 + 14, 80));
}

#[test]
fn geneve_without_ethernet() {
    let (i, p) = unpacked(&tunnel::geneve_ip4());
    assert_eq!((i.kind, i.v6, i.ip, p.destination_port), (Kind::Geneve, false, 42 + 8, 80));
}

#[test]
fn ip_in_ip_of_both_families() {
    let (i, p) = unpacked(&tunnel::ipip());
    assert_eq!((i.kind, i.v6, i.ip, p.tcp_flags), (Kind::Ip4, false, 34, 0x02));
    let (i, p) = unpacked(&tunnel::six_in_four());
    assert_eq!((i.kind, i.v6, i.ip, p.tcp_flags), (Kind::Ip6, true, 34, 0x18));
    let (i, p) = unpacked(&tunnel::four_in_six());
    assert_eq!((i.kind, i.v6, i.ip, p.tcp_flags), (Kind::Ip4, false, 54, 0x02));
}

#[test]
fn tunnels_inside_each_other_are_opened_one_at_a_time() {
    let data = tunnel::three_deep();
    let (_, middle) = unpacked(&data);
    let i = inner(&Bytes::new(&data), &middle).unwrap().expect("a tunnel in a tunnel");
    assert_eq!(i.ip, 14 + 20 + 20);
    assert_eq!(i.end, data.len());
}

#[test]
fn an_inner_packet_cannot_reach_beyond_the_outer_one() {
    // It says forty bytes more than it has, and the frame has padding to give. Those bytes are nobody's.
    let mut lying = tunnel::ipip();
    lying[34 + 3] += 40;
    lying.extend([0xee; 40]);
    let i = inside(&lying).unwrap().expect("a tunnel");
    assert_eq!(parse_within(&Bytes::new(&lying), i.ip, i.v6, i.end), Parsed::Malformed(Malformed::Ip4BadTotalLength));
}

#[test]
fn a_tunnel_that_ends_in_its_header_is_named() {
    let cut = frame(&[&tunnel::VXLAN, &tcp::syn_linux()[..13]]);
    assert_eq!(inside(&tunnel::in_udp(4789, &cut)), Err(Malformed::TunnelTruncated));
    // The tag that the inner EtherType announces lies behind the packet, in the padding or nowhere.
    let half_tag = tunnel::in_udp(4789, &frame(&[&tunnel::VXLAN, &ethernet::vlan()[..16]]));
    assert_eq!(inside(&half_tag), Err(Malformed::TunnelTruncated));
    assert_eq!(inside(&frame(&[&half_tag, &[0; 20]])), Err(Malformed::TunnelTruncated));
    let options_missing = frame(&[&tunnel::geneve(63, 0x6558), &tcp::syn_linux()]);
    assert_eq!(inside(&tunnel::in_udp(6081, &options_missing)), Err(Malformed::TunnelTruncated));
    let options_missing = frame(&[&tunnel::geneve(63, 0x0800), &tcp::syn_linux()[14..]]);
    assert_eq!(inside(&tunnel::in_udp(6081, &options_missing)), Err(Malformed::TunnelTruncated));
}

#[test]
fn other_traffic_on_a_tunnels_port_is_left_alone() {
    assert_eq!(inside(&tunnel::in_udp(4789, b"")), Ok(None));
    assert_eq!(inside(&tunnel::in_udp(4789, &tunnel::VXLAN[..7])), Ok(None));
    assert_eq!(inside(&tunnel::in_udp(4789, b"not a tunnel, but a text of some length")), Ok(None));
    assert_eq!(inside(&tunnel::in_udp(6081, &frame(&[&tunnel::geneve(0, 0x88cc), &[0; 40]]))), Ok(None));
    let mut version = tunnel::geneve_ethernet();
    version[42] |= 0x40; // version 1: not this format
    assert_eq!(inside(&version), Ok(None));
    let arp = frame(&[&tunnel::VXLAN, &ethernet::arp()]);
    assert_eq!(inside(&tunnel::in_udp(4789, &arp)), Ok(None));
    assert_eq!(inside(&tcp::syn_linux()), Ok(None));
}

#[test]
fn a_fragment_is_not_opened() {
    let mut first = tunnel::ipip();
    first.truncate(14 + 20 + 40);
    first[14..34].copy_from_slice(&ip4::header(4, 60));
    first[14 + 6] = 0x20; // more follow
    assert_eq!(inside(&first), Ok(None));
}
