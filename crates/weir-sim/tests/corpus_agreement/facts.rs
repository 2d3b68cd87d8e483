//! What two parsers can be asked about a frame, and how their answers are compared.

use std::net::IpAddr;

/// The outermost IP packet of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// VLAN tags before it.
    pub tags: usize,
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol behind the IP headers.
    pub proto: u8,
    /// Offset in bytes and "more follow", where it is a fragment.
    pub fragment: Option<(u32, bool)>,
    /// What its transport header says, where there is one.
    pub transport: Option<Transport>,
}

/// A transport header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Ports and flags.
    Tcp(u16, u16, u8),
    /// Ports.
    Udp(u16, u16),
    /// Type and code.
    Icmp(u8, u8),
    /// Ports.
    Sctp(u16, u16),
}

/// Names of the facts that differ.
pub fn differing(ours: &Facts, theirs: &Facts) -> Vec<&'static str> {
    let same = [
        ("tags", ours.tags == theirs.tags),
        ("source", ours.src == theirs.src),
        ("destination", ours.dst == theirs.dst),
        ("protocol", ours.proto == theirs.proto),
        ("fragment", ours.fragment == theirs.fragment),
        ("transport", ours.transport == theirs.transport),
    ];
    same.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect()
}
