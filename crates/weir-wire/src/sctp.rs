//! SCTP (RFC 9260): the ports of the common header.

/// Bytes of the common header.
pub const HEADER: usize = 12;

/// Source and destination port.
#[inline(always)]
pub fn ports(h: [u8; HEADER]) -> (u16, u16) {
    (u16::from_be_bytes([h[0], h[1]]), u16::from_be_bytes([h[2], h[3]]))
}
