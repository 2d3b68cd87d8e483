//! Lines of fingerprints: 18 bits of a hash above three that only flows have a use for and an age of eleven, eight to a line.
//!
//! Everything here is without a branch for each mark: eight of them would be too many ways for the verifier.

use weir_abi::FlowLine;
use weir_abi::flow::{AGE_MASK, AGE_SHIFT, MARK_SHIFT, MARKS};
use weir_wire::Frame;

use crate::Env;

const AGE_BITS: u32 = AGE_MASK.count_ones();

/// The fingerprint of a hash, without its age. Never zero: that is an empty one.
#[inline(always)]
pub fn mark(h: u64) -> u32 {
    let bits = (h >> (32 + MARK_SHIFT)) as u32;
    bits | same(bits, 0)
}

/// The age now.
#[inline(always)]
pub fn age<E: Env>(env: &E) -> u32 {
    (env.tick() >> AGE_SHIFT) as u32 & AGE_MASK
}

/// Units that have passed since a mark was renewed.
#[inline(always)]
pub fn since(now: u32, held: u32) -> u32 {
    now.wrapping_sub(held) & AGE_MASK
}

/// 1 where two 18-bit numbers are equal, else 0.
#[inline(always)]
fn same(a: u32, b: u32) -> u32 {
    (a ^ b).wrapping_sub(1) >> 31
}

/// Whether a line holds a mark.
#[inline(always)]
pub fn holds(line: &FlowLine, mark: u32) -> bool {
    let mut found = 0;
    let mut i = 0;
    while i < MARKS {
        found |= same(line.marks[i].load() >> MARK_SHIFT, mark);
        i += 1;
    }
    found != 0
}

/// Whether a line holds a mark that was last renewed less than so many units ago.
#[inline(always)]
pub fn holds_since(line: &FlowLine, mark: u32, now: u32, units: u32) -> bool {
    let mut found = 0;
    let mut i = 0;
    while i < MARKS {
        let held = line.marks[i].load();
        let silent = since(now, held);
        found |= same(held >> MARK_SHIFT, mark) & silent.wrapping_sub(units) >> 31;
        i += 1;
    }
    found != 0
}

/// Where a mark is in its line, or would be: its own place wins over an empty one, and that over the one that has been silent for
/// longest. Also whether it is its own.
#[inline(always)]
pub fn place<F: Frame>(frame: &F, line: &FlowLine, mark: u32, now: u32) -> (usize, bool) {
    let mut best = 0;
    let mut i = 0;
    while i < MARKS {
        let held = line.marks[i].load();
        let silent = since(now, held);
        let worth =
            (same(held >> MARK_SHIFT, mark) << (AGE_BITS + 1) | same(held >> MARK_SHIFT, 0) << AGE_BITS) + silent;
        let more = (worth << 4 | i as u32).wrapping_sub(best);
        let less = frame.blur64((more as i32 >> 31) as u64) as u32;
        best = best.wrapping_add(more & !less);
        i += 1;
    }
    let best = frame.blur64(best as u64) as u32;
    (best as usize & (MARKS - 1), best >> (AGE_BITS + 5) != 0)
}
