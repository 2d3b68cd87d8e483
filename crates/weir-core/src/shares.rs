//! Each source's share of the new connections of a target that is attacked by those who open far more than anyone does
//! ([`weir_abi::policy::flag::SHARED`]).
//!
//! The step of limits holds every source to it, in the line of cells of its own hash ([`crate::limits`]). Here is a second line, of another hash: who is over
//! in both is over. In one of them a customer may meet attackers who hold his cells high: by the bound there one of some 1,800 for 128 of them, since what
//! is noted of each ([`crate::hammers`]) is in the same table, in four lines in all; in both hardly ever. What is refused is looked at twice, and what passes is charged twice, so that it costs nothing but an attacked target's SYNs.
//!
//! The share is a browser's. A source that comes regularly has four of them: known customers come first, and whoever is new is slowed down, not shut out.

use weir_abi::{Addr, Limit, TargetPolicy};
use weir_wire::Frame;

use crate::{Env, limits, regulars};

/// Shares of a source that comes regularly, as a shift.
const REGULAR_SHIFT: u32 = 2;

/// Keeps the second line apart from others of the same key.
const KEY: u64 = 0x7365_636f_6e64_2121;

/// Whether a source had its share by its second line; charges the connection to it where not.
#[inline(always)]
pub fn had<F: Frame, E: Env>(frame: &F, env: &E, policy: &TargetPolicy, target: u32, src: Addr) -> bool {
    let regular = frame.blur(regulars::is_regular(env, target, src) as u8) & 1;
    let Limit { cost, window } = policy.source.syns;
    let cost = cost >> (REGULAR_SHIFT * regular as u32);
    let over = limits::is_source_over(frame, env, policy.limit_key ^ KEY, src, Limit { cost, window });
    frame.blur(over as u8) & 1 != 0
}
