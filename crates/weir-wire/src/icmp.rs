//! ICMP (RFC 792) and ICMPv6 (RFC 4443): type, code, the embedded original packet, neighbour discovery.

use crate::fragment::Kind;
use crate::packet::{Packet, Transport, proto};
use crate::{Frame, MAX_OFFSET, ipv4, ipv6};

/// Bytes of the header that both families share.
pub const HEADER: usize = 8;

/// ICMPv6 types 133 to 137: neighbour discovery (RFC 4861). Its packets never cross a router: hop limit 255.
#[inline(always)]
pub const fn is_neighbour_discovery(icmp_type: u8, hop_limit: u8) -> bool {
    icmp_type >= 133 && icmp_type <= 137 && hop_limit == 255
}

/// Whether the message carries the packet it is about.
#[inline(always)]
pub const fn has_original(v6: bool, icmp_type: u8) -> bool {
    if v6 { icmp_type >= 1 && icmp_type <= 4 } else { matches!(icmp_type, 3 | 4 | 5 | 11 | 12) }
}

/// The head of a packet that an ICMP error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original {
    /// Source address words of the quoted packet.
    pub src: (u64, u64),
    /// Destination address words.
    pub dst: (u64, u64),
    /// Protocol.
    pub proto: u8,
    /// Source port, 0 where the quote does not reach it or the protocol has none.
    pub source_port: u16,
    /// Destination port, likewise.
    pub destination_port: u16,
}

/// The quoted packet of an ICMP error, where it can be read.
///
/// A quote is cut, often eight bytes behind its IP header (RFC 792): enough for the ports and no more. Lengths behind the
/// headers are therefore not judged.
#[inline(always)]
pub fn original<F: Frame + Clone>(frame: &F, packet: &Packet) -> Option<Original> {
    if !matches!(packet.transport, Transport::Icmp) || !has_original(packet.ip.v6, (packet.source_port >> 8) as u8) {
        return None;
    }
    let quote = Quote { frame, end: packet.ip.end };
    let at = packet.l4 + HEADER;
    let read = if packet.ip.v6 { ipv6::parse(&quote, at, ANY_LENGTH) } else { ipv4::parse(&quote, at, ANY_LENGTH) };
    let Ok(Some(ip)) = read else { return None };
    let with_ports = matches!(ip.proto, proto::TCP | proto::UDP | proto::UDPLITE | proto::SCTP)
        && !matches!(ip.fragment.kind, Kind::Later);
    let ports = if with_ports { quote.bytes::<4>(ip.payload) } else { None };
    let [a, b, c, d] = ports.unwrap_or([0; 4]);
    Some(Original {
        src: ip.src,
        dst: ip.dst,
        proto: ip.proto,
        source_port: u16::from_be_bytes([a, b]),
        destination_port: u16::from_be_bytes([c, d]),
    })
}

/// Where a quoted packet may claim to end: its length field speaks of bytes that are mostly not here.
const ANY_LENGTH: usize = MAX_OFFSET + 0x1_0000 + ipv6::HEADER;

/// The frame up to the end of the packet that quotes.
#[derive(Clone, Copy)]
struct Quote<'a, F> {
    frame: &'a F,
    end: usize,
}

impl<F: Frame> Frame for Quote<'_, F> {
    #[inline(always)]
    fn bytes<const N: usize>(&self, off: usize) -> Option<[u8; N]> {
        if off + N > self.end {
            return None;
        }
        self.frame.bytes(off)
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.end
    }
}
