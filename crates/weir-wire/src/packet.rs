//! One packet, read from the link layer to the ports: the flat form that decisions are made on.

use crate::ethernet::{self, ethertype};
use crate::fragment::{Fragment, Kind};
use crate::frame::MAX_OFFSET;
use crate::{Frame, Malformed, icmp, ipv4, ipv6, sctp, tcp, udp};

/// The IP header in one form for both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// IPv6.
    pub v6: bool,
    /// Offset of the header.
    pub header: usize,
    /// Source address: upper and lower word, host order; IPv4 as `::ffff:a.b.c.d`.
    pub src: (u64, u64),
    /// Destination address.
    pub dst: (u64, u64),
    /// Protocol at the end of the extension headers.
    pub proto: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Type of service or traffic class.
    pub tos: u8,
    /// Length of the packet, header included.
    pub length: u32,
    /// Don't fragment (IPv4).
    pub dont_fragment: bool,
    /// The IPv4 identification is zero.
    pub id_zero: bool,
    /// IPv4 options or IPv6 extension headers are present.
    pub options: bool,
    /// Fragment facts.
    pub fragment: Fragment,
    /// Offset of what follows the IP headers.
    pub payload: usize,
    /// Offset behind the packet's last byte.
    pub end: usize,
}

/// Which transport header was read.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// None: a later fragment, or a protocol without ports.
    None,
    /// TCP.
    Tcp,
    /// UDP or UDP-Lite.
    Udp,
    /// ICMP or ICMPv6.
    Icmp,
    /// SCTP.
    Sctp,
    /// A first fragment too small for its transport header (RFC 1858).
    Tiny,
}

/// A packet's headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The IP header.
    pub ip: Ip,
    /// Which transport header was read.
    pub transport: Transport,
    /// Offset of the transport header, 0 where there is none.
    pub l4: usize,
    /// Source port; ICMP: type in the high byte, code in the low one.
    pub source_port: u16,
    /// Destination port; 0 where there are no ports.
    pub destination_port: u16,
    /// TCP flags, else 0.
    pub tcp_flags: u8,
    /// TCP data offset in 32-bit words, else 0.
    pub data_offset: u8,
    /// TCP window, else 0.
    pub window: u16,
    /// TCP sequence number, else 0.
    pub seq: u32,
    /// TCP acknowledgement number, else 0.
    pub ack: u32,
    /// Offset of the payload behind the transport header.
    pub payload: usize,
}

impl Transport {
    /// The transport with this number; the last one for any other.
    #[inline(always)]
    const fn from_number(n: u8) -> Self {
        match n {
            0 => Transport::None,
            1 => Transport::Tcp,
            2 => Transport::Udp,
            3 => Transport::Icmp,
            4 => Transport::Sctp,
            _ => Transport::Tiny,
        }
    }
}

impl Packet {
    /// The same packet with nothing known of it. What follows is then verified once, not once for every path through the
    /// parser: see [`Frame::blur64`].
    #[inline(always)]
    pub fn blurred<F: Frame>(self, frame: &F) -> Self {
        if F::PLAIN {
            return self;
        }
        // Headers that were read start within MAX_OFFSET, and the largest is 60 bytes: the mask changes nothing.
        let offset = |n: usize| frame.blur64(n as u64) as usize & (2 * MAX_OFFSET + 1);
        let bit = |b: bool| frame.blur(b as u8) & 1 != 0;
        let f = self.ip.fragment;
        Self {
            ip: Ip {
                v6: bit(self.ip.v6),
                header: offset(self.ip.header),
                src: (frame.blur64(self.ip.src.0), frame.blur64(self.ip.src.1)),
                dst: (frame.blur64(self.ip.dst.0), frame.blur64(self.ip.dst.1)),
                proto: frame.blur(self.ip.proto),
                ttl: frame.blur(self.ip.ttl),
                tos: frame.blur(self.ip.tos),
                length: frame.blur64(self.ip.length as u64) as u32,
                dont_fragment: bit(self.ip.dont_fragment),
                id_zero: bit(self.ip.id_zero),
                options: bit(self.ip.options),
                fragment: Fragment {
                    kind: Kind::from_number(frame.blur(f.kind as u8)),
                    more: bit(f.more),
                    offset: frame.blur64(f.offset as u64) as u32,
                    length: frame.blur64(f.length as u64) as u32,
                    id: frame.blur64(f.id as u64) as u32,
                },
                payload: offset(self.ip.payload),
                end: frame.blur64(self.ip.end as u64) as usize,
            },
            transport: Transport::from_number(frame.blur(self.transport as u8)),
            l4: offset(self.l4),
            source_port: frame.blur64(self.source_port as u64) as u16,
            destination_port: frame.blur64(self.destination_port as u64) as u16,
            tcp_flags: frame.blur(self.tcp_flags),
            data_offset: frame.blur(self.data_offset),
            window: frame.blur64(self.window as u64) as u16,
            seq: frame.blur64(self.seq as u64) as u32,
            ack: frame.blur64(self.ack as u64) as u32,
            payload: offset(self.payload),
        }
    }

