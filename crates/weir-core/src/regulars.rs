//! Which sources come regularly. See [`weir_abi::regular`].

use weir_abi::flow::AGE_MASK;
use weir_abi::regular::REGULAR_AGE_SHIFT;
use weir_abi::{Addr, Config};

use crate::hash::hash2;
use crate::{Env, limits, marks};

/// Keeps these hashes apart from those of limits and of proven sources.
const KEY: u64 = 0x7265_6775_6c61_7221;

/// Where a source of a target is in the table, if it comes regularly: the line, and its mark without the age. There are as many lines
/// as of proven sources.
#[inline(always)]
pub fn place(config: &Config, target: u32, src: Addr) -> (u32, u32) {
    let h = hash2(limits::source_key(src), KEY ^ (target as u64) << 32, &config.seed);
    (h as u32 & config.proven_mask, marks::mark(h))
}

/// The age of a mark that is written at a tick.
pub const fn age(tick: u64) -> u32 {
    (tick >> REGULAR_AGE_SHIFT) as u32 & AGE_MASK
}

/// Whether a source comes to a target regularly.
#[inline(always)]
pub(crate) fn is_regular<E: Env>(env: &E, target: u32, src: Addr) -> bool {
    let (line, mark) = place(env.config(), target, src);
    match env.regular_line(line) {
        Some(line) => marks::holds(line, mark),
        None => false,
    }
}
