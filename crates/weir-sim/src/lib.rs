//! The packet pipeline on the host: virtual clock, pcap replay, parity with the kernel.
#![forbid(unsafe_code)]

pub mod detect;
pub mod env;
pub mod eval;
pub mod link;
pub mod parity;
pub mod pcap;
pub mod replay;
pub mod week;
