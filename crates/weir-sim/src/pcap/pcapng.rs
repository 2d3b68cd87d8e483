//! pcapng: sections of blocks, interfaces each with their link type and clock (draft-ietf-opsawg-pcapng).

mod clock;

use super::input::{Input, Next, Order};
use super::{Fault, MAX_RECORD, Record};
use crate::link::LinkType;
use clock::Clock;

/// Block types.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// The byte-order mark of a section.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// No block is longer than this: a larger length is corruption. Wireshark's own limit is of this size.
const MAX_BLOCK: u32 = 16 << 20;

/// The state of the section being read.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Time of the latest packet, for blocks that have none.
    latest_ns: u64,
}

/// One interface of a section.
struct Interface {
    link: LinkType,
    /// Most bytes kept of a packet, 0: all.
    snap: u32,
    clock: Clock,
}

/// A block without its type and lengths.
struct Block {
    kind: u32,
    length: u32,
    body: Vec<u8>,
}

impl Pcapng {
    /// Reads the first section header, whose type has been read.
    pub fn open(input: &mut Input) -> Result<Self, Fault> {
        let mut new = Self { order: Order::Little, interfaces: Vec::new(), latest_ns: 0 };
        new.section(input)?;
        Ok(new)
    }

    pub fn next(&mut self, input: &mut Input) -> Next {
        loop {
            let Some(kind) = input.header::<4>()? else { return Ok(None) };
            if kind == SECTION_HEADER.to_be_bytes() {
                self.section(input)?;
                continue;
            }
            let block = self.block(input, kind)?;
            let packet = match block.kind {
                INTERFACE => {
                    self.interface(&block)?;
                    None
                }
                ENHANCED_PACKET => Some(self.enhanced(&block)?),
                SIMPLE_PACKET => Some(self.simple(&block)?),
                OBSOLETE_PACKET => Some(self.obsolete(&block)?),
                // Statistics, names, keys, comments, and whatever is invented later.
                _ => None,
            };
            if packet.is_some() {
                return Ok(packet);
            }
        }
    }

    /// A new section: another byte order, no interfaces.
    fn section(&mut self, input: &mut Input) -> Result<(), Fault> {
        let [a, b, c, d, mark @ ..]: [u8; 8] = input.bytes()?;
        self.order = match mark {
            mark if mark == BYTE_ORDER.to_le_bytes() => Order::Little,
            mark if mark == BYTE_ORDER.to_be_bytes() => Order::Big,
            other => return Err(Fault::BadByteOrder(other)),
        };
        let length = self.number([a, b, c, d]);
        // Type, length, mark and the length again frame the rest.
        if !(28..=MAX_BLOCK).contains(&length) {
            return Err(Fault::BadBlock { kind: SECTION_HEADER, length });
        }
        input.body(padded(length - 16))?;
        self.trailer(input, SECTION_HEADER, length)?;
        self.interfaces.clear();
        Ok(())
    }

    /// Any other block, whose type has been read.
    fn block(&self, input: &mut Input, kind: [u8; 4]) -> Result<Block, Fault> {
        let kind = self.number(kind);
        let length = self.number(input.bytes()?);
        if !(12..=MAX_BLOCK).contains(&length) {
            return Err(Fault::BadBlock { kind, length });
        }
        let body = input.body(padded(length - 12))?;
        self.trailer(input, kind, length)?;
        Ok(Block { kind, length, body })
    }

    /// The length once more, so that files can be read backwards.
    fn trailer(&self, input: &mut Input, kind: u32, length: u32) -> Result<(), Fault> {
        let again = self.number(input.bytes()?);
        if again == length { Ok(()) } else { Err(Fault::BadBlock { kind, length: again }) }
    }

    fn number(&self, bytes: [u8; 4]) -> u32 {
        if self.order == Order::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }

    fn interface(&mut self, block: &Block) -> Result<(), Fault> {
        let (Some(link), Some(snap)) = (self.order.u16(&block.body, 0), self.order.u32(&block.body, 4)) else {
            return Err(block.bad());
        };
        let clock = Clock::from_options(self.order, &block.body[8..]);
        self.interfaces.push(Interface { link: LinkType::from_number(link), snap, clock });
        Ok(())
    }

    fn enhanced(&mut self, block: &Block) -> Result<Record, Fault> {
        let Some(number) = self.order.u32(&block.body, 0) else { return Err(block.bad()) };
        self.timed(block, number)
    }

    /// The enhanced block's predecessor: a shorter interface number, and a drop count beside it.
    fn obsolete(&mut self, block: &Block) -> Result<Record, Fault> {
        let Some(number) = self.order.u16(&block.body, 0) else { return Err(block.bad()) };
        self.timed(block, number as u32)
    }

    /// A packet with time and both lengths.
    fn timed(&mut self, block: &Block, number: u32) -> Result<Record, Fault> {
        let field = |at| self.order.u32(&block.body, at).ok_or(block.bad());
        let ticks = (field(4)? as u64) << 32 | field(8)? as u64;
        let (captured, original) = (field(12)?, field(16)?);
        let interface = self.interfaces.get(number as usize).ok_or(Fault::UnknownInterface(number))?;
        let data = block.data(20, captured)?;
        self.latest_ns = interface.clock.nanoseconds(ticks);
        Ok(Record { time_ns: self.latest_ns, link: interface.link, original_length: original.max(captured), data })
    }

    /// A packet of the first interface with nothing but its length; its time is that of the packet before it.
    fn simple(&mut self, block: &Block) -> Result<Record, Fault> {
        let interface = self.interfaces.first().ok_or(Fault::UnknownInterface(0))?;
        let Some(original) = self.order.u32(&block.body, 0) else { return Err(block.bad()) };
        // The captured length is not stored: it is the smaller of the two, and the padding is not told from data otherwise.
        let captured = if interface.snap == 0 { original } else { original.min(interface.snap) };
        let data = block.data(4, captured)?;
        Ok(Record { time_ns: self.latest_ns, link: interface.link, original_length: original, data })
    }
}

impl Block {
    /// `captured` bytes of packet from `at`.
    fn data(&self, at: usize, captured: u32) -> Result<Vec<u8>, Fault> {
        if captured > MAX_RECORD {
            return Err(Fault::RecordTooLong(captured));
        }
        self.body.get(at..at + captured as usize).map(<[u8]>::to_vec).ok_or(self.bad())
    }

    fn bad(&self) -> Fault {
        Fault::BadBlock { kind: self.kind, length: self.length }
    }
}

/// Lengths are multiples of four; where a writer forgot, the padding is there all the same.
fn padded(length: u32) -> u32 {
    length.next_multiple_of(4)
}
