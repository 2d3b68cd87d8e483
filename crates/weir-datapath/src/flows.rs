//! The table of known flows from user space: how many there are, and the end of those that have been silent for long.
//!
//! Ages wrap; a mark that nobody cleared would look fresh again after 256 units. Whoever calls this every minute keeps them apart.

use std::sync::atomic::{AtomicU32, Ordering};

use weir_abi::flow::{AGE_MOST, AGE_SHIFT, MARKS};
use weir_abi::{FlowLine, maps};

use crate::error::Result;
use crate::mapped::Mapped;
use crate::object::{Object, Sizes};
use crate::tables::map;

/// The table.
pub struct Flows {
    lines: Mapped<FlowLine>,
    /// Proven sources: the same kind of lines.
    proven: Mapped<FlowLine>,
}

impl Flows {
    /// Opens the table of an object.
    pub fn new(object: &Object, sizes: &Sizes) -> Result<Self> {
        let lines = map(object, maps::FLOWS, sizes.flow_lines)?;
        Ok(Self { lines, proven: map(object, maps::PROVEN, sizes.proven_lines)? })
    }

    /// Forgets proofs of sources that are as old, and flows in which the host has been silent for [`AGE_MOST`] units (an hour at 250 Hz) at a tick; says how many are left.
    pub fn sweep(&self, tick: u64) -> u64 {
        sweep(&self.proven, tick);
        sweep(&self.lines, tick)
    }
}

/// Clears the marks of a table that are too old; says how many are left.
fn sweep(lines: &Mapped<FlowLine>, tick: u64) -> u64 {
    let now = (tick >> AGE_SHIFT) as u8;
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
            let silent = now.wrapping_sub(held as u8) >= AGE_MOST;
            // A flow that spoke in this very moment stays.
            if silent && mark.compare_exchange(held, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                continue;
            }
            known += 1;
        }
    }
    known
}
