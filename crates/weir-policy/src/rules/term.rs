//! One term of a rule, and what it means on a match vector.
//!
//! A term about a protocol's field implies the protocol: `dport 53` does not match an ICMP packet whose bytes happen to look
//! like it, and nothing of the transport layer matches where that header was not read (later fragments).

use weir_abi::rules::{field, ip_fact, l4_fact};

use super::{ByteSet, MatchVector, WordSet};

/// IP protocol numbers (IANA).
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// GRE.
    pub const GRE: u8 = 47;
    /// ESP.
    pub const ESP: u8 = 50;
    /// ICMPv6.
    pub const ICMP6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDPLITE: u8 = 136;
    /// Protocols whose headers begin with two ports.
    pub const WITH_PORTS: [u8; 4] = [TCP, UDP, SCTP, UDPLITE];
}

/// Facts that hold or do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// It is IPv6.
    V6,
    /// Don't fragment is set.
    Df,
    /// It is a fragment, first or later.
    Fragment,
    /// It is a first fragment.
    FirstFragment,
    /// It is a later fragment.
    LaterFragment,
    /// It has IPv4 options or IPv6 extension headers.
    IpOptions,
    /// The IPv4 identification is zero.
    IdZero,
    /// The transport header is followed by at least one byte.
    Payload,
    /// The low 16 bits of the TCP sequence number are zero.
    SeqLowZero,
    /// The TCP acknowledgement number is zero.
    AckZero,
}

/// How a packet's first payload bytes begin; packets with less than eight payload bytes never match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Payload {
    /// How many bytes are compared, 1 to 8.
    pub len: u8,
    /// Which of their bits count; bits behind `len` are clear.
    pub mask: [u8; 8],
    /// Their values; bits that do not count are clear.
    pub value: [u8; 8],
}

/// One term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// The fact holds, or does not.
    Is(Fact, bool),
    /// IP protocol.
    Protocol(ByteSet),
    /// TTL or hop limit.
    Ttl(ByteSet),
    /// Type of service or traffic class.
    Tos(ByteSet),
    /// Length of the whole IP packet, header included.
    Length(WordSet),
    /// Source port.
    SourcePort(WordSet),
    /// Destination port.
    DestinationPort(WordSet),
    /// ICMP or ICMPv6 type.
    IcmpType(ByteSet),
    /// ICMP or ICMPv6 code.
    IcmpCode(ByteSet),
    /// TCP flags: those in `mask` are exactly those in `value`.
    Flags {
        /// Which flags are looked at.
        mask: u8,
        /// Which of them are set.
        value: u8,
    },
    /// TCP window as sent.
    Window(WordSet),
    /// TCP header length in 32-bit words; 5: no options.
    DataOffset(ByteSet),
    /// Identity of the TCP option layout: kinds and order, see `weir_wire::tcp::Options`.
    OptionLayout(ByteSet),
    /// How the payload begins.
    Payload(Payload),
}

/// The initial TTLs that systems use; what arrives is lower by the number of hops.
const INITIAL_TTLS: [u8; 4] = [32, 64, 128, 255];

impl Term {
    /// The TTLs that a packet sent with the initial TTL just at or above `ttl` can arrive with.
    pub fn ttl_bucket(ttl: u8) -> Self {
        let at = INITIAL_TTLS.iter().position(|&i| ttl <= i).unwrap_or(INITIAL_TTLS.len() - 1);
        let low = if at == 0 { 0 } else { INITIAL_TTLS[at - 1] + 1 };
        Self::Ttl(std::iter::once(low..=INITIAL_TTLS[at]).collect())
    }

    /// Whether the term holds, evaluated directly.
    pub fn holds(&self, v: &MatchVector) -> bool {
        let word = |at: usize| u16::from_be_bytes([v[at], v[at + 1]]);
        let read = v[field::L4_FACTS] & l4_fact::PRESENT != 0;
        let is = |protocols: &[u8]| read && protocols.contains(&v[field::PROTOCOL]);
        let ports = || is(&protocol::WITH_PORTS);
        let icmp = || is(&[protocol::ICMP, protocol::ICMP6]);
        let tcp = || is(&[protocol::TCP]);
        match self {
            Term::Is(fact, wanted) => fact.holds(v) == Some(*wanted),
            Term::Protocol(set) => set.contains(v[field::PROTOCOL]),
            Term::Ttl(set) => set.contains(v[field::TTL]),
            Term::Tos(set) => set.contains(v[field::TOS]),
            Term::Length(set) => set.contains(word(field::LENGTH)),
            Term::SourcePort(set) => ports() && set.contains(word(field::SOURCE_PORT)),
            Term::DestinationPort(set) => ports() && set.contains(word(field::DESTINATION_PORT)),
            Term::IcmpType(set) => icmp() && set.contains(v[field::SOURCE_PORT]),
            Term::IcmpCode(set) => icmp() && set.contains(v[field::SOURCE_PORT + 1]),
            Term::Flags { mask, value } => tcp() && v[field::TCP_FLAGS] & mask == *value,
            Term::Window(set) => tcp() && set.contains(word(field::WINDOW)),
            Term::DataOffset(set) => tcp() && set.contains(v[field::DATA_OFFSET]),
            Term::OptionLayout(set) => tcp() && set.contains(v[field::OPTION_LAYOUT]),
            Term::Payload(p) => {
                let eight = v[field::L4_FACTS] & l4_fact::PAYLOAD_8 != 0;
                read && eight && (0..8).all(|i| v[field::PAYLOAD + i] & p.mask[i] == p.value[i])
            }
        }
    }
}

impl Fact {
    /// Whether the fact holds; nothing where the header that could tell was not read.
    #[inline]
    pub fn holds(self, v: &MatchVector) -> Option<bool> {
        let ip = |bits: u8| Some(v[field::IP_FACTS] & bits != 0);
        let l4 = v[field::L4_FACTS];
        let read = l4 & l4_fact::PRESENT != 0;
        let tcp = |bit: u8| (read && v[field::PROTOCOL] == protocol::TCP).then_some(l4 & bit != 0);
        match self {
            Fact::V6 => ip(ip_fact::V6),
            Fact::Df => ip(ip_fact::DF),
            Fact::Fragment => ip(ip_fact::FRAGMENT_FIRST | ip_fact::FRAGMENT_LATER),
            Fact::FirstFragment => ip(ip_fact::FRAGMENT_FIRST),
            Fact::LaterFragment => ip(ip_fact::FRAGMENT_LATER),
            Fact::IpOptions => ip(ip_fact::OPTIONS),
            Fact::IdZero => ip(ip_fact::ID_ZERO),
            Fact::Payload => read.then_some(l4 & l4_fact::PAYLOAD_EMPTY == 0),
            Fact::SeqLowZero => tcp(l4_fact::SEQ_LOW_ZERO),
            Fact::AckZero => tcp(l4_fact::ACK_ZERO),
        }
    }
}
