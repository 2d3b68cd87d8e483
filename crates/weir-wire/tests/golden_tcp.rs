//! TCP headers and option layouts, byte by byte.

mod common;
mod packets;

use common::{fault, packet};
use packets::{ethernet, frame, ip4, tcp};
use std::collections::BTreeMap;
use weir_wire::tcp::{Options, layout, options};
use weir_wire::{Bytes, Malformed, Transport};

/// The options of a SYN that carries `list`.
fn of(list: &[u8]) -> Options {
    let data = tcp::over_ip4(0x02, list, b"");
    let p = packet(&data);
    let o = options(&Bytes::new(&data), p.l4, p.data_offset).expect("readable");
    assert_eq!(layout(&Bytes::new(&data), p.l4, p.data_offset), Some(o.layout));
    o
}

#[test]
fn every_field_is_read() {
    let p = packet(&tcp::request());
    assert_eq!(p.transport, Transport::Tcp);
    assert_eq!((p.source_port, p.destination_port), (40_000, 80));
    assert_eq!((p.seq, p.ack), (0x0102_0304, 0x0a0b_0c0d));
    assert_eq!((p.tcp_flags, p.window, p.data_offset), (0x18, 64_240, 8));
    assert_eq!((p.l4, p.payload, p.payload_len()), (54, 54 + 32, 18));
    assert!(!p.is_syn());
}

#[test]
fn a_syn_asks_for_a_connection_and_a_syn_ack_does_not() {
    assert!(packet(&tcp::syn_linux()).is_syn());
    assert!(packet(&tcp::syn_windows()).is_syn());
    assert!(!packet(&tcp::over_ip4(0x12, b"", b"")).is_syn());
}

#[test]
fn linux() {
    let o = of(&tcp::OPTIONS_LINUX);
    assert_eq!(
        (o.mss, o.window_scale, o.sack_permitted, o.timestamp, o.lying),
        (Some(1460), Some(7), true, true, false)
    );
}

#[test]
fn windows() {
    let o = of(&tcp::OPTIONS_WINDOWS);
    assert_eq!(
        (o.mss, o.window_scale, o.sack_permitted, o.timestamp, o.lying),
        (Some(1460), Some(8), true, false, false)
    );
}

#[test]
fn macos_stops_at_the_end_of_the_list() {
    let o = of(&tcp::OPTIONS_MACOS);
    assert_eq!(
        (o.mss, o.window_scale, o.sack_permitted, o.timestamp, o.lying),
        (Some(1460), Some(6), true, true, false)
    );
    // What stands behind the end does not count, whatever it is.
    let mut garbage = tcp::OPTIONS_MACOS;
    garbage[23] = 0xff;
    assert_eq!(of(&garbage), o);
}

#[test]
fn none() {
    assert_eq!(of(b""), Options::default());
    assert_eq!(of(&[0, 0, 0, 0]), Options::default());
}

#[test]
fn layouts_tell_stacks_apart() {
    let lists: [(&str, &[u8]); 7] = [
        ("Linux", &tcp::OPTIONS_LINUX),
        ("Windows", &tcp::OPTIONS_WINDOWS),
        ("macOS", &tcp::OPTIONS_MACOS),
        ("segment size only", &tcp::OPTIONS_MSS_ONLY),
        ("established", &tcp::OPTIONS_TIMESTAMPS),
        ("segment size and SACK", &[2, 4, 5, 0xb4, 1, 1, 4, 2]),
        ("none", b""),
    ];
    let mut seen = BTreeMap::new();
    for (name, list) in lists {
        if let Some(other) = seen.insert(of(list).layout, name) {
            panic!("{name} and {other} have one layout");
        }
    }
}

#[test]
fn values_do_not_change_the_layout() {
    let mut other = tcp::OPTIONS_LINUX;
    other[2] = 0x02; // another segment size
    other[19] = 9; // another window scale
    assert_eq!(of(&other).layout, of(&tcp::OPTIONS_LINUX).layout);
    assert_ne!(of(&other), of(&tcp::OPTIONS_LINUX));
}

#[test]
fn forty_bytes_of_padding_are_walked_to_their_end() {
    let mut list = [1u8; 40];
    list[36..40].copy_from_slice(&[2, 4, 0x05, 0xb4]);
    assert_eq!(of(&list).mss, Some(1460));
}

#[test]
fn lying_lengths_end_the_list() {
    assert!(of(&[2, 0, 5, 0xb4]).lying); // length zero would loop
    assert!(of(&[2, 1, 5, 0xb4]).lying); // below kind and length
    assert!(of(&[2, 40, 5, 0xb4]).lying); // beyond the header
    assert!(of(&[1, 1, 1, 8]).lying); // the length itself is missing
    assert!(of(&[8, 255, 0, 0]).lying);
    assert!(of(&[2, 1, 1, 0]).lying); // length one would read itself as the next kind
    assert!(of(&[1, 1, 3, 3]).lying); // beyond the header by one byte
    // What stood before it counts; the lying option itself does not.
    let o = of(&[4, 2, 2, 9]);
    assert_eq!((o.sack_permitted, o.mss, o.lying), (true, None, true));
}

#[test]
fn an_option_of_the_wrong_size_is_not_believed() {
    let o = of(&[2, 3, 5, 1, 3, 4, 7, 7]);
    assert_eq!((o.mss, o.window_scale, o.lying), (None, None, false));
}

#[test]
fn bad_offsets_are_named() {
    let with = |offset: u8| {
        let mut data = tcp::over_ip4(0x02, b"", b"");
        data[14 + 20 + 12] = offset << 4;
        data
    };
    assert_eq!(fault(&with(0)), Malformed::TcpBadOffset);
    assert_eq!(fault(&with(4)), Malformed::TcpBadOffset);
    assert_eq!(fault(&with(6)), Malformed::TcpBadOffset); // one word beyond the packet
    assert_eq!(fault(&with(15)), Malformed::TcpBadOffset);
}

#[test]
fn a_packet_shorter_than_the_header_is_named() {
    for n in 0..20 {
        let data = frame(&[&ethernet::IP4, &ip4::header(6, 20 + n), &tcp::header(0x02, 0)[..n as usize]]);
        assert_eq!(fault(&data), Malformed::TcpTruncated, "{n} bytes");
    }
}