    /// A packet of which no transport header was read.
    #[inline(always)]
    pub(crate) fn bare(ip: Ip) -> Self {
        Self {
            ip,
            transport: Transport::None,
            l4: 0,
            source_port: 0,
            destination_port: 0,
            tcp_flags: 0,
            data_offset: 0,
            window: 0,
            seq: 0,
            ack: 0,
            payload: ip.payload,
        }
    }

    /// The same with the TCP header at `at`.
    #[inline(always)]
    pub(crate) fn with_tcp(self, at: usize, t: &tcp::Tcp) -> Self {
        Self {
            transport: Transport::Tcp,
            l4: at,
            source_port: t.source,
            destination_port: t.destination,
            tcp_flags: t.flags,
            data_offset: t.data_offset,
            window: t.window,
            seq: t.seq,
            ack: t.ack,
            payload: at + t.data_offset as usize * 4,
            ..self
        }
    }

    /// The same with the UDP header at `at`.
    #[inline(always)]
    pub(crate) fn with_udp(self, at: usize, u: &udp::Udp) -> Self {
        Self {
            transport: Transport::Udp,
            l4: at,
            source_port: u.source,
            destination_port: u.destination,
            payload: at + udp::HEADER,
            ..self
        }
    }

    /// Payload bytes behind the transport header.
    #[inline(always)]
    pub fn payload_len(&self) -> usize {
        self.ip.end.saturating_sub(self.payload)
    }

    /// TCP with SYN and without ACK: asks for a new connection.
    #[inline(always)]
    pub fn is_syn(&self) -> bool {
        self.tcp_flags & (tcp::flag::SYN | tcp::flag::ACK) == tcp::flag::SYN
    }

    /// IPv6 neighbour discovery.
    #[inline(always)]
    pub fn is_neighbour_discovery(&self) -> bool {
        self.ip.v6
            && self.ip.proto == proto::ICMP6
            && matches!(self.transport, Transport::Icmp)
            && icmp::is_neighbour_discovery((self.source_port >> 8) as u8, self.ip.ttl)
    }
}

/// IP protocol numbers (IANA).
pub mod proto {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMPv6.
    pub const ICMP6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite (RFC 3828); its length field means something else.
    pub const UDPLITE: u8 = 136;
}

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// An IP packet.
    Packet(Packet),
    /// ARP or RARP.
    Arp,
    /// Another EtherType.
    Other(u16),
    /// An 802.3 frame with a length field, or a frame without network layer.
    NoNetwork,
    /// More than two VLAN tags.
    TooManyTags,
    /// Headers exist outside the readable part.
    Unreadable,
    /// A named fault.
    Malformed(Malformed),
}

/// Reads an Ethernet frame.
#[inline(always)]
pub fn parse<F: Frame + Clone>(frame: &F) -> Parsed {
    let link = match ethernet::parse(frame, 0) {
        Ok(Some(link)) => link,
        Ok(None) => return Parsed::Unreadable,
        Err(m) => return Parsed::Malformed(m),
    };
    match link.ethertype {
        ethertype::IP4 => parse_ip(frame, link.payload, false),
        ethertype::IP6 => parse_ip(frame, link.payload, true),
        ethertype::ARP | ethertype::RARP => Parsed::Arp,
        _ if link.too_deep => Parsed::TooManyTags,
        t if t < ethertype::FIRST => Parsed::NoNetwork,
        t => Parsed::Other(t),
    }
}

