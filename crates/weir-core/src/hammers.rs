//! Sources that go on asking for connections beyond their share, where a target is attacked by those who open far more than anyone does
//! ([`weir_abi::policy::flag::SHARED`]): for a minute they open none.
//!
//! A share is twice what the busiest source opens in calm times, and a burst. Who has had that, and still asks for more by a quarter of it, is a machine
//! or the largest crowd behind one address that was ever seen; so sources that come regularly are spared. What was asked counts in SYNs, which anyone
//! can forge; what was had counts in connections in which the client has said something, which nobody can: a source is barred for both together.

use weir_abi::{Addr, Limit, TargetPolicy};
use weir_wire::Frame;

use crate::{Env, barred, limits, regulars};

/// Units of a mark's age for which such a source opens no connections: a minute.
pub const UNITS: u32 = 30;

/// Of its share: what a source may ask for beyond it, and what it may have and still ask for more.
const ASKS: u64 = 4;
const HAS: u64 = 2;
/// So many of the first at once: a browser's.
const AT_ONCE: u64 = 6;

/// Keep these hashes apart from those of limits and of other marks.
const ASKS_KEY: u64 = 0x6861_6d6d_6572_7321;
const HAS_KEY: u64 = 0x6f70_656e_6564_2121;
const MARK_KEY: u64 = 0x6261_7272_6564_2121;

/// Counts a connection in which a source has said something.
#[inline(always)]
pub fn opened<F: Frame, E: Env>(frame: &F, env: &E, policy: &TargetPolicy, src: Addr) {
    let share = &policy.source.syns;
    let has = Limit { cost: HAS * share.cost, window: 2 * share.window };
    limits::is_source_over(frame, env, policy.limit_key ^ HAS_KEY, src, has);
}

/// Counts a SYN that was refused because its source had its share, and bars the source if that was too often.
#[inline(always)]
pub fn refused<F: Frame, E: Env>(frame: &F, env: &E, policy: &TargetPolicy, target: u32, src: Addr) {
    let share = &policy.source.syns;
    let asks = Limit { cost: ASKS * share.cost, window: AT_ONCE * ASKS * share.cost };
    let over = limits::is_source_over(frame, env, policy.limit_key ^ ASKS_KEY, src, asks);
    if frame.blur(over as u8) & 1 == 0 {
        return;
    }
    // It looks, and charges next to nothing.
    let look = Limit { cost: 1, window: share.window };
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
