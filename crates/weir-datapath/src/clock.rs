//! The kernel's tick: its rate, and where it stands.
//!
//! A program reads `jiffies64`; user space cannot. The tick's length is the resolution of `CLOCK_MONOTONIC_COARSE`, which the
//! kernel advances once a tick (`tk_coarse` in kernel/time/timekeeping.c). Where it stands is told by a kernel program that is
//! run for that ([`crate::Object::tick`]).

use std::time::Duration;

use weir_abi::fragment::COARSE_SHIFT;

/// Ticks per second.
pub fn tick_hz() -> u32 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid clock and a valid pointer.
    let ok = unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut ts) } == 0;
    if !ok || ts.tv_nsec <= 0 {
        return 250;
    }
    (1_000_000_000 / ts.tv_nsec).clamp(24, 10_000) as u32
}

/// A time span in ticks, rounded up.
pub fn ticks(span: Duration) -> u64 {
    (span.as_nanos() * u128::from(tick_hz())).div_ceil(1_000_000_000) as u64
}

/// A time span in coarse ticks of the fragment slots.
pub fn coarse(span: Duration) -> u32 {
    (ticks(span) >> COARSE_SHIFT).clamp(1, 0x7fff) as u32
}
