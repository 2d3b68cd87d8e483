//! Connection truth: what proved that it is talked with, as fingerprints in cache lines, and handshakes that wait for their proof.
//!
//! A fingerprint is written only for what the local host itself said (data, a FIN, its own SYN or query) or for an ACK that
//! knows the host's initial sequence number. Whoever forges his source knows neither, so he can neither fill nor evict.

use crate::{Cell32, Cell64};

/// Fingerprints per line: each costs every packet that is looked up.
pub const MARKS: usize = 8;

/// Fingerprints of flows whose hash meets here: half a cache line. A mark is 18 bits of the flow's hash, not all of them 0; below them, from bit
/// [`TURN_SHIFT`] on, whose [`turn`] it is; and the time when the host last said something, or what its client waits for began, in units of
/// 2^[`AGE_SHIFT`] ticks. 0: empty.
#[repr(C, align(32))]
#[derive(Debug, Default)]
pub struct FlowLine {
    /// The marks.
    pub marks: [Cell32; MARKS],
}

const _: () = assert!(size_of::<FlowLine>() == 32);

/// Where the hash begins in a mark.
pub const MARK_SHIFT: u32 = 14;

/// Where the turn is.
pub const TURN_SHIFT: u32 = 11;

/// The bits below it.
pub const AGE_MASK: u32 = (1 << TURN_SHIFT) - 1;

/// The bits of a turn, in their place.
pub const TURN_MASK: u32 = (1 << MARK_SHIFT) - 1 - AGE_MASK;

/// Who is to speak in a TCP connection. A client that has asked waits for the host; that it waits for long in many connections is what slow attacks
/// are about.
pub mod turn {
    /// Not known: the host began it, or its beginning was not seen.
    pub const UNKNOWN: u32 = 0;
    /// The client's: the host has said something since it did, or does not owe anything any more.
    pub const CLIENT: u32 = 1;
    /// From this bit on it is the host's, and the client waits. In this state the client has connected, and neither has said anything.
    pub const BEGUN: u32 = 4;
    /// The host's: the client has said something and had no answer since.
    pub const ASKED: u32 = 5;
    /// The host's, and the client has kept it from closing the connection ([`crate::Feature::WaitFed`]).
    pub const FED: u32 = 6;
    /// It has done so under [`crate::policy::flag::CLOSE`]: that counts against its source, whatever was counted before.
    pub const CHARGED: u32 = 7;
}

/// A unit of a mark's age is so many doublings of a tick: 2 seconds at 250 Hz. Ages wrap after 2,048 units, 70 minutes.
pub const AGE_SHIFT: u32 = 9;

/// Units of silence after which a flow is forgotten by whoever sweeps the table: before the age wraps.
pub const AGE_MOST: u16 = 1792;

/// So many units after its question a client that says a few bytes more feeds its connection: more than one has passed in full. What is said in pieces,
/// or one question after the other, comes within less.
pub const SLOW_UNITS: u32 = 2;

/// And so many after that, 16 seconds at 250 Hz, it feeds it once more; one in between is not counted.
pub const FED_UNITS: u32 = 8;

/// A handshake that waits for its third packet: 20 bits of the flow's hash (the lowest always set), the low [`WAITED_BITS`] bits of the tick at which
/// the host answered, the acknowledgement number that proves it. 0: none waits.
/// It is in either of two neighbouring places. Anyone's SYN writes here, so it is a table of its own; what is overwritten is learned from the host's first data.
pub type Pending = Cell64;

/// Bits of a pending handshake's time: 16 seconds at 250 Hz, until it wraps.
pub const WAITED_BITS: u32 = 12;

/// Pending handshakes for each line of flows.
pub const PENDING_PER_LINE: u32 = 2;
