//! Samples from the ring buffer.

use aya::maps::{MapData, RingBuf};
use weir_abi::Sample;
use weir_abi::sample::SAMPLE_BYTES;

/// The reading end of the ring.
pub struct Samples {
    ring: RingBuf<MapData>,
}

impl Samples {
    /// The samples of a ring that was taken from its object.
    pub fn new(ring: RingBuf<MapData>) -> Self {
        Self { ring }
    }

    /// Moves all waiting samples to the end of `out`. Records of another size are left out: they are of another version.
    pub fn drain(&mut self, out: &mut Vec<Sample>) {
        while let Some(item) = self.ring.next() {
            if let Some(sample) = parse(&item) {
                out.push(sample);
            }
        }
    }
}

/// Field by field: no cast of bytes that somebody else wrote.
fn parse(b: &[u8]) -> Option<Sample> {
    let b: &[u8; 128] = b.first_chunk()?;
    let u16_at = |i: usize| u16::from_ne_bytes([b[i], b[i + 1]]);
    let u32_at = |i: usize| u32::from_ne_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]);
    let mut bytes = [0u8; SAMPLE_BYTES];
    bytes.copy_from_slice(&b[32..128]);
    Some(Sample {
        time_ns: u64::from_ne_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
        length: u32_at(8),
        target: u16_at(12),
        reason: b[14],
        verdict: b[15],
        rule: u32_at(16),
        ifindex: u32_at(20),
        weight: u32_at(24),
        captured: u16_at(28),
        pad: 0,
        bytes,
    })
}
