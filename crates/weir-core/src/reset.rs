//! A client's packet made into its reset: the host gives up a connection that its client only keeps waiting ([`crate::dawdlers`]).
//!
//! Two fields of the TCP header change, flags and checksum. The sequence number is the one that the host expects next, which RFC 9293 (3.10.7.4) and
//! RFC 5961 (3.2) ask of a reset that is believed at once; where it is not, because a packet was lost before, the host asks and nothing is closed.
//! The payload stays behind it, as RFC 9293 (3.5.3) allows. The client hears of it when it says something again.

use weir_wire::{Frame, ipv4, ipv6, tcp};

use crate::head::{Head, Read};
use crate::reply::fold;

/// Where the flags are in a TCP header.
pub const FLAGS: usize = 13;
/// And the checksum.
pub const CHECKSUM: usize = 16;

/// What becomes of the TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Where it is in the frame.
    pub at: usize,
    /// Its flags.
    pub flags: u8,
    /// Its checksum.
    pub checksum: u16,
}

/// What makes a reset of a packet; none where its headers are none that can be read at once.
#[inline(always)]
pub fn reset<F: Frame>(frame: &F) -> Option<Reset> {
    let Read::Head(head) = Head::read(frame) else { return None };
    let head = head.blurred(frame);
    let at = head.at + if head.v6 { ipv6::HEADER } else { ipv4::HEADER };
    let flags = tcp::flag::RST | tcp::flag::ACK;
    // RFC 1624, equation 3. The other byte of the word that the flags are in stays.
    let changed = !fold(u64::from(!head.checksum) + u64::from(!u16::from(head.flags)) + u64::from(flags));
    // Left to hardware, which was never there (`CHECKSUM_PARTIAL`): the sum of the pseudo header, and no flag is part of it.
    let partial = head.checksum == fold(head.pseudo + u64::from(head.length));
    let checksum = if partial { head.checksum } else { changed };
    let checksum = frame.blur64(u64::from(checksum)) as u16;
    Some(Reset { at, flags, checksum })
}
