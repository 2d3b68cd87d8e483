//! Step 7: up to 64 conjunctions over header and payload bytes, decided by ANDing bit vectors.
//!
//! The bytes are those of [`weir_abi::rules::field`]. They are looked up in three rounds, the nearest first; most packets fit
//! nothing after the first, and their other bytes are never read.

use weir_abi::RuleTables;
use weir_abi::rules::{field, ip_fact, l4_fact};
use weir_wire::fragment::Kind;
use weir_wire::ipv6::is_extension;
use weir_wire::{Frame, Packet, Transport, tcp};

/// The conjunctions among `among` that accept the packet, as bits.
#[inline(always)]
pub fn matches<F: Frame>(frame: &F, p: &Packet, tables: &RuleTables, among: u64) -> u64 {
    let live = tables.live & among;
    let m = live & known(p, tables);
    if m == 0 {
        return 0;
    }
    let m = m & headers(frame, p, tables);
    if m == 0 {
        return 0;
    }
    m & rest(frame, p, tables, live & tables.needs_layout != 0)
}

/// The conjunctions that accept a value of a field.
#[inline(always)]
fn one(tables: &RuleTables, field: usize, value: u8) -> u64 {
    tables.words[field][value as usize]
}

/// The same for two neighbouring fields that hold a big-endian number.
#[inline(always)]
fn two(tables: &RuleTables, field: usize, value: u16) -> u64 {
    one(tables, field, (value >> 8) as u8) & one(tables, field + 1, value as u8)
}

/// First round: what the parser has read anyway.
#[inline(always)]
fn known(p: &Packet, tables: &RuleTables) -> u64 {
    let length = p.ip.end.saturating_sub(p.ip.header);
    let length = if length > 0xffff { 0xffff } else { length as u16 };
    one(tables, field::PROTOCOL, p.ip.proto)
        & two(tables, field::LENGTH, length)
        & two(tables, field::SOURCE_PORT, p.source_port)
        & two(tables, field::DESTINATION_PORT, p.destination_port)
        & one(tables, field::TCP_FLAGS, p.tcp_flags)
}

/// Second round: fields and facts of the IP header and of TCP's.
#[inline(always)]
fn headers<F: Frame>(frame: &F, p: &Packet, tables: &RuleTables) -> u64 {
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
        if h[4] | h[5] == 0 {
            facts |= ip_fact::ID_ZERO;
        }
        if h[0] & 15 != 5 {
            facts |= ip_fact::OPTIONS;
        }
    }
    // Blurred: each combination of facts would be a state of its own to the verifier.
    let facts = frame.blur(facts);
    one(tables, field::TTL, ttl) & one(tables, field::TOS, tos) & one(tables, field::IP_FACTS, facts)
}

const _: () = assert!(ip_fact::DF == 0x40 >> 5);

/// Third round: TCP's own fields, the option layout where a rule looks at it, facts of the transport header, payload.
#[inline(always)]
fn rest<F: Frame>(frame: &F, p: &Packet, tables: &RuleTables, with_layout: bool) -> u64 {
    // First, while little else is known: its loop is verified once for each thing that is.
    let layout = if with_layout { layout(frame, p) } else { 0 };
    let layout = frame.blur(layout);
    let (mut window, mut data_offset, mut facts) = (0, 0, 0);
    let mut payload = [0; 8];
    if p.l4 != 0 {
        facts = l4_fact::PRESENT;
        let length = p.payload_len();
        if length == 0 {
            facts |= l4_fact::PAYLOAD_EMPTY;
        }
        if matches!(p.transport, Transport::Tcp)
            && let Some(h) = frame.bytes::<{ tcp::HEADER }>(p.l4)
        {
            window = u16::from_be_bytes([h[14], h[15]]);
            data_offset = h[12] >> 4;
            if h[6] | h[7] == 0 {
                facts |= l4_fact::SEQ_LOW_ZERO;
            }
            if h[8] | h[9] | h[10] | h[11] == 0 {
                facts |= l4_fact::ACK_ZERO;
            }
        }
        if length >= 8
            && let Some(b) = frame.bytes::<8>(p.payload)
        {
            facts |= l4_fact::PAYLOAD_8;
            payload = b;
        }
    }
    let payload = frame.blur64(u64::from_be_bytes(payload));
    let at = |i: usize| (payload >> (56 - 8 * i)) as u8;
    two(tables, field::WINDOW, frame.blur64(window as u64) as u16)
        & one(tables, field::DATA_OFFSET, frame.blur(data_offset))
        & one(tables, field::OPTION_LAYOUT, layout)
        & one(tables, field::L4_FACTS, frame.blur(facts))
        & one(tables, field::PAYLOAD, at(0))
        & one(tables, field::PAYLOAD + 1, at(1))
        & one(tables, field::PAYLOAD + 2, at(2))
        & one(tables, field::PAYLOAD + 3, at(3))
        & one(tables, field::PAYLOAD + 4, at(4))
        & one(tables, field::PAYLOAD + 5, at(5))
        & one(tables, field::PAYLOAD + 6, at(6))
        & one(tables, field::PAYLOAD + 7, at(7))
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
