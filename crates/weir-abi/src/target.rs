//! Which target a packet is for: address, port and protocol.

use crate::Addr;

/// Key of the target map. Lookup goes from exact to general: (address, port, protocol), (address, 0, protocol), (address, 0, 0).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetKey {
    /// Destination address.
    pub addr: Addr,
    /// Destination port, 0: any.
    pub port: u16,
    /// IP protocol number, 0: any.
    pub proto: u8,
    /// Always zero. Two fields: an array of five bytes would be cleared by a loop in the kernel.
    pub pad: u8,
    /// Always zero.
    pub pad4: u32,
}

const _: () = assert!(size_of::<TargetKey>() == 24);

impl TargetKey {
    /// A key; port and protocol 0 mean "any".
    #[inline(always)]
    pub const fn new(addr: Addr, port: u16, proto: u8) -> Self {
        Self { addr, port, proto, pad: 0, pad4: 0 }
    }
}

/// The target id of packets that belong to no target: its counters are the node's.
pub const NODE: u32 = 0;

/// The protocol number of an address's owner entry: (address, 0, OWNER) names the target that answers for packets without
/// ports (ICMP, other protocols, later fragments) of an address that has targets. 255 is reserved by IANA.
pub const OWNER: u8 = 255;

/// Set in a looked-up target id where only the owner entry matched: the port belongs to no target.
pub const OWNER_ONLY: u32 = 1 << 31;
