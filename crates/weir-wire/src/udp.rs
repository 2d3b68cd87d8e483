//! UDP (RFC 768).

use crate::Malformed;

/// Bytes of the header.
pub const HEADER: usize = 8;

/// The fields of a UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Length as the header says, header included.
    pub length: u16,
}

/// Reads the header; `room` is what the IP packet has for it, `whole` whether the datagram is not a fragment.
#[inline(always)]
pub fn parse(h: [u8; HEADER], room: usize, whole: bool) -> Result<Udp, Malformed> {
    let length = u16::from_be_bytes([h[4], h[5]]);
    // Zero is legal in jumbograms and with segmentation offload.
    if length != 0 && (length < HEADER as u16 || whole && length as usize > room) {
        return Err(Malformed::UdpBadLength);
    }
    Ok(Udp { source: u16::from_be_bytes([h[0], h[1]]), destination: u16::from_be_bytes([h[2], h[3]]), length })
}
