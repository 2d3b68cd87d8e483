//! Headers that another library writes are read back equal.

mod common;

use common::{address, invariants};
use etherparse::{IpFragOffset, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader, UdpHeader, VlanId};
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::IpAddr;
use weir_wire::fragment::Kind;
use weir_wire::{Bytes, Packet, Parsed, Transport};

/// An address pair of one family.
#[derive(Clone, Debug)]
enum Pair {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

fn pair() -> impl Strategy<Value = Pair> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<[u8; 4]>()).prop_map(|(a, b)| Pair::V4(a, b)),
        // Mapped addresses are written as IPv4 by `address`; they do not occur on the wire.
        (any::<[u8; 16]>(), any::<[u8; 16]>())
            .prop_filter("mapped", |(a, b)| a[0] != 0 && b[0] != 0)
            .prop_map(|(a, b)| Pair::V6(a, b)),
    ]
}

/// No tag, one, or two.
fn tags() -> impl Strategy<Value = Vec<u16>> {
    vec(0u16..4096, 0..=2)
}

fn id(n: u16) -> VlanId {
    VlanId::try_new(n).expect("twelve bits")
}

/// The frame of link, tags and IP header that `finish` completes.
macro_rules! build {
    ($pair:expr, $ttl:expr, $tags:expr, |$b:ident| $finish:expr) => {{
        let start = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        macro_rules! with_ip {
            ($link:expr) => {
                match &$pair {
                    Pair::V4(a, b) => {
                        let $b = $link.ipv4(*a, *b, $ttl);
                        $finish
                    }
                    Pair::V6(a, b) => {
                        let $b = $link.ipv6(*a, *b, $ttl);
                        $finish
                    }
                }
            };
        }
        match $tags[..] {
            [] => with_ip!(start),
            [one] => with_ip!(start.single_vlan(id(one))),
            _ => with_ip!(start.double_vlan(id($tags[0]), id($tags[1]))),
        }
    }};
}

