//! Step 5: what no honest sender sends. Each filter belongs to a flag of the target's policy.

use weir_abi::policy::flag;
use weir_abi::{Addr, Reason, TargetPolicy};
use weir_wire::packet::proto;
use weir_wire::tcp::flag as tcp;
use weir_wire::{Packet, Transport};

/// Whether a packet names one end as both.
#[inline(always)]
pub fn is_land(p: &Packet, src: Addr, dst: Addr) -> bool {
    src.lo == dst.lo
        && src.hi == dst.hi
        && (p.source_port == p.destination_port || !matches!(p.transport, Transport::Tcp | Transport::Udp))
}

/// The first filter that the packet fails. `asked`: it answers a question of the host.
#[inline(always)]
pub fn check(policy: &TargetPolicy, p: &Packet, src: Addr, dst: Addr, asked: bool) -> Option<Reason> {
    if policy.has(flag::LAND) && is_land(p, src, dst) {
        return Some(Reason::Land);
    }
    if policy.has(flag::BOGONS) && is_bogon(src) {
        return Some(Reason::BogonSource);
    }
    match p.transport {
        Transport::Tcp => {
            if policy.has(flag::TCP_FLAGS)
                && let Some(reason) = tcp_flags(p.tcp_flags)
            {
                return Some(reason);
            }
            port_zero(policy, p)
        }
        Transport::Udp => {
            if policy.has(flag::REFLECTION) && !asked && is_reflection_port(p.source_port) {
                return Some(Reason::ReflectionPort);
            }
            // A UDP source port of zero is legal: no answer is wanted (RFC 768).
            if policy.has(flag::PORT_ZERO) && p.destination_port == 0 {
                return Some(Reason::PortZero);
            }
            None
        }
        _ => None,
    }
}

/// TCP port zero cannot be bound or connected to.
#[inline(always)]
fn port_zero(policy: &TargetPolicy, p: &Packet) -> Option<Reason> {
    if policy.has(flag::PORT_ZERO) && (p.source_port == 0 || p.destination_port == 0) {
        return Some(Reason::PortZero);
    }
    None
}

/// Whether the target serves the protocol (with [`flag::PROTOCOLS`]).
#[inline(always)]
pub fn serves(policy: &TargetPolicy, number: u8) -> bool {
    !policy.has(flag::PROTOCOLS) || policy.served[(number >> 6) as usize & 3] >> (number & 63) & 1 != 0
}

/// Flag combinations that no state of RFC 9293 sends. ECN bits are left out of account; SYN with data or with ECN is legal.
#[inline(always)]
pub fn tcp_flags(flags: u8) -> Option<Reason> {
    if LEGAL >> (flags & 0x3f) & 1 != 0 { None } else { illegal(flags & 0x3f) }
}

/// Bit `f` is set where the flags `f` are legal: one look for nearly every packet.
const LEGAL: u64 = {
    let mut legal = 0;
    let mut f = 0;
    while f < 64 {
        if illegal(f).is_none() {
            legal |= 1 << f;
        }
        f += 1;
    }
    legal
};

/// Why flags are not legal, if so.
#[inline(always)]
const fn illegal(f: u8) -> Option<Reason> {
    if f & tcp::SYN != 0 {
        if f & tcp::FIN != 0 {
            return Some(Reason::TcpSynFin);
        }
        if f & tcp::RST != 0 {
            return Some(Reason::TcpSynRst);
        }
        return None;
    }
    if f & tcp::RST != 0 {
        // Some stacks close with FIN and RST and ACK together; without ACK nobody does.
        if f & tcp::FIN != 0 && f & tcp::ACK == 0 {
            return Some(Reason::TcpFinRst);
        }
        return None;
    }
    if f == 0 {
        return Some(Reason::TcpNull);
    }
    if f & tcp::ACK == 0 {
        if f & tcp::FIN != 0 {
            return Some(if f & (tcp::PSH | tcp::URG) == tcp::PSH | tcp::URG {
                Reason::TcpXmas
            } else {
                Reason::TcpFinNoAck
            });
        }
        return Some(Reason::TcpUrgNoAck);
    }
    None
}

/// Sources that cannot be a sender's (RFC 6890, RFC 5735): "this network", loopback, documentation, benchmarking, multicast and
/// reserved. Private ranges are not among them: they are customers in many clusters.
#[inline(always)]
pub fn is_bogon(src: Addr) -> bool {
    if src.is_v4() {
        let ip = src.ip4();
        let top = ip >> 24;
        // Half of all addresses are told by one comparison.
        if top < 127 {
            return top == 0;
        }
        let top24 = ip >> 8;
        return top == 127
            || top >= 224
            || top24 == 0x00c0_0002 // 192.0.2.0/24
            || top24 == 0x00c6_3364 // 198.51.100.0/24
            || top24 == 0x00cb_0071 // 203.0.113.0/24
            || ip >> 17 == 0xc612_0000 >> 17; // 198.18.0.0/15
    }
    let top = src.hi >> 56;
    // ::/8 (unspecified, loopback, mapped), ff00::/8 multicast, 2001:db8::/32 documentation.
    top == 0 || top == 0xff || src.hi >> 32 == 0x2001_0db8
}

/// Source ports of the services that reflection attacks use (specification of detection, section 4).
#[inline(always)]
pub fn is_reflection_port(port: u16) -> bool {
    matches!(
        port,
        17 | 19
            | 53
            | 69
            | 111
            | 123
            | 137
            | 161
            | 177
            | 389
            | 427
            | 500
            | 520
            | 1194
            | 1434
            | 1604
            | 1701
            | 1812
            | 1900
            | 2362
            | 3283
            | 3389
            | 3478
            | 3702
            | 4500
            | 5093
            | 5351
            | 5353
            | 5683
            | 6881
            | 8611
            | 10001
            | 11211
            | 27015
            | 27960
            | 30718
            | 32414
            | 37810
            | 47808
    )
}

/// Whether a protocol number has ports.
#[inline(always)]
pub fn has_ports(number: u8) -> bool {
    matches!(number, proto::TCP | proto::UDP | proto::UDPLITE | proto::SCTP)
}
