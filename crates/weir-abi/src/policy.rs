//! What one target asks for, ready for the packet path.

use crate::limit::{Limit, Limits};

/// Flags of a [`TargetPolicy`].
pub mod flag {
    /// Drop what is to be dropped; without it, count what would have been.
    pub const ENFORCE: u32 = 1 << 0;
    /// Refuse impossible TCP flag combinations.
    pub const TCP_FLAGS: u32 = 1 << 1;
    /// Refuse packets whose source equals their destination.
    pub const LAND: u32 = 1 << 2;
    /// Refuse sources that cannot be a sender's address.
    pub const BOGONS: u32 = 1 << 3;
    /// Refuse UDP from reflection ports.
    pub const REFLECTION: u32 = 1 << 4;
    /// Refuse IP protocols that the target does not serve.
    pub const PROTOCOLS: u32 = 1 << 5;
    /// Refuse port zero.
    pub const PORT_ZERO: u32 = 1 << 6;
    /// Follow fragments: the first one decides for the rest.
    pub const FRAGMENTS_TRACK: u32 = 1 << 7;
    /// Refuse every fragment.
    pub const FRAGMENTS_DROP: u32 = 1 << 8;
    /// Challenge SYNs of sources that have proven nothing yet.
    pub const CHALLENGE: u32 = 1 << 9;
    /// The challenge may be switched on while an attack lasts. Not read by the packet path.
    pub const CHALLENGE_AUTO: u32 = 1 << 10;
    /// The limit of each source's new connections is an incident's, and not the policy's: who goes on asking beyond it is barred. See
    /// `weir_core::hammers`.
    pub const SHARED: u32 = 1 << 11;
    /// Sources are not to keep many connections waiting ([`super::TargetPolicy::feed_shift`]): an attack does that. See `weir_core::dawdlers`.
    pub const CLOSE: u32 = 1 << 12;
    /// All hygiene filters that are safe for every service.
    pub const HYGIENE: u32 = TCP_FLAGS | LAND | PORT_ZERO | FRAGMENTS_TRACK;
}

/// What a source may feed of connections that wait, under [`flag::CLOSE`] with no [`TargetPolicy::feed_shift`].
pub mod feed {
    /// Connections at once.
    pub const AT_ONCE: u64 = 8;
    /// And so many more in [`crate::flow::FED_UNITS`], 16 seconds at 250 Hz.
    pub const PER_UNIT: u64 = 4;
    /// How often these are doubled at most.
    pub const MOST_SHIFT: u16 = 12;
}

/// One target's policy. Two copies of the table exist; the configuration block says which one counts.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetPolicy {
    /// Bits of [`flag`].
    pub flags: u32,
    /// The target's own allow and deny list, 0: none.
    pub list: u16,
    /// With [`flag::CLOSE`] a source may keep 2^this times as many connections waiting as [`feed`] says, at most [`feed::MOST_SHIFT`].
    pub feed_shift: u16,
    /// Slots of the rule tables that may match packets of this target.
    pub rules: u64,
    /// Mixed into the source hash: targets of one policy share a source's cells. Never 0 where sources are limited.
    pub limit_key: u64,
    /// Limits of one source address.
    pub source: Limits,
    /// IP protocols served, one bit each (with [`flag::PROTOCOLS`]).
    pub served: [u64; 4],
    /// Limits of one source /24 or /48.
    pub prefix: Limits,
    /// Limits of the target as a whole.
    pub target: Limits,
    /// Later fragments whose first fragment was not seen.
    pub fragments: Limit,
    /// TCP packets of no known flow, SYNs not counted.
    pub strangers: Limit,
    /// Challenged SYNs that pass because they came again after a plausible time.
    pub retries: Limit,
    /// Units of a target's cell (2^-32 tick) that a packet costs which a limiting rule matches and whose source does not come regularly, at
    /// most 2^[`crate::limit::MATCHED_BURST_SHIFT`] ticks of it at once; 0: it costs nothing.
    pub matched: u64,
}

const _: () = assert!(size_of::<TargetPolicy>() == 256);

impl TargetPolicy {
    /// A policy that asks for nothing.
    pub const NONE: Self = {
        const OFF: Limit = Limit { cost: 0, window: 0 };
        const NO: Limits = Limits { packets: OFF, bytes: OFF, syns: OFF };
        Self {
            flags: 0,
            list: 0,
            feed_shift: 0,
            rules: 0,
            served: [0; 4],
            source: NO,
            prefix: NO,
            target: NO,
            fragments: OFF,
            strangers: OFF,
            retries: OFF,
            limit_key: 0,
            matched: 0,
        }
    };

    /// Whether the flag is set.
    #[inline(always)]
    pub const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl Default for TargetPolicy {
    fn default() -> Self {
        Self::NONE
    }
}
