//! What is protected, and how.

use std::net::IpAddr;

use crate::limits::Rate;

/// Where a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Destination address; an IPv4-mapped IPv6 address is the IPv4 address it means.
    pub addr: IpAddr,
    /// Destination port, 0: any.
    pub port: u16,
    /// IP protocol number, 0: any; with a port: TCP, UDP, UDP-Lite and SCTP.
    pub proto: u8,
}

/// Checks of single packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hygiene {
    /// Refuse TCP flag combinations that no stack sends. On.
    pub tcp_flags: bool,
    /// Refuse packets whose source is their destination. On.
    pub land: bool,
    /// Refuse TCP and UDP port zero. On.
    pub port_zero: bool,
    /// Refuse sources that cannot be a sender's address. Off.
    pub bogons: bool,
    /// Refuse UDP from ports that reflection attacks use. Off: a target that asks such services gets their answers from there.
    pub reflection: bool,
}

impl Default for Hygiene {
    fn default() -> Self {
        Self { tcp_flags: true, land: true, port_zero: true, bogons: false, reflection: false }
    }
}

/// What becomes of fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fragments {
    /// The first one decides for the rest of its datagram.
    #[default]
    Track,
    /// All are refused.
    Drop,
    /// They pass the other checks, each alone.
    Pass,
}

/// When SYNs of sources that have proven nothing are challenged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// While an incident asks for it.
    #[default]
    Auto,
    /// At all times.
    Always,
    /// Never.
    Never,
}

/// Limits of one kind of key; none: not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Packets.
    pub packets: Option<Rate>,
    /// Bytes of whole frames.
    pub bytes: Option<Rate>,
    /// New connections: TCP SYNs without ACK.
    pub connections: Option<Rate>,
}

/// One protected service, pod or node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name, unique in the policy; it keeps its id and counters as long as it keeps its name.
    pub name: String,
    /// Where it is reached.
    pub endpoints: Vec<Endpoint>,
    /// Drop; off: count what would be dropped. Off.
    pub enforce: bool,
    /// Checks of single packets.
    pub hygiene: Hygiene,
    /// What becomes of fragments. Tracked.
    pub fragments: Fragments,
    /// IP protocols it serves, others are refused; empty: all are served. Empty.
    pub served: Vec<u8>,
    /// Limits of one source: an IPv4 address or an IPv6 /64. None.
    pub per_source: RateLimits,
    /// Limits of one source network: an IPv4 /24 or an IPv6 /48. None.
    pub per_prefix: RateLimits,
    /// Limits of everything to this target. None.
    pub per_target: RateLimits,
    /// Limit of later fragments whose first one was not seen. [`Rate::UNMATCHED_FRAGMENTS`].
    pub unmatched_fragments: Rate,
    /// Sets whose entries are this target's own allow and deny list: numbers from [`crate::model::Policy::sets`]. None.
    pub lists: Vec<u32>,
    /// When SYNs of sources that have proven nothing are challenged. While there is an attack.
    pub challenge: Challenge,
    /// Limit of challenged SYNs that pass because they came again. [`Rate::REPEATED_SYNS`].
    pub repeated_syns: Rate,
    /// Targets of one group share what a source has used of its limits; empty: the target is alone. Empty.
    pub limit_group: String,
}

impl Target {
    /// A target without endpoints, observed only, with the defaults stated at each field.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            endpoints: Vec::new(),
            enforce: false,
            hygiene: Hygiene::default(),
            fragments: Fragments::default(),
            served: Vec::new(),
            per_source: RateLimits::default(),
            per_prefix: RateLimits::default(),
            per_target: RateLimits::default(),
            unmatched_fragments: Rate::UNMATCHED_FRAGMENTS,
            challenge: Challenge::default(),
            repeated_syns: Rate::REPEATED_SYNS,
            lists: Vec::new(),
            limit_group: String::new(),
        }
    }
}
