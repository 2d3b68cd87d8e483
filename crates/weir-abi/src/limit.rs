//! Rate limits as GCRA times (ITU-T I.371; the "theoretical arrival time" form of a leaky bucket) in shared cells.
//!
//! A cell holds the time at which its bucket will be empty again. It conforms while that time is at most `window` ahead of
//! now. The clock is the kernel's tick (`jiffies64`): reading it costs nothing, a nanosecond clock costs about 36 ns.

use crate::{Cell32, Cell64};

/// Source cells count time in units of 2^-14 tick (0.24 µs at 250 Hz) and wrap after 2^18 ticks (17 minutes at 250 Hz).
pub const SOURCE_UNIT_SHIFT: u32 = 14;

/// Target cells count time in units of 2^-32 tick, wide enough for any rate.
pub const TARGET_UNIT_SHIFT: u32 = 32;

/// Byte costs are fixed point with this many fraction bits, per byte.
pub const BYTE_COST_SHIFT: u32 = 16;

/// What limiting rules match may use up the rate of 2^8 ticks at once: a second at 250 Hz.
pub const MATCHED_BURST_SHIFT: u32 = 8;

/// The longest burst window of a source limit, in ticks: a quarter of the wrap.
pub const MAX_SOURCE_WINDOW_TICKS: u64 = 1 << 16;

/// Source lines are tidied once in an epoch of 2^16 ticks (4 minutes at 250 Hz): see [`SourceLine::epoch`].
pub const EPOCH_SHIFT: u32 = 16;

// A cell is set to "idle since now" at the beginning of an epoch at the latest, and looked at up to the end of the next one: it is
// never more than half a wrap behind. A cell that is ahead is so by a window, never half a wrap either.
const _: () =
    assert!(2 << EPOCH_SHIFT <= 1u64 << (31 - SOURCE_UNIT_SHIFT) && MAX_SOURCE_WINDOW_TICKS <= 1 << EPOCH_SHIFT);

/// One limit, ready for the packet path: no division there.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Cell units a packet costs, or a byte costs in [`BYTE_COST_SHIFT`] fixed point; 0: no limit.
    pub cost: u64,
    /// How far ahead of now a cell may be: the burst, in cell units.
    pub window: u64,
}

/// The three dimensions of a limit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Packets.
    pub packets: Limit,
    /// Bytes of whole frames.
    pub bytes: Limit,
    /// TCP SYNs without ACK: new connections.
    pub syns: Limit,
}

impl Limits {
    /// Whether any dimension is limited.
    #[inline(always)]
    pub const fn any(&self) -> bool {
        self.packets.cost | self.bytes.cost | self.syns.cost != 0
    }
}

/// Packet cells of one hash line: one cache line, and no other beside it that a packet would not need. What lies between them would
/// halve what a cache holds of them.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct SourceLine {
    /// Two of these eight count a key's packets.
    pub packets: [Cell32; 8],
    /// The epoch (tick >> [`EPOCH_SHIFT`]) in which the line was last tidied: its cells that lie in the past were set to the time
    /// then. Without it a cell left over from a whole wrap ago would look as if it were ahead.
    pub epoch: Cell32,
    /// Room to the end of the cache line.
    pub reserved: [Cell32; 7],
}

/// The other cells of the same hash line, touched only by packets that need them, and once in an epoch.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct SourceExtra {
    /// Two of these eight count a key's new connections.
    pub syns: [Cell32; 8],
    /// Two of these eight count a key's bytes.
    pub bytes: [Cell32; 8],
}

const _: () = assert!(size_of::<SourceLine>() == 64 && size_of::<SourceExtra>() == 64);

/// A target's own cells: packets, bytes, new connections, unmatched fragments, strangers, repeated SYNs, what limiting rules match.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct TargetCells {
    /// Packets.
    pub packets: Cell64,
    /// Bytes.
    pub bytes: Cell64,
    /// New connections.
    pub syns: Cell64,
    /// Later fragments whose first fragment was not seen.
    pub fragments: Cell64,
    /// Packets of no known flow.
    pub strangers: Cell64,
    /// Challenged SYNs that came again.
    pub retries: Cell64,
    /// What limiting rules match.
    pub matched: Cell64,
    /// Room to the end of the line.
    pub reserved: [Cell64; 1],
}

const _: () = assert!(size_of::<TargetCells>() == 64);
