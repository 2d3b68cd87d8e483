//! IPv4 (RFC 791): fixed header, options skipped, fragment facts.

use crate::fragment::Fragment;
use crate::{Frame, Ip, Malformed};

/// Bytes of the header without options.
pub const HEADER: usize = 20;

/// What reading an IP header gives: the header, a named fault, or bytes that cannot be read.
pub type Read = Result<Option<Ip>, Malformed>;

/// Reads the header at `off`; the packet cannot reach beyond `limit`, the end of what carries it.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, off: usize, limit: usize) -> Read {
    let room = limit.saturating_sub(off);
    if room < HEADER {
        return Err(Malformed::Ip4Truncated);
    }
    let Some(h) = frame.bytes::<HEADER>(off) else { return Ok(None) };
    if h[0] >> 4 != 4 {
        return Err(Malformed::Ip4BadVersion);
    }
    let header = (h[0] as usize & 15) * 4;
    if header < HEADER {
        return Err(Malformed::Ip4BadHeaderLength);
    }
    let mut total = u16::from_be_bytes([h[2], h[3]]) as usize;
    if total == 0 {
        // Segmentation offload: the length did not fit, or was not set yet (Linux, BIG TCP).
        total = room;
    }
    if total < HEADER || total > room {
        return Err(Malformed::Ip4BadTotalLength);
    }
    if header > total {
        return Err(Malformed::Ip4BadHeaderLength);
    }
    let field = u16::from_be_bytes([h[6], h[7]]);
    let ip = whole(&h, off, header, total);
    let fragment = Fragment::new((field as u32 & 0x1fff) * 8, field & 0x2000 != 0, ip.fragment.length, ip.fragment.id);
    if fragment.is_fragment() {
        check_fragment(&fragment, header)?;
    }
    Ok(Some(Ip { fragment, ..ip }))
}

/// The header at `off` as that of a whole packet: `header` bytes of header, `total` in all.
#[inline(always)]
pub(crate) fn whole(h: &[u8; HEADER], off: usize, header: usize, total: usize) -> Ip {
    let id = u16::from_be_bytes([h[4], h[5]]);
    Ip {
        v6: false,
        header: off,
        src: mapped([h[12], h[13], h[14], h[15]]),
        dst: mapped([h[16], h[17], h[18], h[19]]),
        proto: h[9],
        ttl: h[8],
        tos: h[1],
        length: total as u32,
        dont_fragment: h[6] & 0x40 != 0,
        id_zero: id == 0,
        options: header > HEADER,
        fragment: Fragment { length: (total - header) as u32, id: id as u32, ..Fragment::default() },
        payload: off + header,
        end: off + total,
    }
}

/// Length rules that hold for fragments of both families. `header`: what the length field of the whole datagram counts
/// beside the fragmented part.
#[inline(always)]
pub fn check_fragment(f: &Fragment, header: usize) -> Result<(), Malformed> {
    if f.end() as usize + header > 65_535 {
        return Err(Malformed::FragmentTooLong);
    }
    if f.more && f.length & 7 != 0 {
        return Err(Malformed::FragmentBadLength);
    }
    Ok(())
}

/// An IPv4 address in the upper and lower word of its IPv6-mapped form.
#[inline(always)]
fn mapped(b: [u8; 4]) -> (u64, u64) {
    (0, 0xffff_u64 << 32 | u32::from_be_bytes(b) as u64)
}
