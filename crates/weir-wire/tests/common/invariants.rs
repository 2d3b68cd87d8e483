//! What holds for every frame, whatever its bytes: used by the property tests here and by the fuzz targets.

use weir_wire::fragment::Kind;
use weir_wire::packet::proto;
use weir_wire::{Bytes, Frame, Packet, Parsed, Transport, dns, icmp, parse, parse_within, plain, tcp, tunnel};

/// Tunnels inside each other that are followed here: more than any user of the crate follows.
const DEPTH: usize = 4;

/// Reads everything that can be read of a frame and checks that nothing lies outside it.
pub fn check(frame: &Bytes) -> Parsed {
    let parsed = parse(frame);
    check_plain(frame, &parsed);
    if let Parsed::Packet(p) = &parsed {
        check_packet(frame, p, frame.len());
        check_tunnels(frame, p);
    }
    parsed
}

/// The short way reads what the long one reads, takes no tunnel, and misses no packet that is plain.
fn check_plain(frame: &Bytes, parsed: &Parsed) {
    let family = plain::family(frame);
    let read = family.and_then(|v6| if v6 { plain::ip6(frame) } else { plain::ip4(frame) });
    if let Some(p) = read {
        assert_eq!(Parsed::Packet(p), *parsed);
        assert_eq!(p, plain::blurred(frame, p));
        assert_eq!(tunnel::inner(frame, &p), Ok(None));
        return;
    }
    if let Parsed::Packet(p) = parsed {
        let untagged = family.is_some() && p.ip.header == 14;
        let known = p.transport == Transport::Tcp || p.transport == Transport::Udp && p.ip.proto == proto::UDP;
        let sized = frame.be16(if p.ip.v6 { 18 } else { 16 }) != Some(0);
        let simple = !p.ip.options && !p.ip.fragment.is_fragment() && !tunnel::is_port(p.destination_port);
        assert!(!(untagged && known && sized && simple), "{p:?} is plain");
    }
}

/// A frame of which only the head was captured reads like the whole one, or not at all.
pub fn check_snapped(data: &[u8], kept: usize) {
    let whole = parse(&Bytes::new(data));
    let kept = kept.min(data.len());
    let snapped = check(&Bytes::snapped(&data[..kept], data.len()));
    assert!(
        snapped == Parsed::Unreadable || snapped == whole,
        "{kept} of {} bytes read as {snapped:?}, all as {whole:?}",
        data.len()
    );
}

/// Offsets, lengths and fields of a packet that may reach to `limit`.
fn check_packet(frame: &Bytes, p: &Packet, limit: usize) {
    let ip = &p.ip;
    assert!(ip.end <= limit && limit <= frame.len(), "{p:?} ends behind {limit}");
    assert_eq!(ip.end - ip.header, ip.length as usize, "{p:?}");
    let smallest = if ip.v6 { 40 } else { 20 };
    assert!(ip.header + smallest <= ip.payload && ip.payload <= ip.end, "{p:?}");

    // The addresses are those in the frame, not a shifted reading of them.
    let address = |off: usize| frame.be32(off).expect("the header was read");
    let (src, dst) = if ip.v6 { (20, 36) } else { (12, 16) };
    assert_eq!(ip.src.1 as u32, address(ip.header + src));
    assert_eq!(ip.dst.1 as u32, address(ip.header + dst));
    if !ip.v6 {
        assert_eq!((ip.src.0, ip.src.1 >> 32), (0, 0xffff));
        assert_eq!((ip.dst.0, ip.dst.1 >> 32), (0, 0xffff));
    }

    let f = &ip.fragment;
    assert_eq!(f.is_fragment(), f.kind != Kind::Whole);
    assert_eq!(f.kind == Kind::Later, f.offset != 0);
    assert!(f.end() <= 65_535, "{f:?}");
    if f.kind == Kind::Later {
        assert_eq!(p.transport, Transport::None, "a later fragment has no transport header: {p:?}");
    }

    assert!(p.payload <= ip.end, "{p:?}");
    assert_eq!(p.payload_len(), ip.end - p.payload);
    match p.transport {
        Transport::None | Transport::Tiny => {
            assert_eq!((p.l4, p.source_port, p.destination_port, p.tcp_flags, p.data_offset), (0, 0, 0, 0, 0));
            assert_eq!((p.window, p.seq, p.ack), (0, 0, 0));
        }
        transport => {
            assert_eq!(p.l4, ip.payload, "{p:?}");
            assert!(p.l4 < p.payload, "{p:?}");
            assert_eq!(Some(p.source_port), frame.be16(p.l4));
            match transport {
                Transport::Icmp => assert_eq!(p.destination_port, 0),
                _ => assert_eq!(Some(p.destination_port), frame.be16(p.l4 + 2)),
            }
        }
    }
    if p.transport == Transport::Tiny {
        assert_eq!(f.kind, Kind::First, "only a first fragment can be too small for its header: {p:?}");
    }
    if p.transport == Transport::Tcp {
        assert_eq!(ip.proto, proto::TCP);
        assert_eq!(Some(p.tcp_flags), frame.u8(p.l4 + 13));
        check_options(frame, p);
    }
    if p.transport == Transport::Icmp {
        // Read for its asserts and overflows alone: what it says is checked by the golden packets.
        let _ = icmp::original(frame, p);
        assert_eq!(ip.proto, if ip.v6 { proto::ICMP6 } else { proto::ICMP });
    }
    if p.transport == Transport::Udp {
        check_dns(frame, p);
    }
    let _ = (p.is_syn(), p.is_neighbour_discovery());
}

/// The options and their short form agree, and a list that lies is told from one that ends.
fn check_options(frame: &Bytes, p: &Packet) {
    let options = tcp::options(frame, p.l4, p.data_offset);
    assert_eq!(options.map(|o| o.layout), tcp::layout(frame, p.l4, p.data_offset));
    let Some(o) = options else { return };
    if p.data_offset == 5 {
        assert_eq!(o, tcp::Options::default(), "{p:?}");
    }
    let anything = o.mss.is_some() || o.window_scale.is_some() || o.sack_permitted || o.timestamp || o.lying;
    assert!(!anything || o.layout != 0, "a list with something in it has an identity: {o:?}");
}

/// A DNS peek stays within the packet.
fn check_dns(frame: &Bytes, p: &Packet) {
    match dns::peek(frame, p.payload, p.ip.end) {
        Some(d) => {
            assert!(p.payload_len() >= dns::HEADER);
            assert!(d.opcode < 16 && d.rcode < 16);
            assert!(d.first_type.is_none() || d.questions > 0 && p.payload_len() >= dns::HEADER + 3);
        }
        None => {
            let readable = frame.data().len().min(p.ip.end);
            assert!(readable < p.payload + dns::HEADER || p.payload > weir_wire::MAX_OFFSET);
        }
    }
}

/// Inner packets stay within those that carry them.
fn check_tunnels(frame: &Bytes, outer: &Packet) {
    let mut p = *outer;
    for _ in 0..DEPTH {
        let Ok(Some(inner)) = tunnel::inner(frame, &p) else { return };
        assert!(inner.ip >= p.ip.payload && inner.ip <= inner.end, "{inner:?}");
        assert!(inner.end <= p.ip.end, "{inner:?}");
        let Parsed::Packet(next) = parse_within(frame, inner.ip, inner.v6, inner.end) else { return };
        check_packet(frame, &next, p.ip.end);
        p = next;
    }
}
