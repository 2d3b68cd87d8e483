//! What a flood's frame looks like, in words, and its translation into the template that the kernel program fills.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::abi::{Field, HEADER_BYTES, HEADER_START, HEADER_WORDS, MAX_FIELDS, Plan, SUM_IP, SUM_L4};
use super::internet;

mod build;

/// Whom the packets claim to come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `count` IPv4 addresses from `first` on (at most 2^32).
    V4 {
        /// The lowest address.
        first: Ipv4Addr,
        /// How many.
        count: u64,
    },
    /// All of an IPv6 prefix.
    V6 {
        /// The prefix; bits beyond its length are taken as random.
        prefix: Ipv6Addr,
        /// Its length; 128 for one address.
        length: u8,
    },
}

impl Source {
    /// Spoofed IPv4: 11.0.0.0 to 99.255.255.255, one and a half thousand million ordinary addresses without any special
    /// range (private, shared, documentation, multicast) between them.
    pub fn any_v4() -> Source {
        Source::V4 { first: Ipv4Addr::new(11, 0, 0, 0), count: 89 << 24 }
    }

    /// Spoofed IPv6: the addresses that a regional registry hands out.
    pub fn any_v6() -> Source {
        Source::V6 { prefix: Ipv6Addr::new(0x2a00, 0, 0, 0, 0, 0, 0, 0), length: 12 }
    }

    /// One address.
    pub fn one(address: IpAddr) -> Source {
        match address {
            IpAddr::V4(first) => Source::V4 { first, count: 1 },
            IpAddr::V6(prefix) => Source::V6 { prefix, length: 128 },
        }
    }
}

/// `count` ports from `first` on, drawn at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The lowest port.
    pub first: u16,
    /// How many, at least 1.
    pub count: u32,
}

impl Ports {
    /// One port.
    pub const fn one(port: u16) -> Ports {
        Ports { first: port, count: 1 }
    }

    /// Any port from 1024 on.
    pub const EPHEMERAL: Ports = Ports { first: 1024, count: 64512 };
}

/// What stands behind the IP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// TCP with random sequence number, and random acknowledgement number when the flags have ACK.
    Tcp {
        /// Source ports.
        from: Ports,
        /// Destination ports.
        to: Ports,
        /// The flags byte.
        flags: u8,
        /// Options, a multiple of four bytes long, at most 40.
        options: Vec<u8>,
    },
    /// UDP.
    Udp {
        /// Source ports.
        from: Ports,
        /// Destination ports.
        to: Ports,
    },
    /// ICMP or ICMPv6 echo requests with random identifier and sequence number.
    Echo,
    /// Fragments of UDP datagrams, never the whole of one.
    Fragment {
        /// The first fragment, with the UDP header to this port; else a later one, at a random offset, of a random datagram.
        first_to: Option<u16>,
    },
}

/// What follows the headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The same bytes in every packet.
    pub bytes: Vec<u8>,
    /// Then so many zero bytes, drawn at random for every packet.
    pub zeros: RangeInclusive<u16>,
}

impl Payload {
    /// No payload.
    pub fn none() -> Payload {
        Payload::zeros(0)
    }

    /// A fixed number of zero bytes.
    pub fn zeros(count: u16) -> Payload {
        Payload { bytes: Vec::new(), zeros: count..=count }
    }
}

/// One kind of frame of a flood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// MAC address of the sender.
    pub from_mac: [u8; 6],
    /// MAC address of the receiver.
    pub to_mac: [u8; 6],
    /// Claimed senders.
    pub source: Source,
    /// The victim; of the same IP version.
    pub destination: IpAddr,
    /// How many neighbours are attacked, from the victim on: a carpet of them, or 1.
    pub destinations: u32,
    /// IPv4's "don't fragment", which ordinary systems set on TCP.
    pub df: bool,
    /// Time to live, or hop limit.
    pub hops: RangeInclusive<u8>,
    /// What is in the packet.
    pub protocol: Protocol,
    /// And behind that.
    pub payload: Payload,
}

/// Why a frame cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Source and destination do not fit together.
    #[error("source and destination are of different IP versions")]
    MixedVersions,
    /// A range without a value in it.
    #[error("{0} has no value to draw from")]
    Empty(&'static str),
    /// A range that leaves its field.
    #[error("{0} reaches beyond its largest value")]
    Beyond(&'static str),
    /// TCP options that cannot stand in a header.
    #[error("TCP options must be a multiple of four bytes and at most 40, not {0}")]
    Options(usize),
    /// A frame that does not fit into one page with what the kernel puts beside it.
    #[error("a frame of {0} bytes is too long; the longest is {MAX_FRAME}")]
    TooLong(usize),
}

/// The longest frame: an Ethernet frame of the usual kind.
pub const MAX_FRAME: usize = 1514;

/// A frame ready for the kernel: its first image, and what to draw for every packet.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) bytes: Vec<u8>,
    pub(super) plan: Plan,
}

impl Frame {
    /// The frame as bytes: random fields have their smallest value, checksums are zero. For test runs of programs.
    pub fn image(&self) -> Result<Vec<u8>, FrameError> {
        Ok(self.template()?.bytes)
    }

    /// Translates the description; interface and counter slot of the plan are still to be set.
    pub(super) fn template(&self) -> Result<Template, FrameError> {
        build::template(self)
    }
}

#[cfg(test)]
mod tests;