/// What every packet of a pair must show.
fn same_ip(data: &[u8], pair: &Pair, ttl: u8, tags: usize) -> Packet {
    let parsed = invariants::check(&Bytes::new(data));
    let Parsed::Packet(p) = parsed else { panic!("{parsed:?}") };
    let (src, dst): (IpAddr, IpAddr) = match pair {
        Pair::V4(a, b) => ((*a).into(), (*b).into()),
        Pair::V6(a, b) => ((*a).into(), (*b).into()),
    };
    assert_eq!((address(p.ip.src), address(p.ip.dst), p.ip.ttl), (src, dst, ttl));
    assert_eq!(p.ip.header, 14 + 4 * tags);
    assert_eq!(p.ip.end, data.len());
    p
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn udp(pair in pair(), ttl: u8, tags in tags(), ports: (u16, u16), payload in vec(any::<u8>(), 0..64)) {
        let mut data = Vec::new();
        build!(pair, ttl, tags, |b| b.udp(ports.0, ports.1).write(&mut data, &payload)).unwrap();
        let p = same_ip(&data, &pair, ttl, tags.len());
        prop_assert_eq!((p.transport, p.source_port, p.destination_port), (Transport::Udp, ports.0, ports.1));
        prop_assert_eq!(&data[p.payload..p.ip.end], &payload[..]);
    }

    #[test]
    fn tcp(
        pair in pair(), ttl: u8, tags in tags(), ports: (u16, u16), numbers: (u32, u32), window: u16, flags: u8,
        options in vec(any::<u8>(), 0..=40), payload in vec(any::<u8>(), 0..64),
    ) {
        let mut header = TcpHeader::new(ports.0, ports.1, numbers.0, window);
        header.acknowledgment_number = numbers.1;
        header.fin = flags & 0x01 != 0;
        header.syn = flags & 0x02 != 0;
        header.rst = flags & 0x04 != 0;
        header.psh = flags & 0x08 != 0;
        header.ack = flags & 0x10 != 0;
        header.urg = flags & 0x20 != 0;
        header.ece = flags & 0x40 != 0;
        header.cwr = flags & 0x80 != 0;
        header.set_options_raw(&options).unwrap();
        let words = header.data_offset();
        let mut data = Vec::new();
        build!(pair, ttl, tags, |b| b.tcp_header(header).write(&mut data, &payload)).unwrap();
        let p = same_ip(&data, &pair, ttl, tags.len());
        prop_assert_eq!((p.transport, p.source_port, p.destination_port), (Transport::Tcp, ports.0, ports.1));
        prop_assert_eq!((p.seq, p.ack, p.window, p.tcp_flags), (numbers.0, numbers.1, window, flags));
        prop_assert_eq!(p.data_offset, words);
        prop_assert_eq!(&data[p.payload..p.ip.end], &payload[..]);
    }

    #[test]
    fn icmp(pair in pair(), ttl: u8, tags in tags(), echo: (u16, u16), payload in vec(any::<u8>(), 0..64)) {
        let mut data = Vec::new();
        // Each family its own: the builder writes whatever it is told.
        let kind = match pair { Pair::V4(..) => 8, Pair::V6(..) => 128 };
        match pair {
            Pair::V4(..) => build!(pair, ttl, tags, |b| b.icmpv4_echo_request(echo.0, echo.1).write(&mut data, &payload)),
            Pair::V6(..) => build!(pair, ttl, tags, |b| b.icmpv6_echo_request(echo.0, echo.1).write(&mut data, &payload)),
        }.unwrap();
        let p = same_ip(&data, &pair, ttl, tags.len());
        prop_assert_eq!((p.transport, p.source_port), (Transport::Icmp, kind << 8));
        prop_assert_eq!(&data[p.payload..p.ip.end], &payload[..]);
    }

    #[test]
    fn ip4_header_fields(
        src: [u8; 4], dst: [u8; 4], ttl: u8, tos: (u8, u8), number: u16, flags: (bool, bool), units in 0u16..8000,
        words in 0usize..=10, payload in vec(any::<u8>(), 8..64),
    ) {
        // Whole units: a fragment that is not the last has to have them.
        let payload = &payload[..payload.len() / 8 * 8];
        let mut header = Ipv4Header::new(payload.len() as u16, ttl, etherparse::ip_number::OSPFIGP, src, dst).unwrap();
        header.dscp = (tos.0 & 63).try_into().unwrap();
        header.ecn = (tos.1 & 3).try_into().unwrap();
        header.identification = number;
        (header.dont_fragment, header.more_fragments) = flags;
        header.fragment_offset = IpFragOffset::try_new(units).unwrap();
        header.options = vec![1u8; words * 4].as_slice().try_into().unwrap();
        header.set_payload_len(payload.len()).unwrap();
        let mut data = [[2; 12].as_slice(), &[8, 0]].concat();
        header.write_raw(&mut data).unwrap();
        data.extend(payload);
        let p = same_ip(&data, &Pair::V4(src, dst), ttl, 0);
        prop_assert_eq!((p.ip.tos, p.ip.id_zero), ((tos.0 & 63) << 2 | tos.1 & 3, number == 0));
        prop_assert_eq!((p.ip.dont_fragment, p.ip.fragment.more), flags);
        prop_assert_eq!((p.ip.fragment.offset, p.ip.fragment.length), (units as u32 * 8, payload.len() as u32));
        prop_assert_eq!((p.ip.fragment.id, p.ip.options), (number as u32, words > 0));
        let kind = if units != 0 { Kind::Later } else if flags.1 { Kind::First } else { Kind::Whole };
        prop_assert_eq!(p.ip.fragment.kind, kind);
    }

    #[test]
    fn ip6_header_fields(src: [u8; 16], dst: [u8; 16], ttl: u8, class: u8, label in 0u32..0x10_0000, ports: (u16, u16)) {
        prop_assume!(src[0] != 0 && dst[0] != 0);
        let udp = UdpHeader { source_port: ports.0, destination_port: ports.1, length: 8, checksum: 0 };
        let header = Ipv6Header {
            traffic_class: class,
            flow_label: label.try_into().unwrap(),
            payload_length: 8,
            next_header: etherparse::ip_number::UDP,
            hop_limit: ttl,
            source: src,
            destination: dst,
        };
        let data = [[2; 12].as_slice(), &[0x86, 0xdd], &header.to_bytes(), &udp.to_bytes()].concat();
        let p = same_ip(&data, &Pair::V6(src, dst), ttl, 0);
        prop_assert_eq!((p.ip.tos, p.source_port, p.destination_port), (class, ports.0, ports.1));
        prop_assert!(!p.ip.options && p.ip.v6);
    }
}
