//! Why a packet was passed or dropped. One enum is the counter index, metric label, log word and `explain` text.
//!
//! The list is append-only: numbers are pinned in running kernels and in people's dashboards.

/// What a reason means for the packet when its owner (node or target) enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The packet goes on.
    Pass,
    /// The packet is dropped (in observe mode: counted as a would-drop, and passed).
    Drop,
}

macro_rules! reasons {
    ($($number:literal $name:ident $class:ident $label:literal $text:literal;)*) => {
        /// The outcome of a decision. `#[must_use]`: a verdict computed and thrown away is a bug.
        #[must_use]
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(#[doc = $text] $name = $number,)*
        }

        impl Reason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// Whether the packet passes or is dropped.
            #[inline(always)]
            pub const fn class(self) -> Class {
                match self { $(Reason::$name => Class::$class,)* }
            }

            /// The word used as metric label, in JSON and in logs.
            pub const fn label(self) -> &'static str {
                match self { $(Reason::$name => $label,)* }
            }

            /// One sentence for a person.
            pub const fn text(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }
        }
    };
}

reasons! {
    0 NoTarget Pass "no_target" "the destination belongs to no protected target";
    1 Clean Pass "clean" "the packet passed every check of its target";
    2 Arp Pass "arp" "ARP always passes";
    3 NeighbourDiscovery Pass "neighbour_discovery" "IPv6 neighbour discovery always passes";
    4 UnknownEtherType Pass "unknown_ethertype" "not IP: other protocols pass and are counted";
    5 Failsafe Pass "failsafe_port" "the destination port is a failsafe port";
    6 NeverBlock Pass "never_block" "the source is in the never-block set";
    7 AllowListed Pass "allow_list" "the source is on the node's allow list";
    8 AllowScoped Pass "target_allow_list" "the source is on the target's allow list";
    9 Unreadable Pass "unreadable" "the headers lie outside the readable part of the frame";
    10 FragmentFollows Pass "fragment_follows" "a later fragment of a datagram whose first fragment passed";
    11 FragmentUnmatched Pass "fragment_unmatched" "a later fragment whose first fragment was not seen, within the target's limit";
    12 TunnelTooDeep Pass "tunnel_too_deep" "more tunnels inside each other than are looked into";
    13 NotForUs Pass "not_ip_frame" "the frame carries no IP packet that can be judged (LLC, empty payload)";
    14 EthernetTruncated Drop "ethernet_truncated" "the frame ends inside the Ethernet header";
    15 VlanTruncated Drop "vlan_truncated" "the frame ends inside a VLAN tag";
    16 VlanTooDeep Pass "vlan_too_deep" "more than two VLAN tags: passed unjudged";
    17 Ip4Truncated Drop "ipv4_truncated" "the frame ends inside the IPv4 header";
    18 Ip4BadVersion Drop "ipv4_bad_version" "EtherType says IPv4, the header does not";
    19 Ip4BadHeaderLength Drop "ipv4_bad_header_length" "the IPv4 header length is below 20 or beyond the packet";
    20 Ip4BadTotalLength Drop "ipv4_bad_total_length" "the IPv4 total length is below the header or beyond the frame";
    21 Ip6Truncated Drop "ipv6_truncated" "the frame ends inside the IPv6 header";
    22 Ip6BadVersion Drop "ipv6_bad_version" "EtherType says IPv6, the header does not";
    23 Ip6BadLength Drop "ipv6_bad_length" "the IPv6 payload length is beyond the frame";
    24 Ip6ExtensionTruncated Drop "ipv6_extension_truncated" "the packet ends inside an IPv6 extension header";
    25 Ip6ExtensionTooMany Drop "ipv6_extension_too_many" "more than six IPv6 extension headers";
    26 TcpTruncated Drop "tcp_truncated" "the packet ends inside the TCP header";
    27 TcpBadOffset Drop "tcp_bad_offset" "the TCP data offset is below 20 bytes or beyond the packet";
    28 UdpTruncated Drop "udp_truncated" "the packet ends inside the UDP header";
    29 UdpBadLength Drop "udp_bad_length" "the UDP length is below 8 or beyond the packet";
    30 IcmpTruncated Drop "icmp_truncated" "the packet ends inside the ICMP header";
    31 SctpTruncated Drop "sctp_truncated" "the packet ends inside the SCTP header";
    32 FragmentTooLong Drop "fragment_too_long" "the fragment ends beyond 65,535 bytes (ping of death)";
    33 FragmentBadLength Drop "fragment_bad_length" "a fragment other than the last is not a multiple of eight bytes long";
    34 TunnelTruncated Drop "tunnel_truncated" "the packet ends inside a tunnel header";
    35 TunnelBadHeader Drop "tunnel_bad_header" "the tunnel header contradicts itself";
    36 DenyListed Drop "deny_list" "the source is on the node's deny list";
    37 Blocked Drop "block" "the source is blocked until a stated time";
    38 DenyScoped Drop "target_deny_list" "the source is on the target's deny list";
    39 TcpNull Drop "tcp_null" "TCP without any flag";
    40 TcpXmas Drop "tcp_xmas" "TCP with FIN, PSH and URG and no ACK";
    41 TcpSynFin Drop "tcp_syn_fin" "TCP with SYN and FIN";
    42 TcpSynRst Drop "tcp_syn_rst" "TCP with SYN and RST";
    43 TcpFinRst Drop "tcp_fin_rst" "TCP with FIN and RST";
    44 TcpFinNoAck Drop "tcp_fin_no_ack" "TCP with FIN and without ACK";
    45 TcpUrgNoAck Drop "tcp_urg_no_ack" "TCP with URG or PSH and without ACK, SYN or RST";
    46 Land Drop "land" "source and destination are the same address and port";
    47 BogonSource Drop "bogon_source" "the source address cannot be a sender's";
    48 ReflectionPort Drop "reflection_port" "UDP from a port that reflection attacks use";
    49 ProtocolNotServed Drop "protocol_not_served" "the target serves no such IP protocol";
    50 PortZero Drop "port_zero" "TCP or UDP port zero";
    51 FragmentTiny Drop "fragment_tiny" "the first fragment is too small for its transport header";
    52 FragmentOverlap Drop "fragment_overlap" "the fragment overwrites bytes of an earlier one";
    53 FragmentFollowsDrop Drop "fragment_follows_drop" "a later fragment of a datagram whose first fragment was dropped";
    54 FragmentRefused Drop "fragment_refused" "the target takes no fragments";
    55 FragmentUnmatchedLimit Drop "fragment_unmatched_limit" "too many later fragments whose first fragment was not seen";
    56 Rule Drop "rule" "a match rule fits";
    57 SourcePackets Drop "source_packets" "the source is over its packet limit";
    58 SourceBytes Drop "source_bytes" "the source is over its byte limit";
    59 SourceSyns Drop "source_connections" "the source is over its limit of new connections";
    60 PrefixPackets Drop "prefix_packets" "the source's /24 or /48 is over its packet limit";
    61 PrefixBytes Drop "prefix_bytes" "the source's /24 or /48 is over its byte limit";
    62 PrefixSyns Drop "prefix_connections" "the source's /24 or /48 is over its limit of new connections";
    63 TargetPackets Drop "target_packets" "the target is over its packet limit";
    64 TargetBytes Drop "target_bytes" "the target is over its byte limit";
    65 TargetSyns Drop "target_connections" "the target is over its limit of new connections";
    66 KnownFlow Pass "known_flow" "the packet belongs to a connection that the host takes part in, and passed every check that these are under";
    67 Strangers Drop "strangers" "packets of no known connection are over what the target takes of them";
    68 Challenged Drop "challenged" "the SYN was answered in the target's place by a challenge: its source has proven nothing yet";
    69 ChallengeAnswer Drop "challenge_answer" "the answer to a challenge: the source is proven from now on, and its next SYN passes";
    70 Proven Pass "proven_source" "the SYN comes from a source that has proven that it hears what is sent to it";
    71 ChallengeRetry Pass "challenge_retry" "a challenged SYN came again after a plausible time, within the target's limit";
    72 Unchallengeable Drop "challenge_impossible" "the SYN cannot be challenged: it has IP options or extension headers, or is a fragment";
    73 RuleLimit Drop "rule_limit" "what an attack's rule matches is over what the target takes of it from sources that do not come regularly";
    74 TransmittedAnswer Drop "challenge_answer_transmitted" "the answer to a challenge that XDP sent back itself, which proves that way as well as the source";
    75 KeptWaiting Drop "kept_waiting" "the source keeps more connections waiting by a few bytes than one may while an attack does that: the host is told that it resets this one";
    76 Dawdler Drop "dawdler" "the source kept many connections waiting within the last minutes, and opens no others while an attack does that";
    77 Barred Drop "source_barred" "the source had its share of new connections while an attack opens them and went on asking: it opens none for a minute";
}

impl Reason {
    /// The reason with this number.
    pub fn from_number(n: u8) -> Option<Self> {
        Self::ALL.get(n as usize).copied()
    }

    /// Whether the packet is dropped where enforcing.
    #[inline(always)]
    pub const fn drops(self) -> bool {
        matches!(self.class(), Class::Drop)
    }

    /// Whether this reason names a malformed packet.
    pub const fn is_malformed(self) -> bool {
        let n = self as u8;
        n >= 14 && n <= 35 && self.drops()
    }
}

const _: () = {
    assert!(Reason::ALL.len() <= crate::REASON_SLOTS);
    let mut i = 0;
    while i < Reason::ALL.len() {
        assert!(Reason::ALL[i] as usize == i, "numbers must be dense and in order");
        i += 1;
    }
};
