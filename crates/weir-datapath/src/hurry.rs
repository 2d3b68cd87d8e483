//! Going before others: under a flood that takes every core, whoever is to stop it must be among the first.
//!
//! Packets are received by kernel threads or in interrupts, before any ordinary program: an agent without a priority of its own
//! would look at its counters when the flood leaves it time. sched(7): real-time tasks may use 95 % of a core together.

use std::io;

/// Above kernel threads that receive packets with a small real-time priority, below the kernel's own watchdogs.
const PRIORITY: libc::c_int = 10;

/// Lets the calling thread go before all ordinary ones, or be an ordinary one again. Threads that it starts are ordinary.
///
/// # Errors
/// The kernel's word; without `CAP_SYS_NICE` it is `EPERM`.
pub fn hurry(yes: bool) -> io::Result<()> {
    // SAFETY: all fields of the structure are integers, for which zero is a value.
    let mut how: libc::sched_param = unsafe { std::mem::zeroed() };
    how.sched_priority = if yes { PRIORITY } else { 0 };
    let policy = if yes { libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK } else { libc::SCHED_OTHER };
    // SAFETY: the call reads the structure, which lives until it returns, and changes the calling thread (0) only.
    match unsafe { libc::sched_setscheduler(0, policy, &raw const how) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
