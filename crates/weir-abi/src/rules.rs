//! Match rules as bit vectors (Lakshman and Stiliadis, "High-Speed Policy-Based Packet Forwarding…", SIGCOMM 1998).
//!
//! For each of 24 bytes drawn from a packet's headers and payload stands a table of 256 words; bit `r` of a word is set where
//! conjunction `r` accepts that value. ANDing the 24 words decides all 64 conjunctions. Every conjunction is exact: what a
//! set of bytes cannot say exactly (a range over two bytes, several values) is split into more of them when compiled.

/// Bytes of a packet that rules can see, see [`field`].
pub const FIELDS: usize = 24;
/// Conjunctions that can be in force at once.
pub const SLOTS: usize = 64;

/// Which byte of the match vector holds what.
pub mod field {
    /// IP protocol (of the innermost extension header chain's end).
    pub const PROTOCOL: usize = 0;
    /// TTL or hop limit.
    pub const TTL: usize = 1;
    /// Type of service or traffic class.
    pub const TOS: usize = 2;
    /// IP length (whole packet, header included), high byte.
    pub const LENGTH: usize = 3;
    /// Facts of the IP layer, see [`super::ip_fact`].
    pub const IP_FACTS: usize = 5;
    /// Source port, high byte; ICMP: the type.
    pub const SOURCE_PORT: usize = 6;
    /// Destination port, high byte.
    pub const DESTINATION_PORT: usize = 8;
    /// TCP flags.
    pub const TCP_FLAGS: usize = 10;
    /// TCP window, high byte.
    pub const WINDOW: usize = 11;
    /// TCP data offset in 32-bit words.
    pub const DATA_OFFSET: usize = 13;
    /// Facts of the transport layer, see [`super::l4_fact`].
    pub const L4_FACTS: usize = 14;
    /// Identity of the TCP option layout, see `weir_wire::tcp`.
    pub const OPTION_LAYOUT: usize = 15;
    /// First payload byte; eight of them follow each other.
    pub const PAYLOAD: usize = 16;

    /// What is looked up only for conjunctions that name it ([`super::RuleTables::needs_headers`]): the rest of the IP header.
    pub const HEADERS: [usize; 5] = [TTL, TOS, LENGTH, LENGTH + 1, IP_FACTS];
}

/// Bits of the field [`field::IP_FACTS`].
pub mod ip_fact {
    /// IPv6 packet.
    pub const V6: u8 = 1 << 0;
    /// Don't fragment is set.
    pub const DF: u8 = 1 << 1;
    /// First fragment.
    pub const FRAGMENT_FIRST: u8 = 1 << 2;
    /// Later fragment.
    pub const FRAGMENT_LATER: u8 = 1 << 3;
    /// IPv4 options or IPv6 extension headers are present.
    pub const OPTIONS: u8 = 1 << 4;
    /// The IPv4 identification is zero.
    pub const ID_ZERO: u8 = 1 << 5;
}

/// Bits of the field [`field::L4_FACTS`].
pub mod l4_fact {
    /// The transport header was read.
    pub const PRESENT: u8 = 1 << 0;
    /// No payload byte.
    pub const PAYLOAD_EMPTY: u8 = 1 << 1;
    /// The low 16 bits of the TCP sequence number are zero.
    pub const SEQ_LOW_ZERO: u8 = 1 << 2;
    /// The TCP acknowledgement number is zero.
    pub const ACK_ZERO: u8 = 1 << 3;
    /// At least eight payload bytes.
    pub const PAYLOAD_8: u8 = 1 << 4;
}

/// One copy of the tables; two exist, and the configuration block says which one counts.
#[repr(C, align(64))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTables {
    /// `words[field][value]`: the conjunctions that accept it.
    pub words: [[u64; 256]; FIELDS],
    /// Conjunctions in force. The others accept nothing.
    pub live: u64,
    /// Conjunctions that drop; the others only count (shadow).
    pub enforce: u64,
    /// Conjunctions that look at the option layout, which is read only when one of these is live.
    pub needs_layout: u64,
    /// Conjunctions that also match packets of known flows: those that people wrote. What an attack by strangers taught must
    /// not touch them.
    pub known: u64,
    /// Conjunctions that hold what they match to a limit of its target, see [`crate::TargetPolicy::matched`]; none of those that drop.
    pub limit: u64,
    /// Of those that drop, the ones that do so where the target only observes, too: a person has approved them.
    pub insist: u64,
    /// Conjunctions that look at the payload, which is read only where one of these fits all else.
    pub needs_payload: u64,
    /// Conjunctions that look at [`field::HEADERS`], which are looked up only where one of these fits what was before.
    pub needs_headers: u64,
    /// Conjunctions that look at [`field::DATA_OFFSET`] or ask more of [`field::L4_FACTS`] than that the transport header was read, likewise.
    pub needs_facts: u64,
    /// Room to the end of the line.
    pub reserved: [u64; 7],
    /// Identity of the rule that owns each conjunction, for samples and `explain`.
    pub owner: [u32; SLOTS],
}

const _: () = assert!(size_of::<RuleTables>() == FIELDS * 2048 + 128 + 256);
