//! The packet that challenges a SYN: a SYN-ACK from the target, without options, that acknowledges a cookie.

use weir_abi::Addr;
use weir_abi::challenge::reply as path;
use weir_wire::packet::proto;
use weir_wire::{Frame, ipv4, ipv6, tcp};

use crate::head::{Head, Read};
use crate::{Env, challenge};

/// 32-bit words of an IPv4 reply behind the link header.
pub const WORDS4: usize = (ipv4::HEADER + tcp::HEADER) / 4;
/// 32-bit words of an IPv6 reply behind the link header.
pub const WORDS6: usize = (ipv6::HEADER + tcp::HEADER) / 4;

/// IP and TCP header of a reply, in words as they are read from the packet: the kernel's stack takes no unaligned bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headers {
    /// IPv4.
    V4([u32; WORDS4]),
    /// IPv6.
    V6([u32; WORDS6]),
}

/// A reply. The link header is the SYN's with its two addresses exchanged; nothing follows behind the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Where the IP header begins: 14, 18 or 22.
    pub at: usize,
    /// The headers.
    pub headers: Headers,
    /// XDP is to send it itself, and not to hand it to the stack.
    pub transmit: bool,
}

/// How a reply may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the stack: traffic control has no other way.
    Stack,
    /// As its cookie says, see [`weir_abi::challenge::reply`].
    Chosen,
    /// XDP sends it, whatever the cookie says.
    Transmit,
}

/// Hops that the reply may take.
const TTL: u32 = 64;
/// Don't fragment, in the word of identification, flags and offset.
const DONT_FRAGMENT: u32 = 0x4000;
/// Version 6, no traffic class, no flow label.
const VERSION6: u32 = 6 << 28;

/// The reply to a SYN that is to be challenged; nothing where its headers are none that can be answered.
///
/// A reply that leaves through the kernel's stack may answer a SYN from this machine that has left its checksum to hardware that was never there
/// (`CHECKSUM_PARTIAL`); its buffer still says so, and the sum will be completed on the way out.
#[inline(always)]
pub fn reply<F: Frame, E: Env>(frame: &F, env: &E, way: Way) -> Option<Reply> {
    let Read::Head(syn) = Head::read(frame) else { return None };
    let syn = syn.blurred(frame);
    let cookie = challenge::cookie(env, &syn.ends, challenge::epoch(env));
    let transmit = match way {
        Way::Stack => false,
        Way::Chosen => challenge::transmits(env.config().reply, cookie),
        Way::Transmit => true,
    };
    let transmit = frame.blur(transmit as u8) & 1 != 0;
    let segment = segment(&syn, frame.blur64(cookie), !transmit)?;
    let headers = if syn.v6 { Headers::V6(six(&syn, segment)) } else { Headers::V4(four(&syn, segment)) };
    Some(Reply { at: syn.at, headers, transmit })
}

/// Whether a frame that came is a reply of ours, on its way back through the stack. Nobody else knows its numbers.
#[inline(always)]
pub fn is_reply<F: Frame, E: Env>(frame: &F, env: &E) -> bool {
    if env.config().reply == path::NONE {
        return false;
    }
    let Read::Head(head) = Head::read(frame) else { return false };
    let flags = head.flags & (tcp::flag::SYN | tcp::flag::ACK | tcp::flag::RST);
    if flags != tcp::flag::SYN | tcp::flag::ACK {
        return false;
    }
    let head = head.blurred(frame);
    frame.blur(challenge::is_ours(env, &head.ends.turned(), head.ack, head.seq) as u8) & 1 != 0
}

#[inline(always)]
fn four(syn: &Head, [ports, seq, ack, shape, checksum]: Segment) -> [u32; WORDS4] {
    let (src, dst) = (syn.ends.src.ip4(), syn.ends.dst.ip4());
    let first = 0x4500 << 16 | (4 * WORDS4) as u32;
    let third = TTL << 24 | (proto::TCP as u32) << 16;
    let sum = first as u64 + DONT_FRAGMENT as u64 + third as u64 + dst as u64 + src as u64;
    let third = third | !fold(sum) as u32;
    [first, DONT_FRAGMENT, third, dst, src, ports, seq, ack, shape, checksum]
}

#[inline(always)]
fn six(syn: &Head, [ports, seq, ack, shape, checksum]: Segment) -> [u32; WORDS6] {
    let (s, d) = (words(syn.ends.src), words(syn.ends.dst));
    let second = (tcp::HEADER as u32) << 16 | (proto::TCP as u32) << 8 | TTL;
    [VERSION6, second, d[0], d[1], d[2], d[3], s[0], s[1], s[2], s[3], ports, seq, ack, shape, checksum]
}

/// An address as it stands in an IPv6 header.
#[inline(always)]
fn words(a: Addr) -> [u32; 4] {
    [(a.hi >> 32) as u32, a.hi as u32, (a.lo >> 32) as u32, a.lo as u32]
}

/// A TCP header without options.
type Segment = [u32; tcp::HEADER / 4];

/// The TCP header of the reply.
#[inline(always)]
fn segment(syn: &Head, cookie: u64, stack: bool) -> Option<Segment> {
    let (seq, ack) = (challenge::sequence(cookie), challenge::acknowledged(cookie));
    if ack == syn.seq.wrapping_add(1) {
        // It would be no challenge but an answer. The client sends its SYN again.
        return None;
    }
    let ports = (syn.ends.ports.1 as u32) << 16 | syn.ends.ports.0 as u32;
    let flags = (tcp::flag::SYN | tcp::flag::ACK) as u32;
    // Five words long, the largest window.
    let shape = 5 << 28 | flags << 16 | u16::MAX as u32;
    let bare = syn.pseudo + tcp::HEADER as u64;
    let whole = bare + ports as u64 + seq as u64 + ack as u64 + shape as u64;
    let partial = stack && syn.checksum == fold(syn.pseudo + syn.length as u64);
    let checksum = if partial { fold(bare) } else { !fold(whole) };
    Some([ports, seq, ack, shape, (checksum as u32) << 16])
}

/// A sum of 32-bit words as one of 16-bit words with its carries (RFC 1071).
#[inline(always)]
pub(crate) fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}
