//! Link types, and how a frame of each is made to look like Ethernet: the pipeline reads nothing else.

use crate::pcap::Record;
use std::borrow::Cow;
use std::fmt;
use weir_wire::Bytes;
use weir_wire::ethernet::{HEADER, ethertype};

/// What a captured frame starts with (tcpdump.org/linktypes.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LinkType {
    /// BSD loopback: four bytes of address family, in the byte order of the machine that captured.
    Null,
    /// Ethernet.
    Ethernet,
    /// OpenBSD loopback: the same in network byte order.
    Loop,
    /// IPv4 or IPv6 without anything before it.
    Raw,
    /// Linux "cooked" capture.
    LinuxSll,
    /// The same, version 2.
    LinuxSll2,
    /// IPv4 alone.
    Ip4,
    /// IPv6 alone.
    Ip6,
    /// Another one: not read.
    Other(u16),
}

impl LinkType {
    /// The type with this number. 12 and 14 are what `DLT_RAW` is on some systems.
    pub fn from_number(n: u16) -> Self {
        match n {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 => Self::Raw,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            228 => Self::Ip4,
            229 => Self::Ip6,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }

    /// Its number in files.
    pub fn number(self) -> u16 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::Raw => 101,
            Self::Loop => 108,
            Self::LinuxSll => 113,
            Self::Ip4 => 228,
            Self::Ip6 => 229,
            Self::LinuxSll2 => 276,
            Self::Other(n) => n,
        }
    }

    /// Bytes before the network layer; nothing for types that are not read.
    fn header(self) -> Option<usize> {
        match self {
            Self::Ethernet => Some(HEADER),
            Self::Null | Self::Loop => Some(4),
            Self::LinuxSll => Some(16),
            Self::LinuxSll2 => Some(20),
            Self::Raw | Self::Ip4 | Self::Ip6 => Some(0),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(n) => write!(f, "link type {n}"),
            known => write!(f, "{known:?}"),
        }
    }
}

/// A frame that starts with an Ethernet header, given or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ethernet<'a> {
    /// What can be read.
    pub data: Cow<'a, [u8]>,
    /// Length on the wire.
    pub length: usize,
}

impl Ethernet<'_> {
    /// As the pipeline reads it.
    pub fn frame(&self) -> Bytes<'_> {
        Bytes::snapped(&self.data, self.length)
    }
}

/// The record's frame with an Ethernet header in front: its own, or one made from what stands there. Nothing for link types
/// that are not read.
pub fn ethernet(record: &Record) -> Option<Ethernet<'_>> {
    let header = record.link.header()?;
    let original = record.original_length as usize;
    if record.link == LinkType::Ethernet {
        return Some(Ethernet { data: Cow::Borrowed(&record.data), length: original });
    }
    let Some((head, packet)) = record.data.split_at_checked(header) else {
        // Cut inside its header: a frame that ends there, or of which nothing can be read.
        let length = if original < header { 0 } else { original - header + HEADER };
        return Some(Ethernet { data: Cow::Borrowed(&[]), length });
    };
    let mut data = Vec::with_capacity(HEADER + packet.len());
    data.extend([0; 6]);
    data.extend(source(record.link, head));
    data.extend(protocol(record.link, head, packet).to_be_bytes());
    data.extend(packet);
    Some(Ethernet { data: Cow::Owned(data), length: original - header + HEADER })
}

/// The sender's address where the header has one of six bytes.
fn source(link: LinkType, head: &[u8]) -> [u8; 6] {
    let at = match link {
        LinkType::LinuxSll => 6,
        LinkType::LinuxSll2 => 12,
        _ => return [0; 6],
    };
    head.get(at..at + 6).and_then(|a| a.try_into().ok()).unwrap_or([0; 6])
}

/// An EtherType that says what `packet` is. Below [`ethertype::FIRST`] it is a length: no network layer that is read.
fn protocol(link: LinkType, head: &[u8], packet: &[u8]) -> u16 {
    let be16 = |at: usize| head.get(at..at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
    match link {
        LinkType::Ip4 => ethertype::IP4,
        LinkType::Ip6 => ethertype::IP6,
        LinkType::Raw => match packet.first().map(|b| b >> 4) {
            // Without a byte there is nothing to go by: an empty IPv4 packet, which is malformed.
            Some(4) | None => ethertype::IP4,
            Some(6) => ethertype::IP6,
            Some(_) => 0,
        },
        LinkType::Null | LinkType::Loop => head.try_into().map_or(0, family),
        LinkType::LinuxSll => cooked(be16(2), be16(14)),
        LinkType::LinuxSll2 => cooked(be16(8), be16(0)),
        LinkType::Ethernet | LinkType::Other(_) => 0,
    }
}

/// The protocol of a cooked header is an EtherType, except on interfaces whose packets are not network packets.
fn cooked(hardware: u16, protocol: u16) -> u16 {
    /// `ARPHRD_NETLINK`: the field holds the netlink family.
    const NETLINK: u16 = 824;
    /// `ARPHRD_FRAD` and the IEEE 802.11 types with a radio header: the field means nothing.
    const NO_PROTOCOL: [u16; 4] = [770, 801, 802, 803];
    if hardware == NETLINK || NO_PROTOCOL.contains(&hardware) { 0 } else { protocol }
}

/// The EtherType of an address family, in either byte order. Families have one number for IPv4 and five for IPv6. Some writers put
/// an EtherType there instead.
fn family(head: [u8; 4]) -> u16 {
    let (little, big) = (u32::from_le_bytes(head), u32::from_be_bytes(head));
    for n in [little, big] {
        match n {
            2 => return ethertype::IP4,
            // Linux, BSD/OS and NetBSD, FreeBSD, macOS.
            10 | 24 | 28 | 30 => return ethertype::IP6,
            _ => {}
        }
    }
    u16::try_from(big).ok().filter(|n| *n >= ethertype::FIRST).unwrap_or(0)
}
