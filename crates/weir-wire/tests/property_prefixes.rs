//! Every prefix of a packet, and every packet with bytes behind it.

mod common;
mod packets;

use common::invariants::{check, check_snapped};
use weir_wire::{Bytes, Parsed};

/// A packet cut by the network (its length field still speaks of the whole) has a named fault at every cut before its end.
#[test]
fn a_cut_packet_is_malformed() {
    for (name, data) in packets::all() {
        let Parsed::Packet(p) = check(&Bytes::new(&data)) else { continue };
        for n in 0..p.ip.end {
            let parsed = check(&Bytes::new(&data[..n]));
            // A length field of zero speaks of nothing: what remains can be a smaller packet.
            let no_length = name == "udp-length-zero"
                || p.ip.length as usize == data.len() - p.ip.header && parsed_is_smaller(&parsed, n);
            assert!(matches!(parsed, Parsed::Malformed(_)) || no_length, "{name} cut to {n}: {parsed:?}");
        }
    }
}

/// Whether what was read ends at the cut.
fn parsed_is_smaller(parsed: &Parsed, n: usize) -> bool {
    matches!(parsed, Parsed::Packet(p) if p.ip.end == n)
}

/// A packet cut by the capture reads like the whole one, or not at all.
#[test]
fn a_snapped_packet_is_the_same_or_unreadable() {
    for (_, data) in packets::all() {
        for kept in 0..=data.len() {
            check_snapped(&data, kept);
        }
    }
}

/// Bytes behind the packet change nothing.
#[test]
fn padding_changes_nothing() {
    for (name, data) in packets::all() {
        let before = check(&Bytes::new(&data));
        for padding in [1, 8, 64] {
            let padded = [&data[..], &vec![0xa5; padding]].concat();
            assert_eq!(check(&Bytes::new(&padded)), before, "{name} with {padding} bytes behind it");
        }
    }
}
