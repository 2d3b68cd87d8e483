//! Fragment tracking: the first fragment of a datagram decides for the later ones.
//!
//! A slot of a direct-mapped array holds what was decided last for its hash. Nothing is allocated and nothing but newer first
//! fragments overwrites it, so a flood costs others at most their slot, and they then fall under the unmatched limit.

use crate::Cell64;

/// Three words, each written in one store and carrying the tag, so that racing CPUs never act on a mixture.
#[repr(C, align(32))]
#[derive(Debug, Default)]
pub struct FragmentSlot {
    /// Tag (32 bits) · coarse time (16) · target id (16).
    pub decided: Cell64,
    /// Tag (32) · end of the first fragment in 8-byte blocks (16) · 1 when the first was dropped (16).
    pub shape: Cell64,
    /// Tag (32) · start (16) · end (16) of the latest later fragment, in 8-byte blocks.
    pub last: Cell64,
    /// Room to the end of the slot.
    pub reserved: Cell64,
}

const _: () = assert!(size_of::<FragmentSlot>() == 32);

/// Coarse time of a slot: ticks shifted by this (64 ticks are 256 ms at 250 Hz).
pub const COARSE_SHIFT: u32 = 6;
