//! Frames of which only the head can be read: unreadable is a verdict of its own, never "malformed" and never a guess.

mod common;
mod packets;

use common::invariants::check;
use weir_wire::{Bytes, Frame, Parsed};

#[test]
fn a_capture_of_96_bytes_reads_like_the_whole_packet() {
    let data = packets::tcp::over_ip4(0x18, &packets::tcp::OPTIONS_TIMESTAMPS, &[b'x'; 1400]);
    let whole = check(&Bytes::new(&data));
    assert!(matches!(whole, Parsed::Packet(p) if p.payload_len() == 1400));
    assert_eq!(check(&Bytes::snapped(&data[..96], data.len())), whole);
}

#[test]
fn headers_outside_the_capture_are_unreadable() {
    let data = packets::tcp::syn_linux();
    for (kept, what) in [(0, "nothing"), (13, "Ethernet"), (20, "IPv4"), (40, "TCP")] {
        assert_eq!(check(&Bytes::snapped(&data[..kept], data.len())), Parsed::Unreadable, "cut inside {what}");
    }
    for (kept, data) in [(15, packets::ethernet::vlan()), (19, packets::ethernet::qinq())] {
        assert_eq!(check(&Bytes::snapped(&data[..kept], data.len())), Parsed::Unreadable, "cut inside a tag");
    }
    let data = packets::ip6::six_extensions();
    assert_eq!(check(&Bytes::snapped(&data[..58], data.len())), Parsed::Unreadable, "cut inside an extension header");
}

#[test]
fn options_outside_the_capture_are_none() {
    let data = packets::tcp::syn_linux();
    let frame = Bytes::snapped(&data[..60], data.len());
    let Parsed::Packet(p) = check(&frame) else { panic!("the fixed header is there") };
    assert_eq!(weir_wire::tcp::options(&frame, p.l4, p.data_offset), None);
}

#[test]
fn nothing_is_read_behind_the_kernels_bound() {
    // The host refuses what the kernel program refuses, though its memory would allow more.
    let data = [0u8; 4096];
    let frame = Bytes::new(&data);
    assert_eq!(frame.bytes::<4>(weir_wire::MAX_OFFSET), Some([0; 4]));
    assert_eq!(frame.bytes::<4>(weir_wire::MAX_OFFSET + 1), None);
    assert_eq!(frame.bytes::<4>(usize::MAX), None);
}

#[test]
fn a_length_below_the_bytes_is_the_captures_mistake() {
    let data = packets::tcp::syn_linux();
    assert_eq!(check(&Bytes::snapped(&data, 10)), check(&Bytes::new(&data)));
}
