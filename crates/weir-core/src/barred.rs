//! Sources that open no connections for a while, each for a reason of its own: fingerprints among those of proven sources, since whoever is barred has
//! completed a handshake.

use weir_abi::flow::MARK_SHIFT;
use weir_abi::{Addr, FlowLine};
use weir_wire::Frame;

use crate::hash::hash2;
use crate::{Env, limits, marks};

/// Bars a source from a target from now on. `key` is the reason's.
#[inline(always)]
pub fn bar<F: Frame, E: Env>(frame: &F, env: &E, key: u64, target: u32, src: Addr) {
    let Some((line, mark)) = line(env, key, target, src) else { return };
    let now = marks::age(env);
    let (at, _) = marks::place(frame, line, mark, now);
    line.marks[at].store(mark << MARK_SHIFT | now);
}

/// Whether a source was barred from a target less than so many units of a mark's age ago.
#[inline(always)]
pub fn is_barred<E: Env>(env: &E, key: u64, target: u32, src: Addr, units: u32) -> bool {
    match line(env, key, target, src) {
        Some((line, mark)) => marks::holds_since(line, mark, marks::age(env), units),
        None => false,
    }
}

#[inline(always)]
fn line<E: Env>(env: &E, key: u64, target: u32, src: Addr) -> Option<(&FlowLine, u32)> {
    let h = hash2(limits::source_key(src), key ^ (target as u64) << 32, &env.config().seed);
    Some((env.proven_line(h as u32 & env.config().proven_mask)?, marks::mark(h)))
}
