//! What a packet is, for the detectors: one slot out of 64.

use weir_abi::counters::{feature_slot, kind, syn_fact, syn_slot};
use weir_wire::tcp::flag as tcp;
use weir_wire::{Frame, Packet, Transport};

use crate::hygiene::is_reflection_port;

/// Frames below this length count as small.
pub const SMALL: u32 = 100;

/// The feature slot of a packet in a frame of `bytes`. TCP fields are read from the frame again: carrying them along from the
/// parser would cost the kernel program stack it does not have.
#[inline(always)]
pub fn slot<F: Frame>(frame: &F, p: &Packet, bytes: u32) -> u8 {
    let small = bytes < SMALL;
    let fragment = p.ip.fragment.is_fragment();
    let kind = match p.transport {
        Transport::Tcp => {
            if p.is_syn() {
                return syn_slot(syn_facts(frame, p));
            }
            if p.tcp_flags & tcp::SYN != 0 {
                kind::SYN_ACK
            } else if p.tcp_flags & tcp::RST != 0 {
                kind::RST
            } else if p.tcp_flags & tcp::FIN != 0 {
                kind::FIN
            } else {
                kind::TCP
            }
        }
        Transport::Udp if is_reflection_port(p.source_port) => kind::UDP_REFLECTION,
        Transport::Udp => kind::UDP,
        Transport::Icmp => kind::ICMP,
        _ => kind::OTHER,
    };
    feature_slot(kind, small, fragment)
}

/// The facts of a SYN.
#[inline(always)]
fn syn_facts<F: Frame>(frame: &F, p: &Packet) -> u8 {
    let Some(h) = frame.bytes::<20>(p.l4) else { return 0 };
    let mut facts = 0;
    if h[12] >> 4 == 5 {
        facts |= syn_fact::NO_OPTIONS;
    }
    if p.payload_len() != 0 {
        facts |= syn_fact::WITH_DATA;
    }
    if u16::from_ne_bytes([h[6], h[7]]) == 0 {
        facts |= syn_fact::SEQ_LOW_ZERO;
    }
    if u16::from_ne_bytes([h[14], h[15]]) == 0 {
        facts |= syn_fact::WINDOW_ZERO;
    }
    facts
}
