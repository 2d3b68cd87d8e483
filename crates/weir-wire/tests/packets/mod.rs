//! Hand-made packets, one file per protocol. Every field has its comment: the bytes are the documentation of the format.
//!
//! A frame is a concatenation of layers, so that a test can change one of them and say so.
#![allow(dead_code, reason = "every test binary uses a part")]

pub mod dns;
pub mod ethernet;
pub mod fragment;
pub mod icmp;
pub mod icmp6;
pub mod ip4;
pub mod ip6;
pub mod sctp;
pub mod tcp;
pub mod tunnel;
pub mod udp;

/// Layers, one behind the other.
pub fn frame(layers: &[&[u8]]) -> Vec<u8> {
    layers.concat()
}

/// Every well-formed packet here, by name: the ground for the prefix property and for the seeds of the fuzzers.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    [
        ethernet::all(),
        ip4::all(),
        ip6::all(),
        fragment::all(),
        tcp::all(),
        udp::all(),
        icmp::all(),
        icmp6::all(),
        sctp::all(),
        tunnel::all(),
        dns::all(),
    ]
    .concat()
}
