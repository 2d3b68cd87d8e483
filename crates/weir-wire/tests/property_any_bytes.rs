//! Arbitrary and half-plausible bytes: no panic, no read outside the frame, no difference between a snapped frame and a whole one
//! other than "unreadable".

mod common;
mod packets;

use common::invariants::{check, check_snapped};
use proptest::collection::vec;
use proptest::prelude::*;
use weir_wire::{Bytes, dns, icmp, tcp};

/// A golden packet with some bytes overwritten: passes the first checks and lies in the later ones.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let all = packets::all();
    (
        0..all.len(),
        vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        vec(any::<u8>(), 0..24),
        any::<prop::sample::Index>(),
    )
        .prop_map(move |(which, changes, behind, cut)| {
            let mut data = all[which].1.clone();
            for (at, value) in changes {
                let at = at.index(data.len());
                data[at] = value;
            }
            data.extend(behind);
            let keep = data.len() - cut.index(8).min(data.len());
            data.truncate(keep);
            data
        })
}

/// Random bytes behind an EtherType that is read.
fn behind_ethertype() -> impl Strategy<Value = Vec<u8>> {
    let ethertype = prop::sample::select(vec![0x0800u16, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x0026]);
    (ethertype, any::<u8>(), vec(any::<u8>(), 0..200)).prop_map(|(ethertype, version, mut rest)| {
        if let Some(first) = rest.first_mut() {
            // Half of them have a version that fits.
            *first = match version & 3 {
                0 => 0x45,
                1 => 0x60,
                _ => *first,
            };
        }
        [&packets::ethernet::ADDRESSES[..], &ethertype.to_be_bytes(), &rest].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_frames(data in vec(any::<u8>(), 0..256), kept in 0usize..256) {
        check(&Bytes::new(&data));
        check_snapped(&data, kept);
    }

    #[test]
    fn random_behind_an_ethertype(data in behind_ethertype(), kept in 0usize..256) {
        check(&Bytes::new(&data));
        check_snapped(&data, kept);
    }

    #[test]
    fn damaged_golden_packets(data in damaged(), kept in 0usize..256) {
        check(&Bytes::new(&data));
        check_snapped(&data, kept);
    }

    /// The bodies of the fuzz targets, for whoever has no fuzzer at hand.
    #[test]
    fn fuzz_targets(data in vec(any::<u8>(), 0..96)) {
        for (_, run) in common::targets::ALL {
            run(&data);
        }
    }

    /// The readers that take an offset keep to the frame whatever offset they are given.
    #[test]
    fn readers_at_any_offset(data in vec(any::<u8>(), 0..128), off in 0usize..2000, end in 0usize..2000, words in any::<u8>()) {
        let frame = Bytes::new(&data);
        let _ = dns::peek(&frame, off, end);
        let options = tcp::options(&frame, off, words);
        prop_assert_eq!(options.map(|o| o.layout).filter(|_| words > 5), tcp::layout(&frame, off, words).filter(|_| words > 5));
        let _ = weir_wire::ethernet::parse(&frame, off);
        let _ = weir_wire::parse_ip(&frame, off, words & 1 != 0);
        prop_assert_eq!(icmp::has_original(false, words), matches!(words, 3..=5 | 11 | 12));
    }
}
