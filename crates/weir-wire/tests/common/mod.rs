//! What the tests of this crate share.
#![allow(dead_code, reason = "every test binary uses a part")]

pub mod invariants;
pub mod targets;

use std::net::{IpAddr, Ipv6Addr};
use weir_wire::{Bytes, Malformed, Packet, Parsed};

/// What a frame turns out to be; its invariants hold, also where it is cut anywhere.
pub fn read(data: &[u8]) -> Parsed {
    for kept in 0..data.len() {
        invariants::check_snapped(data, kept);
    }
    invariants::check(&Bytes::new(data))
}

/// The packet that a frame carries.
#[track_caller]
pub fn packet(data: &[u8]) -> Packet {
    match read(data) {
        Parsed::Packet(p) => p,
        other => panic!("not a packet: {other:?}"),
    }
}

/// The fault of a frame.
#[track_caller]
pub fn fault(data: &[u8]) -> Malformed {
    match read(data) {
        Parsed::Malformed(m) => m,
        other => panic!("not malformed: {other:?}"),
    }
}

/// An address in its two words, as people write it.
pub fn address(words: (u64, u64)) -> IpAddr {
    let v6 = Ipv6Addr::from((words.0 as u128) << 64 | words.1 as u128);
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
}

/// Source and destination as text.
pub fn addresses(p: &Packet) -> (String, String) {
    (address(p.ip.src).to_string(), address(p.ip.dst).to_string())
}
