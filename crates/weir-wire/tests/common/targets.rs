//! What each fuzz target does with its bytes. Here, so that the seeds and every past crash also run as plain tests, on any
//! toolchain; `fuzz/` includes this file.

use super::invariants::{check, check_snapped};
use std::hint::black_box;
use weir_wire::{Bytes, Parsed, dns, tcp, tunnel};

/// A target's name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by its name in `fuzz/fuzz_targets/`.
pub const ALL: [Target; 4] = [("packet", packet), ("tcp_options", tcp_options), ("dns", dns), ("tunnel", tunnel)];

/// A frame, whole and snapped; every field is formatted.
pub fn packet(data: &[u8]) {
    let parsed = check(&Bytes::new(data));
    black_box(format!("{parsed:?}"));
    // A few cuts that depend on the bytes, so that the fuzzer can steer them.
    let steered = data.last().map_or(0, |b| *b as usize);
    for kept in [steered, data.len() / 2, data.len().saturating_sub(1)] {
        check_snapped(data, kept);
    }
}

/// An option list behind a TCP header that fits it, and behind all those that do not.
pub fn tcp_options(data: &[u8]) {
    let list = &data[..data.len().min(tcp::MAX_OPTIONS)];
    let words = 5 + list.len().div_ceil(4);
    let mut frame = vec![0u8; tcp::HEADER];
    frame.extend(list);
    frame.resize(words * 4, 0);
    let frame = Bytes::new(&frame);
    let whole = tcp::options(&frame, 0, words as u8).expect("all of it is there");
    black_box(format!("{whole:?}"));
    assert_eq!(tcp::layout(&frame, 0, words as u8), Some(whole.layout));
    assert_eq!(whole.layout == 0, list.first().is_none_or(|kind| *kind == tcp::kind::END));
    for other in 0..=255 {
        match tcp::options(&frame, 0, other) {
            // A shorter header sees less, or the same; one that is cut inside an option says so.
            Some(o) => {
                assert!(o.mss.is_none_or(|m| whole.mss.is_some() || m == 0) || o.lying || other as usize >= words)
            }
            None => assert!(other as usize > words, "{other} words of {words} are there"),
        }
    }
}

/// A DNS message, at the start of a frame and behind something, cut everywhere.
pub fn dns(data: &[u8]) {
    let whole = dns::peek(&Bytes::new(data), 0, data.len());
    black_box(format!("{whole:?}"));
    for end in 0..=data.len() {
        let cut = dns::peek(&Bytes::new(data), 0, end);
        assert_eq!(cut, dns::peek(&Bytes::new(&data[..end]), 0, end), "bytes behind the end were read");
        if let Some(cut) = cut {
            let whole = whole.expect("more bytes do not take a header away");
            assert!(cut.first_type.is_none() || cut.first_type == whole.first_type);
            assert_eq!((cut.id, cut.questions, cut.answers), (whole.id, whole.questions, whole.answers));
        }
    }
    let behind = [&[0xff; 42], data].concat();
    assert_eq!(dns::peek(&Bytes::new(&behind), 42, behind.len()).map(|d| d.id), whole.map(|d| d.id));
}

/// What a tunnel carries: the first byte chooses the tunnel, the rest is put inside.
pub fn tunnel(data: &[u8]) {
    let Some((choice, inside)) = data.split_first() else { return };
    let inside = &inside[..inside.len().min(1400)];
    let (proto, port): (u8, u16) = match choice % 5 {
        0 => (17, tunnel::VXLAN_PORT),
        1 => (17, tunnel::VXLAN_PORT_OLD),
        2 => (17, tunnel::GENEVE_PORT),
        3 => (tunnel::PROTO_IPIP, 0),
        _ => (tunnel::PROTO_IP6, 0),
    };
    let udp = if port == 0 { 0 } else { 8 };
    let mut frame = vec![2u8; 12];
    frame.extend([0x08, 0x00]);
    let total = (20 + udp + inside.len()) as u16;
    frame.extend([0x45, 0, (total >> 8) as u8, total as u8, 0, 0, 0, 0, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    if port != 0 {
        let length = (8 + inside.len()) as u16;
        for field in [50_000, port, length, 0] {
            frame.extend(u16::to_be_bytes(field));
        }
    }
    frame.extend(inside);
    // Bytes behind the packet that no inner header may reach into.
    frame.extend([0xee; 64]);
    let bytes = Bytes::new(&frame);
    let Parsed::Packet(p) = check(&bytes) else { panic!("the outer packet is sound") };
    black_box(format!("{:?}", tunnel::inner(&bytes, &p)));
    check_snapped(&frame, frame.len() - 64 - inside.len() / 2);
}
