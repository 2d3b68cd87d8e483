//! A look at a DNS message's header (RFC 1035, 4.1.1): enough to tell query from answer and big from small.

use crate::Frame;

/// Bytes of the header.
pub const HEADER: usize = 12;
/// Labels of a name that are walked; the root's empty one counts.
pub const MAX_LABELS: usize = 32;

/// The header of a DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Identification.
    pub id: u16,
    /// An answer, not a query.
    pub response: bool,
    /// Operation, 0 to 15.
    pub opcode: u8,
    /// Response code, 0 to 15.
    pub rcode: u8,
    /// The answer was cut.
    pub truncated: bool,
    /// Questions.
    pub questions: u16,
    /// Answers.
    pub answers: u16,
    /// Type of the first question, where the name could be walked within 32 labels.
    pub first_type: Option<u16>,
}

/// Reads the message that lies between `off` (behind the UDP header) and `end` (of the packet).
#[inline(always)]
pub fn peek<F: Frame>(frame: &F, off: usize, end: usize) -> Option<Dns> {
    if off + HEADER > end {
        return None;
    }
    let h = frame.bytes::<HEADER>(off)?;
    let questions = u16::from_be_bytes([h[4], h[5]]);
    Some(Dns {
        id: u16::from_be_bytes([h[0], h[1]]),
        response: h[2] & 0x80 != 0,
        opcode: h[2] >> 3 & 15,
        rcode: h[3] & 15,
        truncated: h[2] & 2 != 0,
        questions,
        answers: u16::from_be_bytes([h[6], h[7]]),
        first_type: if questions > 0 { question_type(frame, off + HEADER, end) } else { None },
    })
}

/// Walks the labels of the first name. Questions hold no compression pointers, so one ends the walk.
#[inline(always)]
fn question_type<F: Frame>(frame: &F, mut at: usize, end: usize) -> Option<u16> {
    let mut labels = 0;
    while labels < MAX_LABELS {
        labels += 1;
        let length = frame.u8(at)?;
        if length & 0xc0 != 0 {
            return None;
        }
        at += 1 + length as usize;
        if length == 0 {
            // One check for the whole walk: a name that left the packet ends behind it.
            return if at + 2 > end { None } else { frame.be16(at) };
        }
    }
    None
}
