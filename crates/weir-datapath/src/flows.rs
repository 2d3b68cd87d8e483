//! The table of known flows from user space: how many there are, and the end of those that have been silent for long.
//!
//! Ages wrap; a mark that nobody cleared would look fresh again after 2,048 units. Whoever calls this every minute keeps them apart.

use std::sync::atomic::{AtomicU32, Ordering};

use weir_abi::flow::{AGE_MASK, AGE_MOST, AGE_SHIFT, MARK_SHIFT, MARKS};
use weir_abi::regular::{REGULAR_AGE_MOST, REGULAR_AGE_SHIFT};
use weir_abi::{FlowLine, maps};

use crate::error::Result;
use crate::mapped::Mapped;
use crate::object::{Object, Sizes};
use crate::tables::map;

/// The tables of fingerprints that age.
pub struct Flows {
    lines: Mapped<FlowLine>,
    /// Proven sources: the same kind of lines.
    proven: Mapped<FlowLine>,
    /// Sources that come regularly, in units of another length.
    regulars: Mapped<FlowLine>,
}

impl Flows {
    /// Opens the tables of an object.
    pub fn new(object: &Object, sizes: &Sizes) -> Result<Self> {
        Ok(Self {
            lines: map(object, maps::FLOWS, sizes.flow_lines)?,
            proven: map(object, maps::PROVEN, sizes.proven_lines)?,
            regulars: map(object, maps::REGULARS, sizes.proven_lines)?,
        })
    }

    /// Notes at a tick that a source comes regularly: its line and mark (`weir_core::regulars::place`), and the age then. A mark keeps its place; a
    /// new one takes a free place, else that of the one that has not come for longest.
    pub fn note_regular(&self, line: u32, mark: u32, age: u32) {
        let at = line as usize;
        if at >= self.regulars.len() {
            return;
        }
        let marks = self.regulars.ptr(at).cast::<u32>();
        let mut best = (0, 0);
        for i in 0..MARKS {
            // SAFETY: as in `sweep`.
            let held = unsafe { AtomicU32::from_ptr(marks.add(i)) }.load(Ordering::Relaxed);
            let worth = match held {
                0 => AGE_MASK + 1,
                held if held >> MARK_SHIFT == mark => AGE_MASK + 2,
                held => age.wrapping_sub(held) & AGE_MASK,
            };
            best = best.max((worth, i));
        }
        // SAFETY: as in `sweep`; nobody but this process writes these words.
        unsafe { AtomicU32::from_ptr(marks.add(best.1)) }.store(mark << MARK_SHIFT | age, Ordering::Relaxed);
    }

    /// Forgets flows in which the host has been silent for [`AGE_MOST`] units (an hour at 250 Hz) at a tick, proofs of sources that are as old, and
    /// sources that have not come for [`REGULAR_AGE_MOST`] of their units (5 days); says how many flows are left.
    pub fn sweep(&self, tick: u64) -> u64 {
        sweep(&self.regulars, tick >> REGULAR_AGE_SHIFT, REGULAR_AGE_MOST);
        sweep(&self.proven, tick >> AGE_SHIFT, AGE_MOST);
        sweep(&self.lines, tick >> AGE_SHIFT, AGE_MOST)
    }
}

/// Clears the marks of a table that are so many units old; says how many are left.
fn sweep(lines: &Mapped<FlowLine>, now: u64, most: u16) -> u64 {
    let now = now as u32;
    let mut known = 0;
    for at in 0..lines.len() {
        let marks = lines.ptr(at).cast::<u32>();
        for i in 0..MARKS {
            // SAFETY: word `i` of an element of the mapped array, aligned, which the kernel writes whole; nothing here makes a
            // reference that is not atomic to it.
            let mark = unsafe { AtomicU32::from_ptr(marks.add(i)) };
            let held = mark.load(Ordering::Relaxed);
            if held == 0 {
                continue;
            }
            let silent = now.wrapping_sub(held) & AGE_MASK >= u32::from(most);
            // A flow that spoke in this very moment stays.
            if silent && mark.compare_exchange(held, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                continue;
            }
            known += 1;
        }
    }
    known
}
