//! A sampled packet as it leaves the kernel: 128 bytes, the verdict and the head of the frame.

/// What was done with a packet.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Passed.
    Pass = 0,
    /// Dropped.
    Drop = 1,
    /// Passed because the owner only observes; it would have been dropped.
    WouldDrop = 2,
}

/// Bytes of the frame that a sample carries.
pub const SAMPLE_BYTES: usize = 96;

/// One record of the ring buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Kernel time (`CLOCK_MONOTONIC`), ns.
    pub time_ns: u64,
    /// Length of the whole frame, bytes.
    pub length: u32,
    /// Target id, 0: none.
    pub target: u16,
    /// [`crate::Reason`] number.
    pub reason: u8,
    /// [`Verdict`] number.
    pub verdict: u8,
    /// Rule, list entry or slot that decided; 0: none.
    pub rule: u32,
    /// Interface index.
    pub ifindex: u32,
    /// How many packets of its kind this one stands for.
    pub weight: u32,
    /// How many of `bytes` are from the frame.
    pub captured: u16,
    /// Always zero.
    pub pad: u16,
    /// Head of the frame; zero behind `captured`.
    pub bytes: [u8; SAMPLE_BYTES],
}

const _: () = assert!(size_of::<Sample>() == 128);

/// What one CPU knows of its samples: the budget of the tick, and what was not sent. A cache line, so that CPUs do not meet.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleBudget {
    /// The tick in which `taken` were asked for.
    pub tick: u64,
    /// Samples asked for within that tick.
    pub taken: u64,
    /// Samples left out because the tick's budget was spent, ever.
    pub over_budget: u64,
    /// Samples left out because the ring was full, ever.
    pub ring_full: u64,
    /// Always zero.
    pub pad: [u64; 4],
}

const _: () = assert!(size_of::<SampleBudget>() == 64);
