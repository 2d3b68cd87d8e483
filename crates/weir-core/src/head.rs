//! What the challenge, and the turn of a connection, read of a packet: addresses, ports, sequence number, flags. Behind the link header and its tags stand an IP
//! header without options or extension headers and a whole TCP header; that is what makes a SYN one that can be answered.

use weir_abi::Addr;
use weir_wire::ethernet::{self, ethertype};
use weir_wire::packet::proto;
use weir_wire::tcp::flag;
use weir_wire::{Frame, ipv4, ipv6};

use crate::challenge::Ends;

/// The head of a TCP packet that came.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Where the IP header begins: 14, 18 or 22.
    pub at: usize,
    /// IPv6.
    pub v6: bool,
    /// Source and destination.
    pub ends: Ends,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP flags.
    pub flags: u8,
    /// TCP checksum as it stands there.
    pub checksum: u16,
    /// The sum of the pseudo header but for the length (RFC 9293, 3.1), not folded.
    pub pseudo: u64,
    /// Length of the segment.
    pub length: u32,
    /// Bytes behind its header.
    pub payload: u32,
}

/// What the outermost IP header stands before.
pub enum Read {
    /// The head of a TCP packet.
    Head(Head),
    /// A TCP SYN, or what may be one, behind options or extension headers or in a fragment.
    Strange,
    /// Something else.
    Other,
}

impl Head {
    /// Reads it.
    #[inline(always)]
    pub fn read<F: Frame>(frame: &F) -> Read {
        let Ok(Some(link)) = ethernet::parse(frame, 0) else { return Read::Other };
        // Three values are possible; the mask only tells the verifier.
        let at = frame.blur64(link.payload as u64) as usize & 31;
        let read = match link.ethertype {
            ethertype::IP4 => four(frame, at),
            ethertype::IP6 => six(frame, at),
            _ => None,
        };
        read.unwrap_or(Read::Other)
    }

    /// The same with nothing known of it, see [`Frame::blur64`].
    #[inline(always)]
    pub fn blurred<F: Frame>(self, frame: &F) -> Self {
        let address = |a: Addr| Addr { hi: frame.blur64(a.hi), lo: frame.blur64(a.lo) };
        let port = |n: u16| frame.blur64(n as u64) as u16;
        let Ends { src, dst, ports } = self.ends;
        Self {
            at: frame.blur64(self.at as u64) as usize & 31,
            v6: frame.blur(self.v6 as u8) & 1 != 0,
            ends: Ends { src: address(src), dst: address(dst), ports: (port(ports.0), port(ports.1)) },
            seq: frame.blur64(self.seq as u64) as u32,
            ack: frame.blur64(self.ack as u64) as u32,
            flags: frame.blur(self.flags),
            checksum: port(self.checksum),
            pseudo: frame.blur64(self.pseudo),
            length: frame.blur64(self.length as u64) as u32,
            payload: frame.blur64(self.payload as u64) as u32,
        }
    }
}

/// The source of the outermost IP header.
#[inline(always)]
pub fn source<F: Frame>(frame: &F, no_link: bool) -> Option<Addr> {
    let (at, v6) = if no_link {
        (0, frame.u8(0)? >> 4 == 6)
    } else {
        let link = ethernet::parse(frame, 0).ok()??;
        (link.payload, link.ethertype == ethertype::IP6)
    };
    let (at, v6) = (frame.blur64(at as u64) as usize & 31, frame.blur(v6 as u8) & 1 != 0);
    if !v6 {
        return Some(Addr::v4(frame.be32(at + 12)?));
    }
    let word = |off: usize| frame.bytes::<8>(at + off).map(u64::from_be_bytes);
    Some(Addr { hi: word(8)?, lo: word(16)? })
}

#[inline(always)]
fn four<F: Frame>(frame: &F, at: usize) -> Option<Read> {
    if frame.u8(at + 9)? != proto::TCP {
        return Some(Read::Other);
    }
    let field = frame.be16(at + 6)?;
    let first = frame.u8(at)?;
    if first != 0x45 || field & 0x3fff != 0 {
        // A later fragment begins no connection; with options the flags stand further behind.
        let flags = frame.u8(at + (first as usize & 15) * 4 + 13)?;
        return Some(if field & 0x1fff == 0 && is_syn(flags) { Read::Strange } else { Read::Other });
    }
    let (src, dst) = (frame.be32(at + 12)?, frame.be32(at + 16)?);
    let length = (frame.be16(at + 2)? as u32).wrapping_sub(ipv4::HEADER as u32);
    let pseudo = src as u64 + dst as u64 + proto::TCP as u64;
    Some(Read::Head(tcp(frame, at, at + ipv4::HEADER, (Addr::v4(src), Addr::v4(dst)), pseudo, length)?))
}

#[inline(always)]
fn six<F: Frame>(frame: &F, at: usize) -> Option<Read> {
    match frame.u8(at + 6)? {
        proto::TCP => {}
        // Hop-by-hop, routing, fragment and destination options (RFC 8200). What stands behind them is not looked for: a target that
        // challenges has no use for a flood's packets with such headers.
        0 | 43 | 44 | 60 => return Some(Read::Strange),
        _ => return Some(Read::Other),
    }
    let word = |off: usize| frame.bytes::<8>(at + off).map(u64::from_be_bytes);
    let (src, dst) = (Addr { hi: word(8)?, lo: word(16)? }, Addr { hi: word(24)?, lo: word(32)? });
    let halves = |n: u64| (n >> 32) + (n & 0xffff_ffff);
    let pseudo = halves(src.hi) + halves(src.lo) + halves(dst.hi) + halves(dst.lo) + proto::TCP as u64;
    let length = frame.be16(at + 4)? as u32;
    let head = tcp(frame, at, at + ipv6::HEADER, (src, dst), pseudo, length)?;
    Some(Read::Head(Head { v6: true, ..head }))
}

/// Whether TCP flags ask for a connection.
#[inline(always)]
fn is_syn(flags: u8) -> bool {
    flags & (flag::SYN | flag::ACK) == flag::SYN
}

#[inline(always)]
fn tcp<F: Frame>(frame: &F, at: usize, l4: usize, (src, dst): (Addr, Addr), pseudo: u64, length: u32) -> Option<Head> {
    let ports = frame.be32(l4)?;
    Some(Head {
        at,
        v6: false,
        ends: Ends { src, dst, ports: ((ports >> 16) as u16, ports as u16) },
        seq: frame.be32(l4 + 4)?,
        ack: frame.be32(l4 + 8)?,
        flags: frame.u8(l4 + 13)?,
        checksum: frame.be16(l4 + 16)?,
        pseudo,
        length,
        payload: length.saturating_sub((frame.u8(l4 + 12)? >> 4) as u32 * 4),
    })
}
