//! Header views from Ethernet to DNS, read through a bounded [`Frame`], for the kernel and the host alike.
//!
//! **Panic contract:** nothing here panics, allocates or reads outside the frame, whatever the bytes. Truncated, lying or
//! looping headers end in a [`Malformed`] that names the fault; bytes that exist but cannot be read (a snapped capture, a
//! fragmented socket buffer) end in [`Parsed::Unreadable`].
//!
//! **Why not slices:** the eBPF verifier learns a packet range only from comparing a packet pointer with the end of the data. A
//! slice's length is a plain number to it, and access through one is refused. Hence the trait.
#![no_std]
#![forbid(unsafe_code)]

pub mod dns;
pub mod ethernet;
pub mod fragment;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod packet;
pub mod plain;
pub mod sctp;
pub mod tcp;
pub mod tunnel;
pub mod udp;

pub mod frame;
mod malformed;

pub use frame::{Bytes, Frame, MAX_OFFSET};
pub use malformed::Malformed;
pub use packet::{Ip, Packet, Parsed, Transport, parse, parse_ip, parse_within};
