//! The classic format: a file header, then records of one link type (draft-ietf-opsawg-pcap).

use super::input::{Input, Next, Order};
use super::{Fault, MAX_RECORD, Record};
use crate::link::LinkType;

/// The file header's facts.
pub(super) struct Classic {
    order: Order,
    /// Nanoseconds in a unit of the fraction.
    unit: u64,
    lengths: Lengths,
    /// Bytes of a record header: a patched libpcap of the nineties wrote eight more.
    header: usize,
    link: LinkType,
}

/// In which order the two lengths stand. Versions before 2.3 had them the other way round, 2.3 had both.
#[derive(Clone, Copy)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    SmallerIsCaptured,
}

/// Microseconds.
const MICRO: u32 = 0xa1b2_c3d4;
/// Nanoseconds.
const NANO: u32 = 0xa1b2_3c4d;
/// Alexey Kuznetzov's patch: eight bytes more in each record.
const PATCHED: u32 = 0xa1b2_cd34;

impl Classic {
    /// Reads the rest of the file header behind `magic`; nothing where the magic is another format's.
    pub fn open(magic: [u8; 4], input: &mut Input) -> Result<Option<Self>, Fault> {
        let (order, unit, header) = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (MICRO, _) => (Order::Little, 1000, 16),
            (_, MICRO) => (Order::Big, 1000, 16),
            (NANO, _) => (Order::Little, 1, 16),
            (_, NANO) => (Order::Big, 1, 16),
            (PATCHED, _) => (Order::Little, 1000, 24),
            (_, PATCHED) => (Order::Big, 1000, 24),
            _ => return Ok(None),
        };
        let rest: [u8; 20] = input.bytes()?;
        let lengths = match (order.u16(&rest, 0), order.u16(&rest, 2)) {
            (Some(2), Some(0..3)) => Lengths::OriginalFirst,
            (Some(2), Some(3)) => Lengths::SmallerIsCaptured,
            _ => Lengths::CapturedFirst,
        };
        // The upper half says whether frames end with a check sequence: bytes behind the packet, which are never looked at.
        let link = LinkType::from_number(order.u32(&rest, 16).unwrap_or(0) as u16);
        Ok(Some(Self { order, unit, lengths, header, link }))
    }

    pub fn next(&mut self, input: &mut Input) -> Next {
        let Some(head) = input.header::<16>()? else { return Ok(None) };
        let field = |at| self.order.u32(&head, at).unwrap_or(0);
        let (seconds, fraction, a, b) = (field(0), field(4), field(8), field(12));
        let (captured, original) = match self.lengths {
            Lengths::CapturedFirst => (a, b),
            Lengths::OriginalFirst => (b, a),
            Lengths::SmallerIsCaptured => (a.min(b), a.max(b)),
        };
        if captured > MAX_RECORD {
            return Err(Fault::RecordTooLong(captured));
        }
        if self.header > head.len() {
            let _: [u8; 8] = input.bytes()?;
        }
        let data = input.body(captured)?;
        Ok(Some(Record {
            // A fraction of a second or more occurs, and means what it says.
            time_ns: seconds as u64 * 1_000_000_000 + fraction as u64 * self.unit,
            link: self.link,
            original_length: original.max(captured),
            data,
        }))
    }
}
