//! Fragments: the first one of a datagram decides for the later ones (RFC 791, RFC 5722, RFC 1858).

use weir_abi::FragmentSlot;
use weir_abi::fragment::COARSE_SHIFT;
use weir_wire::Packet;

use crate::Env;
use crate::hash::hash4;

/// What is known of a later fragment's datagram.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Its first fragment passed.
    Passed = 0,
    /// Its first fragment was dropped.
    Dropped = 1,
    /// It overwrites bytes of an earlier fragment.
    Overlap = 2,
    /// Nothing: out of order, lost, or never sent.
    Nothing = 3,
}

impl Known {
    /// The one with this number; the last one for any other.
    #[inline(always)]
    pub(crate) const fn from_number(n: u8) -> Self {
        match n {
            0 => Known::Passed,
            1 => Known::Dropped,
            2 => Known::Overlap,
            _ => Known::Nothing,
        }
    }
}

/// The slot of a packet's datagram and the tag that tells it from others there.
#[inline(always)]
fn slot_of<E: Env>(env: &E, p: &Packet) -> (u32, u32) {
    let config = env.config();
    // IPv6 tells datagrams apart by the identification alone (RFC 8200, 4.5): extension headers behind the fragment header stand
    // only in the first fragment, so the protocol that is read differs.
    let proto = if p.ip.v6 { 0 } else { p.ip.proto as u64 };
    let identity = (p.ip.fragment.id as u64) << 8 | proto;
    let h = hash4(p.ip.src.0 ^ identity, p.ip.src.1, p.ip.dst.0, p.ip.dst.1, &config.seed);
    // A tag of zero would match an empty slot.
    (h as u32 & config.fragment_mask, (h >> 32) as u32 | 1)
}

#[inline(always)]
fn coarse<E: Env>(env: &E) -> u16 {
    (env.tick() >> COARSE_SHIFT) as u16
}

/// Remembers what became of a first fragment. `target` 0: no target's port, later ones just pass.
#[inline(always)]
pub fn remember<E: Env>(env: &E, p: &Packet, target: u32, dropped: bool) {
    let (index, tag) = slot_of(env, p);
    let Some(slot) = env.fragment(index) else { return };
    let tag = (tag as u64) << 32;
    slot.shape.store(tag | ((p.ip.fragment.end() >> 3) as u64 & 0xffff) << 16 | dropped as u64);
    slot.last.store(0);
    slot.decided.store(tag | (coarse(env) as u64) << 16 | target as u64 & 0xffff);
}

/// The target of a later fragment's datagram and what is known of it; notes where the fragment lies.
#[inline(always)]
pub fn look_up<E: Env>(env: &E, p: &Packet) -> (u32, Known) {
    let (index, tag) = slot_of(env, p);
    let Some(slot) = env.fragment(index) else { return (0, Known::Nothing) };
    let decided = slot.decided.load();
    let shape = slot.shape.load();
    let age = coarse(env).wrapping_sub((decided >> 16) as u16);
    if (decided >> 32) as u32 != tag || (shape >> 32) as u32 != tag || age as u32 > env.config().fragment_timeout {
        return (0, Known::Nothing);
    }
    let target = decided as u32 & 0xffff;
    if shape & 1 != 0 {
        return (target, Known::Dropped);
    }
    if overlaps(slot, tag, shape, p) {
        return (target, Known::Overlap);
    }
    (target, Known::Passed)
}

/// Whether the fragment overwrites the first one, or a part of the latest later one. An exact repetition is a duplicate on the
/// wire, not an attack.
#[inline(always)]
fn overlaps(slot: &FragmentSlot, tag: u32, shape: u64, p: &Packet) -> bool {
    let start = p.ip.fragment.offset >> 3;
    let end = (p.ip.fragment.end() + 7) >> 3;
    if start < (shape >> 16) as u32 & 0xffff {
        return true;
    }
    let last = slot.last.load();
    let (last_start, last_end) = ((last >> 16) as u32 & 0xffff, last as u32 & 0xffff);
    let known = (last >> 32) as u32 == tag;
    if known && start < last_end && end > last_start && !(start == last_start && end == last_end) {
        return true;
    }
    slot.last.store((tag as u64) << 32 | (start as u64 & 0xffff) << 16 | end as u64 & 0xffff);
    false
}
