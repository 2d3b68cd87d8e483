//! Whether a fault that weir-wire names is really there: the header fields, read with slices and no cleverness.
//!
//! Both other parsers go on where a header lies, so their facts cannot confirm a refusal. This can.

use weir_wire::Malformed;

/// The frame, and its length on the wire.
pub struct Frame<'a> {
    pub data: &'a [u8],
    pub length: usize,
}

/// The packet as its own headers describe it.
struct Claims {
    v6: bool,
    version: u8,
    /// Offset of the IP header.
    start: usize,
    /// Its length field, as an offset in the frame.
    end: usize,
    /// Extension headers in order, and where each ends.
    extensions: Vec<(u8, usize)>,
    /// Behind the IP headers.
    proto: u8,
    payload: usize,
    /// More fragments follow; offset in bytes.
    more: bool,
    offset: usize,
}

impl Frame<'_> {
    fn u8(&self, at: usize) -> Option<usize> {
        self.data.get(at).map(|b| *b as usize)
    }

    fn be16(&self, at: usize) -> Option<usize> {
        Some(self.u8(at)? << 8 | self.u8(at + 1)?)
    }

    fn claims(&self) -> Option<Claims> {
        let mut start = 14;
        while matches!(self.be16(start - 2)?, 0x8100 | 0x88a8 | 0x9100) {
            start += 4;
        }
        let v6 = self.be16(start - 2)? == 0x86dd;
        let version = (self.u8(start)? >> 4) as u8;
        let mut claims =
            Claims { v6, version, start, end: 0, extensions: Vec::new(), proto: 0, payload: 0, more: false, offset: 0 };
        if !v6 {
            claims.end = start + self.be16(start + 2)?;
            claims.payload = start + (self.u8(start)? & 15) * 4;
            claims.proto = self.u8(start + 9)? as u8;
            claims.more = self.u8(start + 6)? & 0x20 != 0;
            claims.offset = (self.be16(start + 6)? & 0x1fff) * 8;
            return Some(claims);
        }
        let length = self.be16(start + 4)?;
        claims.end = if length == 0 { self.length } else { start + 40 + length };
        claims.proto = self.u8(start + 6)? as u8;
        claims.payload = start + 40;
        while matches!(claims.proto, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) && claims.offset == 0 {
            let (kind, at) = (claims.proto, claims.payload);
            let Some(size) = self.u8(at + 1) else { break };
            claims.payload += match kind {
                44 => 8,
                51 => (size + 2) * 4,
                _ => (size + 1) * 8,
            };
            claims.extensions.push((kind, claims.payload));
            claims.proto = self.u8(at)? as u8;
            if kind == 44 {
                claims.more = self.be16(at + 2)? & 1 != 0;
                claims.offset = self.be16(at + 2)? & 0xfff8;
            }
        }
        Some(claims)
    }

    /// Whether the length field of an IPv6 header is zero.
    pub fn claims_no_length(&self) -> bool {
        self.claims().is_some_and(|c| c.v6 && self.be16(c.start + 4) == Some(0))
    }

    /// Whether an IPv4 header starts its options with a loose or strict source route.
    pub fn has_source_route(&self) -> bool {
        self.claims()
            .is_some_and(|c| !c.v6 && c.payload > c.start + 20 && matches!(self.u8(c.start + 20), Some(131 | 137)))
    }

    /// Whether `fault` is there.
    pub fn has(&self, fault: Malformed) -> bool {
        let Some(c) = self.claims() else {
            // Not even the fields are there.
            return matches!(fault, Malformed::EthernetTruncated | Malformed::VlanTruncated)
                || matches!(fault, Malformed::Ip4Truncated | Malformed::Ip6Truncated);
        };
        let room = c.end.saturating_sub(c.payload);
        let available = self.length - c.start.min(self.length);
        match fault {
            Malformed::EthernetTruncated => self.length < 14,
            Malformed::VlanTruncated => self.length < c.start,
            Malformed::Ip4Truncated => !c.v6 && available < 20,
            Malformed::Ip6Truncated => c.v6 && available < 40,
            Malformed::Ip4BadVersion => !c.v6 && c.version != 4,
            Malformed::Ip6BadVersion => c.v6 && c.version != 6,
            Malformed::Ip4BadHeaderLength => !c.v6 && (c.payload < c.start + 20 || c.payload > c.end),
            Malformed::Ip4BadTotalLength => !c.v6 && (c.end < c.start + 20 || c.end > self.length),
            Malformed::Ip6BadLength => c.v6 && c.end > self.length,
            Malformed::Ip6ExtensionTruncated => c.v6 && c.payload > c.end,
            Malformed::Ip6ExtensionTooMany => {
                c.extensions.len() > 6
                    || c.extensions.iter().filter(|(kind, _)| *kind == 44).count() > 1
                    || c.payload > weir_wire::MAX_OFFSET
            }
            Malformed::FragmentTooLong => c.offset + room > 65_535 - if c.v6 { 0 } else { c.payload - c.start },
            Malformed::FragmentBadLength => c.more && room % 8 != 0,
            Malformed::TcpTruncated => c.proto == 6 && room < 20,
            Malformed::TcpBadOffset => {
                let offset = self.u8(c.payload + 12).map_or(0, |b| (b >> 4) * 4);
                c.proto == 6 && (offset < 20 || offset > room)
            }
            Malformed::UdpTruncated => c.proto == 17 && room < 8,
            Malformed::UdpBadLength => {
                let length = self.be16(c.payload + 4).unwrap_or(0);
                c.proto == 17 && (length < 8 || length > room)
            }
            Malformed::IcmpTruncated => matches!(c.proto, 1 | 58) && room < 8,
            Malformed::SctpTruncated => c.proto == 132 && room < 12,
            // Tunnels are not opened here.
            Malformed::TunnelTruncated | Malformed::TunnelBadHeader => false,
        }
    }
}
