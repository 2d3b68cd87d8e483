//! Step 7: up to 64 conjunctions over header and payload bytes, decided by ANDing bit vectors.
//!
//! The bytes are those of [`weir_abi::rules::field`]. They are looked up in rounds, the nearest first; most packets fit nothing after
//! the first, and their other bytes are never read. What few rules name is looked at only where one of these fits what came before.

use core::cell::Cell;

use weir_abi::RuleTables;
use weir_abi::rules::{FIELDS, field, ip_fact, l4_fact};
use weir_wire::fragment::Kind;
use weir_wire::ipv6::is_extension;
use weir_wire::{Frame, Packet, Transport, tcp};

/// Who is told a packet's bytes: the tables, which answer with the conjunctions that accept them, or someone who notes them down.
pub trait Told {
    /// The answer to the value of a field.
    fn one(&self, field: usize, value: u8) -> u64;

    /// The answer to two neighbouring fields that hold a big-endian number.
    #[inline(always)]
    fn two(&self, field: usize, value: u16) -> u64 {
        self.one(field, (value >> 8) as u8) & self.one(field + 1, value as u8)
    }
}

impl Told for RuleTables {
    #[inline(always)]
    fn one(&self, field: usize, value: u8) -> u64 {
        self.words[field][value as usize]
    }
}

/// Notes the bytes down.
struct Noted(Cell<[u8; FIELDS]>);

impl Told for Noted {
    fn one(&self, field: usize, value: u8) -> u64 {
        let mut bytes = self.0.get();
        if let Some(byte) = bytes.get_mut(field) {
            *byte = value;
        }
        self.0.set(bytes);
        u64::MAX
    }
}

/// The bytes of a packet that rules see, in the order of [`weir_abi::rules::field`].
pub fn vector<F: Frame>(frame: &F, p: &Packet) -> [u8; FIELDS] {
    let noted = Noted(Cell::new([0; FIELDS]));
    let of_transport = transport(frame, p, &noted, true) & facts(frame, p, &noted) & payload(frame, p, &noted);
    let _ = known(p, &noted) & headers(frame, p, &noted) & of_transport;
    noted.0.get()
}

/// The conjunctions among `among` that accept the packet, as bits.
#[inline(always)]
pub fn matches<F: Frame>(frame: &F, p: &Packet, tables: &RuleTables, among: u64) -> u64 {
    let live = tables.live & among;
    let mut m = live & known(p, tables);
    if m == 0 {
        return 0;
    }
    if m & tables.needs_headers != 0 {
        m &= headers(frame, p, tables);
        if m == 0 {
            return 0;
        }
    }
    let mut m = frame.blur64(m & transport(frame, p, tables, live & tables.needs_layout != 0));
    // Most rules ask only that the transport header was read.
    if m & tables.needs_facts != 0 || p.l4 == 0 {
        m &= facts(frame, p, tables);
    }
    let m = frame.blur64(m);
    if m & tables.needs_payload == 0 {
        return m;
    }
    m & payload(frame, p, tables)
}

/// First round: what the parser has read anyway.
#[inline(always)]
fn known<T: Told>(p: &Packet, told: &T) -> u64 {
    told.one(field::PROTOCOL, p.ip.proto)
        & told.two(field::SOURCE_PORT, p.source_port)
        & told.two(field::DESTINATION_PORT, p.destination_port)
        & told.one(field::TCP_FLAGS, p.tcp_flags)
}

/// Second round: fields and facts of the IP header.
#[inline(always)]
fn headers<F: Frame, T: Told>(frame: &F, p: &Packet, told: &T) -> u64 {
    let (mut tos, mut ttl) = (0, 0);
    let mut facts = match p.ip.fragment.kind {
        Kind::First => ip_fact::FRAGMENT_FIRST,
        Kind::Later => ip_fact::FRAGMENT_LATER,
        Kind::Whole => 0,
    };
    if p.ip.v6 {
        facts |= ip_fact::V6;
        if let Some(h) = frame.bytes::<8>(p.ip.header) {
            tos = h[0] << 4 | h[1] >> 4;
            ttl = h[7];
            if is_extension(h[6]) {
                facts |= ip_fact::OPTIONS;
            }
        }
    } else if let Some(h) = frame.bytes::<10>(p.ip.header) {
        tos = h[1];
        ttl = h[8];
        // Bit 6 of the flags to bit 1 of the facts.
        facts |= (h[6] & 0x40) >> 5;
        if u16::from_ne_bytes([h[4], h[5]]) == 0 {
            facts |= ip_fact::ID_ZERO;
        }
        if h[0] & 15 != 5 {
            facts |= ip_fact::OPTIONS;
        }
    }
    // Blurred: each combination of facts would be a state of its own to the verifier.
    let facts = frame.blur(facts);
    let length = if p.ip.length > 0xffff { 0xffff } else { p.ip.length as u16 };
    told.two(field::LENGTH, length)
        & told.one(field::TTL, ttl)
        & told.one(field::TOS, tos)
        & told.one(field::IP_FACTS, facts)
}

