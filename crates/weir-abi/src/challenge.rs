//! The SYN challenge: which sources have proven that they hear what is sent to them, and SYNs that may come again.
//!
//! A source is proven by the RST that answers a challenge (it names a keyed number that only the challenge told) or by a
//! connection that the host ends. A forger hears neither, so he can neither fill this table nor evict from it.

use crate::Cell64;

/// A cookie's key changes with its epoch of 2^14 ticks, 65 seconds at 250 Hz; that of the epoch before counts as well.
pub const EPOCH_SHIFT: u32 = 14;

/// A source stays proven for so many units of 2^[`crate::flow::AGE_SHIFT`] ticks since its last proof: half an hour at 250 Hz.
pub const PROVEN_UNITS: u32 = 896;

/// A SYN that was challenged: 32 bits of its hash above the low 32 bits of the tick when it came first. Anyone's SYN writes here, so it
/// is a table of its own.
pub type Retry = Cell64;

/// Replies that a CPU hands to the stack within one tick, at most: 64,000 a second at 250 Hz, a quarter of a core. What is over it XDP sends itself while
/// that way is being tried, and it is not answered where there is no such way: the SYN that the client sends again passes.
pub const HANDED_PER_TICK: u64 = 256;

/// How replies to SYNs leave ([`crate::Config::reply`]).
///
/// `XDP_TX` is several times cheaper than the way through the stack, but out of some devices (a veth whose peer polls nothing) it is lost without
/// an error. So it is tried on a share of the SYNs first, and that share goes the other way once it was proven. Which way a reply went follows
/// from its cookie, so that the answer tells.
pub mod reply {
    /// They cannot: nothing is challenged.
    pub const NONE: u32 = 0;
    /// Through traffic control: what XDP answers it hands to a program behind it, which sends it back.
    pub const STACK: u32 = 1;
    /// So as well, but for one in 2^[`OTHER_SHIFT`], which XDP sends itself.
    pub const PROBE: u32 = 2;
    /// XDP sends them itself (`XDP_TX`), but for one in 2^[`OTHER_SHIFT`].
    pub const TRANSMIT: u32 = 3;

    /// The share of replies that go the other way.
    pub const OTHER_SHIFT: u32 = 3;
}
