//! The packet pipeline on the host: virtual clock, pcap replay, parity with the kernel.
#![forbid(unsafe_code)]

pub mod link;
pub mod pcap;