const _: () = assert!(ip_fact::DF == 0x40 >> 5);

/// Third round: TCP's window, the option layout where a rule looks at it.
#[inline(always)]
fn transport<F: Frame, T: Told>(frame: &F, p: &Packet, told: &T, with_layout: bool) -> u64 {
    // First, while little else is known: its loop is verified once for each thing that is.
    let layout = if with_layout { layout(frame, p) } else { 0 };
    let layout = frame.blur(layout);
    let window = tcp_header(frame, p).map_or(0, |h| u16::from_be_bytes([h[14], h[15]]));
    told.two(field::WINDOW, frame.blur64(window as u64) as u16) & told.one(field::OPTION_LAYOUT, layout)
}

/// Fourth round: the length of TCP's header, facts of the transport header.
#[inline(always)]
fn facts<F: Frame, T: Told>(frame: &F, p: &Packet, told: &T) -> u64 {
    let (mut facts, mut data_offset) = (0, 0);
    if p.l4 != 0 {
        facts = l4_fact::PRESENT;
        if p.payload_len() == 0 {
            facts |= l4_fact::PAYLOAD_EMPTY;
        }
        if let Some(h) = tcp_header(frame, p) {
            data_offset = h[12] >> 4;
            if u16::from_ne_bytes([h[6], h[7]]) == 0 {
                facts |= l4_fact::SEQ_LOW_ZERO;
            }
            if u32::from_ne_bytes([h[8], h[9], h[10], h[11]]) == 0 {
                facts |= l4_fact::ACK_ZERO;
            }
        }
        if begins(frame, p).is_some() {
            facts |= l4_fact::PAYLOAD_8;
        }
    }
    told.one(field::DATA_OFFSET, frame.blur(data_offset)) & told.one(field::L4_FACTS, frame.blur(facts))
}

/// TCP's header, where there is one.
#[inline(always)]
fn tcp_header<F: Frame>(frame: &F, p: &Packet) -> Option<[u8; tcp::HEADER]> {
    if p.l4 != 0 && matches!(p.transport, Transport::Tcp) { frame.bytes(p.l4) } else { None }
}

/// The first eight bytes of the payload, where there are so many.
#[inline(always)]
fn begins<F: Frame>(frame: &F, p: &Packet) -> Option<[u8; 8]> {
    if p.l4 != 0 && p.payload_len() >= 8 { frame.bytes::<8>(p.payload) } else { None }
}

/// Last round: the payload.
#[inline(always)]
fn payload<F: Frame, T: Told>(frame: &F, p: &Packet, told: &T) -> u64 {
    let payload = frame.blur64(begins(frame, p).map_or(0, u64::from_be_bytes));
    let at = |i: usize| (payload >> (56 - 8 * i)) as u8;
    told.one(field::PAYLOAD, at(0))
        & told.one(field::PAYLOAD + 1, at(1))
        & told.one(field::PAYLOAD + 2, at(2))
        & told.one(field::PAYLOAD + 3, at(3))
        & told.one(field::PAYLOAD + 4, at(4))
        & told.one(field::PAYLOAD + 5, at(5))
        & told.one(field::PAYLOAD + 6, at(6))
        & told.one(field::PAYLOAD + 7, at(7))
}

/// Identity of the TCP option layout, 0 for anything but TCP.
#[inline(always)]
fn layout<F: Frame>(frame: &F, p: &Packet) -> u8 {
    if p.l4 == 0 || !matches!(p.transport, Transport::Tcp) {
        return 0;
    }
    let Some(offset) = frame.u8(p.l4 + 12) else { return 0 };
    tcp::layout(frame, p.l4, frame.blur(offset) >> 4).unwrap_or(0)
}
