//! Leaves a decision to the program behind, and takes it up there. One CPU runs both without a break, so a word of its own is enough.

use weir_core::{Decision, settles};
use weir_wire::Frame;

use crate::env::KernelEnv;
use crate::frame::Linear;
use crate::maps;

/// Writes a decision down for the program behind, where it is to be settled; says whether it did.
#[inline(always)]
pub fn leave(frame: &Linear, env: &KernelEnv, decision: Decision) -> bool {
    if !settles(frame, env, decision) {
        return false;
    }
    let Some(word) = maps::SETTLING.get_ptr_mut(0) else { return false };
    // SAFETY: the element belongs to this CPU, and packet programs on one CPU do not interrupt each other.
    unsafe { *word = decision.pack() }
    true
}

/// Settles what the program before left.
#[inline(always)]
pub fn settled(frame: &Linear, env: &KernelEnv) -> Decision {
    // SAFETY: as in `leave`.
    let word = maps::SETTLING.get_ptr_mut(0).map_or(0, |word| unsafe { *word });
    let decision = weir_core::settle(frame, env, Decision::unpack(word));
    // One state to the verifier from here on.
    Decision::unpack(frame.blur64(decision.pack()))
}
