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
