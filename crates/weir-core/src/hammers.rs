//! Sources that go on asking for connections beyond their share, where a target is attacked by those who open far more than anyone does
//! ([`weir_abi::policy::flag::SHARED`]): for a minute they open none.
//!
//! A share is a browser's ([`crate::shares`]). Who has had that, and asks for more again and again, is a machine or a crowd behind an address that was never
//! seen before; sources that come regularly are spared. Asking counts by moments: a page that opens twenty connections at once asks once, and once more
//! when it sends its SYNs again. What was asked counts in SYNs, which anyone can forge; what was had counts in connections in which the client has said
//! something, which nobody can: a source is barred for both together.

use weir_abi::{Addr, Limit, TargetPolicy};
use weir_wire::Frame;

use crate::{Env, barred, limits, regulars};

/// Units of a mark's age for which such a source opens no connections: a minute.
pub const UNITS: u32 = 30;

/// A source is barred when it asks in more than `MOMENTS` moments at once, or in one for each `ASKS` connections of its share.
const ASKS: u64 = 4;
const MOMENTS: u64 = 6;
/// Moments in the time for which a share has one connection, as a shift.
const MOMENT_SHIFT: u32 = 4;
/// It has had its share when it has opened as many as may be at once but `ALL_BUT`, of which one is forgotten for each `HAS` that the share grows by.
const HAS: u64 = 2;
const ALL_BUT: u64 = 2;

/// Keep these hashes apart from those of limits and of other marks.
const MOMENT_KEY: u64 = 0x6d6f_6d65_6e74_2121;
const ASKS_KEY: u64 = 0x6861_6d6d_6572_7321;
const HAS_KEY: u64 = 0x6f70_656e_6564_2121;
const MARK_KEY: u64 = 0x6261_7272_6564_2121;

/// Counts a connection in which a source has said something.
#[inline(always)]
pub fn opened<F: Frame, E: Env>(frame: &F, env: &E, policy: &TargetPolicy, src: Addr) {
    let share = &policy.source.syns;
    let has = Limit { cost: HAS * share.cost, window: HAS * share.window };
    limits::is_source_over(frame, env, policy.limit_key ^ HAS_KEY, src, has);
}

/// Counts a SYN that was refused because its source had its share, and bars the source if that happened in too many moments.
#[inline(always)]
pub fn refused<F: Frame, E: Env>(frame: &F, env: &E, policy: &TargetPolicy, target: u32, src: Addr) {
    let share = &policy.source.syns;
    let moment = share.cost >> MOMENT_SHIFT;
    let again = Limit { cost: moment, window: moment };
    let same = limits::is_source_over(frame, env, policy.limit_key ^ MOMENT_KEY, src, again);
    if frame.blur(same as u8) & 1 != 0 {
        return;
    }
    let asks = Limit { cost: ASKS * share.cost, window: MOMENTS * ASKS * share.cost };
    let over = limits::is_source_over(frame, env, policy.limit_key ^ ASKS_KEY, src, asks);
    if frame.blur(over as u8) & 1 == 0 {
        return;
    }
    // It looks, and charges next to nothing.
    let look = Limit { cost: 1, window: HAS * share.window.saturating_sub(ALL_BUT * share.cost) };
    let had = limits::is_source_over(frame, env, policy.limit_key ^ HAS_KEY, src, look);
    if frame.blur(had as u8) & 1 == 0 || frame.blur(regulars::is_regular(env, target, src) as u8) & 1 != 0 {
        return;
    }
    barred::bar(frame, env, MARK_KEY, target, src);
}

/// Whether a source was barred from a target within the last minute.
#[inline(always)]
pub fn is_one<E: Env>(env: &E, target: u32, src: Addr) -> bool {
    barred::is_barred(env, MARK_KEY, target, src, UNITS)
}
