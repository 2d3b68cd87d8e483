//! Step 7: up to 64 conjunctions over header and payload bytes, decided by ANDing bit vectors.

use weir_abi::RuleTables;
use weir_abi::rules::{FIELDS, field, ip_fact, l4_fact};
use weir_wire::fragment::Kind;
use weir_wire::ipv6::is_extension;
use weir_wire::{Frame, Packet, Transport, tcp};

/// The bytes of a packet that rules can see, see [`weir_abi::rules::field`].
pub type Vector = [u8; FIELDS];

/// Reads the match vector, from the frame again where only rules want a field. The option layout is read only when asked for.
#[inline(always)]
pub fn vector<F: Frame>(frame: &F, p: &Packet, with_layout: bool) -> Vector {
    let mut v = [0u8; FIELDS];
    v[field::PROTOCOL] = p.ip.proto;
    let length = p.ip.end.saturating_sub(p.ip.header);
    let length = if length > 0xffff { 0xffff } else { length as u16 };
    [v[field::LENGTH], v[field::LENGTH + 1]] = length.to_be_bytes();
    v[field::IP_FACTS] = frame.blur(ip(frame, p, &mut v));
    [v[field::SOURCE_PORT], v[field::SOURCE_PORT + 1]] = p.source_port.to_be_bytes();
    [v[field::DESTINATION_PORT], v[field::DESTINATION_PORT + 1]] = p.destination_port.to_be_bytes();
    v[field::TCP_FLAGS] = p.tcp_flags;
    // Blurred: each combination of facts would be a state of its own to the verifier.
    v[field::L4_FACTS] = frame.blur(transport(frame, p, with_layout, &mut v));
    v
}

/// Fields and facts of the IP header.
#[inline(always)]
fn ip<F: Frame>(frame: &F, p: &Packet, v: &mut Vector) -> u8 {
    let mut facts = match p.ip.fragment.kind {
        Kind::First => ip_fact::FRAGMENT_FIRST,
        Kind::Later => ip_fact::FRAGMENT_LATER,
        Kind::Whole => 0,
    };
    if p.ip.v6 {
        facts |= ip_fact::V6;
        if let Some(h) = frame.bytes::<8>(p.ip.header) {
            v[field::TOS] = h[0] << 4 | h[1] >> 4;
            v[field::TTL] = h[7];
            if is_extension(h[6]) {
                facts |= ip_fact::OPTIONS;
            }
        }
    } else if let Some(h) = frame.bytes::<10>(p.ip.header) {
        v[field::TOS] = h[1];
        v[field::TTL] = h[8];
        if h[6] & 0x40 != 0 {
            facts |= ip_fact::DF;
        }
        if h[4] | h[5] == 0 {
            facts |= ip_fact::ID_ZERO;
        }
        if h[0] & 15 != 5 {
            facts |= ip_fact::OPTIONS;
        }
    }
    facts
}

/// Fields and facts behind the IP headers.
#[inline(always)]
fn transport<F: Frame>(frame: &F, p: &Packet, with_layout: bool, v: &mut Vector) -> u8 {
    if p.l4 == 0 {
        return 0;
    }
    let mut facts = l4_fact::PRESENT;
    let payload = p.payload_len();
    if payload == 0 {
        facts |= l4_fact::PAYLOAD_EMPTY;
    }
    if matches!(p.transport, Transport::Tcp)
        && let Some(h) = frame.bytes::<{ tcp::HEADER }>(p.l4)
    {
        v[field::WINDOW] = h[14];
        v[field::WINDOW + 1] = h[15];
        v[field::DATA_OFFSET] = h[12] >> 4;
        if h[6] | h[7] == 0 {
            facts |= l4_fact::SEQ_LOW_ZERO;
        }
        if h[8] | h[9] | h[10] | h[11] == 0 {
            facts |= l4_fact::ACK_ZERO;
        }
        if with_layout && let Some(layout) = tcp::layout(frame, p.l4, h[12] >> 4) {
            v[field::OPTION_LAYOUT] = layout;
        }
    }
    if payload >= 8
        && let Some(b) = frame.bytes::<8>(p.payload)
    {
        facts |= l4_fact::PAYLOAD_8;
        let mut i = 0;
        while i < 8 {
            v[field::PAYLOAD + i] = b[i];
            i += 1;
        }
    }
    facts
}

/// The conjunctions among `among` that accept the vector, as bits.
#[inline(always)]
pub fn matches(tables: &RuleTables, v: &Vector, among: u64) -> u64 {
    let mut m = tables.live & among;
    let mut i = 0;
    // Two rounds, so that the usual case (nothing fits the first bytes) skips half of the loads.
    while i < FIELDS / 2 {
        m &= tables.words[i][v[i] as usize];
        i += 1;
    }
    if m == 0 {
        return 0;
    }
    while i < FIELDS {
        m &= tables.words[i][v[i] as usize];
        i += 1;
    }
    m
}