/// Reads an IP packet that starts at `off` and may reach to the end of the frame.
#[inline(always)]
pub fn parse_ip<F: Frame + Clone>(frame: &F, off: usize, v6: bool) -> Parsed {
    parse_within(frame, off, v6, frame.len())
}

/// Reads an IP packet that starts at `off` and may reach to `limit`: inside a tunnel that is the end of what carries it.
#[inline(always)]
pub fn parse_within<F: Frame + Clone>(frame: &F, off: usize, v6: bool, limit: usize) -> Parsed {
    let read = if v6 { ipv6::parse(frame, off, limit) } else { ipv4::parse(frame, off, limit) };
    let ip = match read {
        Ok(Some(ip)) => ip,
        Ok(None) => return Parsed::Unreadable,
        Err(m) => return Parsed::Malformed(m),
    };
    // Whatever led here (options, extension headers, family) is one state to the verifier from now on.
    let frame = frame.refreshed();
    let ip = Ip {
        v6: frame.blur(ip.v6 as u8) & 1 != 0,
        proto: frame.blur(ip.proto),
        payload: frame.blur64(ip.payload as u64) as usize & (2 * MAX_OFFSET + 1),
        fragment: Fragment { kind: Kind::from_number(frame.blur(ip.fragment.kind as u8)), ..ip.fragment },
        ..ip
    };
    transport(&frame, ip)
}

/// Reads the transport header behind the IP headers.
#[inline(always)]
fn transport<F: Frame>(frame: &F, ip: Ip) -> Parsed {
    let mut p = Packet::bare(ip);
    if matches!(ip.fragment.kind, Kind::Later) {
        return Parsed::Packet(p);
    }
    let whole = matches!(ip.fragment.kind, Kind::Whole);
    let room = ip.end.saturating_sub(ip.payload);
    let at = ip.payload;
    // Each arm: does the packet have the header, can it be read, is it sound?
    macro_rules! header {
        ($size:expr, $fault:expr) => {{
            if room < $size {
                if !whole {
                    p.transport = Transport::Tiny;
                    return Parsed::Packet(p);
                }
                return Parsed::Malformed($fault);
            }
            match frame.bytes::<{ $size }>(at) {
                Some(h) => h,
                None => return Parsed::Unreadable,
            }
        }};
    }
    match ip.proto {
        proto::TCP => {
            let h = header!(tcp::HEADER, Malformed::TcpTruncated);
            let t = match tcp::parse(h, room, whole) {
                Ok(t) => t,
                Err(m) => return Parsed::Malformed(m),
            };
            if t.data_offset as usize * 4 > room {
                // Only a first fragment comes here. Its options continue in the next one: what follows is not payload.
                p.transport = Transport::Tiny;
                return Parsed::Packet(p);
            }
            p = p.with_tcp(at, &t);
        }
        proto::UDP | proto::UDPLITE => {
            let h = header!(udp::HEADER, Malformed::UdpTruncated);
            let u = match udp::parse(h, room, whole && ip.proto == proto::UDP) {
                Ok(u) => u,
                Err(m) if ip.proto == proto::UDP => return Parsed::Malformed(m),
                // UDP-Lite: the field is the checksum's coverage.
                Err(_) => udp::Udp {
                    source: u16::from_be_bytes([h[0], h[1]]),
                    destination: u16::from_be_bytes([h[2], h[3]]),
                    length: 0,
                },
            };
            p = p.with_udp(at, &u);
        }
        // Each family knows only its own ICMP: the other's number is just a protocol without ports.
        proto::ICMP | proto::ICMP6 if ip.v6 == (ip.proto == proto::ICMP6) => {
            let h = header!(icmp::HEADER, Malformed::IcmpTruncated);
            p.transport = Transport::Icmp;
            p.source_port = u16::from_be_bytes([h[0], h[1]]);
            p.payload = at + icmp::HEADER;
        }
        proto::SCTP => {
            let h = header!(sctp::HEADER, Malformed::SctpTruncated);
            p.transport = Transport::Sctp;
            (p.source_port, p.destination_port) = sctp::ports(h);
            p.payload = at + sctp::HEADER;
        }
        _ => return Parsed::Packet(p),
    }
    p.l4 = at;
    Parsed::Packet(p)
}
