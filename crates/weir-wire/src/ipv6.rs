//! IPv6 (RFC 8200) with up to six extension headers.

use crate::fragment::Fragment;
use crate::ipv4::{Read, check_fragment};
use crate::{Frame, Ip, MAX_OFFSET, Malformed};

/// Bytes of the fixed header.
pub const HEADER: usize = 40;
/// Extension headers that are followed.
pub const MAX_EXTENSIONS: usize = 6;

/// Next-header numbers of extension headers (IANA protocol numbers).
pub mod next {
    /// Hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// Routing.
    pub const ROUTING: u8 = 43;
    /// Fragment.
    pub const FRAGMENT: u8 = 44;
    /// Authentication header: an extension header in IPv6.
    pub const AUTHENTICATION: u8 = 51;
    /// No next header.
    pub const NONE: u8 = 59;
    /// Destination options.
    pub const DESTINATION: u8 = 60;
    /// Mobility.
    pub const MOBILITY: u8 = 135;
    /// Host Identity Protocol.
    pub const HIP: u8 = 139;
    /// Shim6.
    pub const SHIM6: u8 = 140;
}

/// Whether the number names an extension header that has a length field (the fragment header has a fixed one).
#[inline(always)]
pub const fn is_extension(proto: u8) -> bool {
    matches!(
        proto,
        next::HOP_BY_HOP
            | next::ROUTING
            | next::FRAGMENT
            | next::AUTHENTICATION
            | next::DESTINATION
            | next::MOBILITY
            | next::HIP
            | next::SHIM6
    )
}

/// Reads the header at `off` and its extension headers; the packet cannot reach beyond `limit`, the end of what carries it.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, off: usize, limit: usize) -> Read {
    let room = limit.saturating_sub(off);
    if room < HEADER {
        return Err(Malformed::Ip6Truncated);
    }
    let Some(h) = frame.bytes::<HEADER>(off) else { return Ok(None) };
    if h[0] >> 4 != 6 {
        return Err(Malformed::Ip6BadVersion);
    }
    let mut length = u16::from_be_bytes([h[4], h[5]]) as usize + HEADER;
    if length == HEADER && h[6] != next::NONE {
        // Jumbograms (RFC 2675) and segmentation offload leave the field zero.
        length = room;
    }
    if length > room {
        return Err(Malformed::Ip6BadLength);
    }
    let ip = whole(&h, off, length);
    if ip.options {
        return extensions(frame, ip);
    }
    Ok(Some(ip))
}

/// The header at `off` as that of a whole packet, `length` bytes with the header.
#[inline(always)]
pub(crate) fn whole(h: &[u8; HEADER], off: usize, length: usize) -> Ip {
    Ip {
        v6: true,
        header: off,
        src: words(h, 8),
        dst: words(h, 24),
        proto: h[6],
        ttl: h[7],
        tos: (h[0] << 4) | (h[1] >> 4),
        length: length as u32,
        dont_fragment: false,
        id_zero: false,
        options: is_extension(h[6]),
        fragment: Fragment::default(),
        payload: off + HEADER,
        end: off + length,
    }
}

/// Follows the chain; a later fragment ends it, because what follows is not a header.
///
/// A chain is refused where it is longer than any honest one: more than [`MAX_EXTENSIONS`] headers, a second fragment header
/// (RFC 8200, 4.1: at most one), or an end behind [`MAX_OFFSET`], where no transport header could be read.
#[inline(always)]
fn extensions<F: Frame>(frame: &F, mut ip: Ip) -> Read {
    let first = ip.payload;
    let mut proto = ip.proto;
    let mut at = first;
    let mut fragmented = false;
    let mut i = 0;
    while i < MAX_EXTENSIONS {
        if !is_extension(proto) {
            break;
        }
        if at + 8 > ip.end {
            return Err(Malformed::Ip6ExtensionTruncated);
        }
        let Some(h) = frame.bytes::<8>(at) else { return Ok(None) };
        let size = if proto == next::FRAGMENT {
            8
        } else if proto == next::AUTHENTICATION {
            (h[1] as usize + 2) * 4
        } else {
            (h[1] as usize + 1) * 8
        };
        let is_fragment = proto == next::FRAGMENT;
        proto = h[0];
        at += size;
        if at > ip.end {
            return Err(Malformed::Ip6ExtensionTruncated);
        }
        if at > MAX_OFFSET || is_fragment && fragmented {
            return Err(Malformed::Ip6ExtensionTooMany);
        }
        if is_fragment {
            fragmented = true;
            let field = u16::from_be_bytes([h[2], h[3]]);
            let id = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
            ip.fragment = Fragment::new(field as u32 & 0xfff8, field & 1 != 0, (ip.end - at) as u32, id);
            // What stands before the fragment header is repeated in every fragment and counts towards the datagram's length.
            check_fragment(&ip.fragment, at - size - first)?;
            if ip.fragment.offset != 0 {
                break;
            }
        }
        // Blurred, so that the verifier sees one state for every combination of headers up to here.
        proto = frame.blur(proto);
        at = frame.blur64(at as u64) as usize & (2 * MAX_OFFSET + 1);
        i += 1;
    }
    if ip.fragment.offset == 0 && is_extension(proto) {
        return Err(Malformed::Ip6ExtensionTooMany);
    }
    ip.proto = proto;
    ip.payload = at;
    Ok(Some(ip))
}

/// The address whose sixteen bytes start at `off` of the header, as two host-order words.
#[inline(always)]
fn words(h: &[u8; HEADER], off: usize) -> (u64, u64) {
    let w = |i: usize| u64::from_be_bytes([h[i], h[i + 1], h[i + 2], h[i + 3], h[i + 4], h[i + 5], h[i + 6], h[i + 7]]);
    (w(off), w(off + 8))
}
