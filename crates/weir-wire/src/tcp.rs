//! TCP (RFC 9293): fixed header and the layout of the options.

use crate::{Frame, Malformed};

/// Bytes of the header without options.
pub const HEADER: usize = 20;

/// Flag bits of byte 13.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
    /// ECN echo.
    pub const ECE: u8 = 0x40;
    /// Congestion window reduced.
    pub const CWR: u8 = 0x80;
}

/// Option kinds (IANA TCP parameters).
pub mod kind {
    /// End of the list.
    pub const END: u8 = 0;
    /// Padding.
    pub const NOP: u8 = 1;
    /// Maximum segment size.
    pub const MSS: u8 = 2;
    /// Window scale.
    pub const WINDOW_SCALE: u8 = 3;
    /// Selective acknowledgements permitted.
    pub const SACK_PERMITTED: u8 = 4;
    /// Timestamps.
    pub const TIMESTAMP: u8 = 8;
}

/// The fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Header length in 32-bit words, 5 to 15.
    pub data_offset: u8,
    /// Flags, see [`flag`].
    pub flags: u8,
    /// Window as sent.
    pub window: u16,
}

/// Reads the fixed header; `room` is what the IP packet has for TCP, `whole` whether it is not a fragment.
#[inline(always)]
pub fn parse(h: [u8; HEADER], room: usize, whole: bool) -> Result<Tcp, Malformed> {
    let data_offset = h[12] >> 4;
    if data_offset < 5 || whole && data_offset as usize * 4 > room {
        return Err(Malformed::TcpBadOffset);
    }
    Ok(Tcp {
        source: u16::from_be_bytes([h[0], h[1]]),
        destination: u16::from_be_bytes([h[2], h[3]]),
        seq: u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
        ack: u32::from_be_bytes([h[8], h[9], h[10], h[11]]),
        data_offset,
        flags: h[13],
        window: u16::from_be_bytes([h[14], h[15]]),
    })
}

/// What the options say and in which order they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size, when present.
    pub mss: Option<u16>,
    /// Window scale, when present.
    pub window_scale: Option<u8>,
    /// Selective acknowledgements permitted.
    pub sack_permitted: bool,
    /// Timestamps present.
    pub timestamp: bool,
    /// Identity of the layout: equal kinds in equal order give equal numbers; 0 means no options.
    pub layout: u8,
    /// An option's length was below two or beyond the header: what follows was not read.
    pub lying: bool,
}

/// Most option bytes.
pub const MAX_OPTIONS: usize = 40;

/// Reads the options of the TCP header at `off`. Nothing where the bytes cannot be read.
///
/// The position is blurred at every step: the verifier would otherwise follow every combination of option sizes.
#[inline(always)]
pub fn options<F: Frame>(frame: &F, off: usize, data_offset: u8) -> Option<Options> {
    let length = (data_offset.clamp(5, 15) as usize - 5) * 4;
    let base = off + HEADER;
    let mut out = Options::default();
    let mut layout = 0u32;
    let mut at = 0usize;
    let mut steps = 0;
    while steps < MAX_OPTIONS {
        steps += 1;
        if at >= length {
            break;
        }
        let kind = frame.u8(base + at)?;
        if kind == kind::END {
            break;
        }
        layout = layout.wrapping_mul(31).wrapping_add(kind as u32 + 1);
        if kind == kind::NOP {
            at = frame.blur(at as u8 + 1) as usize & 63;
            continue;
        }
        if at + 1 >= length {
            out.lying = true;
            break;
        }
        let size = frame.u8(base + at + 1)? as usize;
        if size < 2 || at + size > length {
            out.lying = true;
            break;
        }
        match kind {
            kind::MSS if size == 4 => out.mss = Some(frame.be16(base + at + 2)?),
            kind::WINDOW_SCALE if size == 3 => out.window_scale = Some(frame.u8(base + at + 2)?),
            kind::SACK_PERMITTED => out.sack_permitted = true,
            kind::TIMESTAMP => out.timestamp = true,
            _ => {}
        }
        at = frame.blur((at + size) as u8) as usize & 63;
    }
    // Folded to a byte that is never zero for a list that has something in it.
    let folded = (layout ^ layout >> 8 ^ layout >> 16 ^ layout >> 24) as u8;
    out.layout = if layout != 0 && folded == 0 { 1 } else { folded };
    Some(out)
}

/// Only the identity of the layout: what the packet path reads when a rule asks for it. The same number as [`Options::layout`].
#[inline(always)]
pub fn layout<F: Frame>(frame: &F, off: usize, data_offset: u8) -> Option<u8> {
    if data_offset <= 5 {
        return Some(0);
    }
    options(frame, off, data_offset).map(|o| o.layout)
}
