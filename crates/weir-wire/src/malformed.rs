//! What can be wrong with a packet's headers, by name.

/// Why a packet is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Malformed {
    /// The frame ends inside the Ethernet header.
    EthernetTruncated,
    /// The frame ends inside a VLAN tag.
    VlanTruncated,
    /// The packet ends inside the IPv4 header.
    Ip4Truncated,
    /// The IPv4 header has another version.
    Ip4BadVersion,
    /// The IPv4 header length is below 20 bytes or beyond the packet.
    Ip4BadHeaderLength,
    /// The IPv4 total length is below the header or beyond the frame.
    Ip4BadTotalLength,
    /// The packet ends inside the IPv6 header.
    Ip6Truncated,
    /// The IPv6 header has another version.
    Ip6BadVersion,
    /// The IPv6 payload length is beyond the frame.
    Ip6BadLength,
    /// The packet ends inside an IPv6 extension header.
    Ip6ExtensionTruncated,
    /// More extension headers than are followed, more than one fragment header, or a chain of more than 1,023 bytes.
    Ip6ExtensionTooMany,
    /// The packet ends inside the TCP header.
    TcpTruncated,
    /// The TCP data offset is below 20 bytes or beyond the packet.
    TcpBadOffset,
    /// The packet ends inside the UDP header.
    UdpTruncated,
    /// The UDP length is below 8 or beyond the packet.
    UdpBadLength,
    /// The packet ends inside the ICMP header.
    IcmpTruncated,
    /// The packet ends inside the SCTP header.
    SctpTruncated,
    /// The fragment ends beyond 65,535 bytes.
    FragmentTooLong,
    /// A fragment other than the last is not a multiple of eight bytes.
    FragmentBadLength,
    /// The packet ends inside a tunnel header.
    TunnelTruncated,
    /// The tunnel header contradicts itself.
    TunnelBadHeader,
}
