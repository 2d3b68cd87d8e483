//! One target's counters, and the samples that a node would have taken of what is counted.

use weir_abi::{FEATURE_SLOTS, counters::FACTS};
use weir_detect::engine::Engine;
use weir_detect::signature::Signature;
use weir_detect::vector::Vector;
use weir_detect::watch::Sampled;

/// SYNs are sampled so many times as densely as other packets, as `weir_core::sampling` does.
const SYNS_DENSER: u64 = 4;

/// How customers fared: packets, by their samples' weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fared {
    /// Packets that were sent.
    pub packets: u64,
    /// Of these, dropped by rules of incidents.
    pub dropped: u64,
    /// Of these, of no connection and held back as such: nobody's connection misses them.
    pub held: u64,
}

impl Fared {
    /// The share that did not come through.
    pub fn lost(&self) -> f64 {
        (self.dropped + self.held) as f64 / self.packets.max(1) as f64
    }

    /// What came of it since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            packets: self.packets - before.packets,
            dropped: self.dropped - before.dropped,
            held: self.held - before.held,
        }
    }
}

/// What is in force for a target.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// The rules of its incidents.
    pub rules: Vec<Signature>,
    /// What its strays are held to, per second.
    pub held: Option<u64>,
}

/// A target that is sent something.
pub struct Sent<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) target: u32,
    pub(super) slots: &'a mut [u64; FEATURE_SLOTS],
    pub(super) in_force: &'a InForce,
    /// One packet in so many is sampled.
    pub(super) stride: u64,
    /// How those fared whose packets these are.
    pub(super) fared: &'a mut Fared,
    /// How many of them belong to no connection.
    pub(super) strays: u64,
}

impl Sent<'_> {
    /// So many packets of a slot. `known`: they are of connections of the host's, which rules leave alone.
    pub fn packets(&mut self, slot: u8, n: u64, known: bool, mut look: impl FnMut() -> Sampled) {
        self.numbered(slot, n, known, |_| look());
    }

    /// The same, where it matters which of them, from 0, is looked at.
    pub fn numbered(&mut self, slot: u8, n: u64, known: bool, mut look: impl FnMut(u64) -> Sampled) {
        let Some(count) = self.slots.get_mut(usize::from(slot)) else { return };
        let before = *count;
        *count += n;
        self.fared.packets += n;
        let vector = Vector::of_slot(slot);
        let stride = if vector == Vector::Syn { (self.stride / SYNS_DENSER).max(1) } else { self.stride };
        for sample in before / stride + 1..=*count / stride {
            let mut look = || look(sample * stride - before - 1);
            let weight = stride as u32;
            if self.in_force.rules.is_empty() || known {
                self.engine.sample(self.target, vector, || Sampled { weight, ..look() });
                continue;
            }
            let sampled = Sampled { weight, ..look() };
            if self.in_force.rules.iter().any(|signature| signature.drops(&sampled.packet)) {
                self.fared.dropped += stride;
            }
            self.engine.sample(self.target, vector, || sampled);
        }
    }

    /// A fact that was seen so often.
    pub fn fact(&mut self, slot: u8, n: u64) {
        debug_assert!(slot >= FACTS);
        if let Some(count) = self.slots.get_mut(usize::from(slot)) {
            *count += n;
        }
    }

    /// So many of the packets that were sent belong to no connection.
    pub fn strays(&mut self, n: u64) {
        self.fact(weir_abi::counters::fact::UNKNOWN, n);
        self.strays += n;
    }
}
