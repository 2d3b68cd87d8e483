//! Counters, features and rule matches, read by mmap: no system call, however often.

use weir_abi::counters::{counter_index, feature_index};
use weir_abi::rules::SLOTS;
use weir_abi::sample::SampleBudget;
use weir_abi::{Counter, FEATURE_SLOTS, Feature, Reason, maps};

use crate::error::Result;
use crate::mapped::Mapped;
use crate::object::{Object, Sizes};
use crate::tables::map;

/// What the kernel has counted since the maps were made.
pub struct Counters {
    counters: Mapped<Counter>,
    features: Mapped<u64>,
    rules: Mapped<Counter>,
    samples: Mapped<SampleBudget>,
    sizes: Sizes,
}

/// One counter that is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Target id, 0: the node.
    pub target: u32,
    /// Only would have happened.
    pub would: bool,
    /// Why.
    pub reason: Reason,
    /// How much.
    pub counter: Counter,
}

/// Samples that were due and did not come, since the maps were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostSamples {
    /// A CPU had taken its share of the tick already.
    pub over_budget: u64,
    /// The ring was full.
    pub ring_full: u64,
}

impl Counters {
    /// Opens the counters of an object.
    pub fn new(object: &Object, sizes: &Sizes) -> Result<Self> {
        let per_target = sizes.cpus * sizes.targets;
        Ok(Self {
            counters: map(object, maps::COUNTERS, per_target * weir_abi::counters::COUNTER_SLOTS as u32)?,
            features: map(object, maps::FEATURES, per_target * FEATURE_SLOTS as u32)?,
            rules: map(object, maps::RULE_COUNTERS, sizes.cpus * SLOTS as u32)?,
            samples: map(object, maps::SAMPLE_BUDGETS, sizes.cpus)?,
            sizes: *sizes,
        })
    }

    /// Sums over CPUs of all counters of the first `targets` targets that are not zero.
    pub fn read(&self, targets: u32) -> Vec<Counted> {
        let mut out = Vec::new();
        for target in 0..targets.min(self.sizes.targets) {
            for would in [false, true] {
                for &reason in Reason::ALL {
                    let counter = self.one(target, would, reason);
                    if counter.packets != 0 {
                        out.push(Counted { target, would, reason, counter });
                    }
                }
            }
        }
        out
    }

    /// One counter, summed over CPUs.
    pub fn one(&self, target: u32, would: bool, reason: Reason) -> Counter {
        let mut sum = Counter::default();
        for cpu in 0..self.sizes.cpus {
            let c = self.counters.get(counter_index(cpu, self.sizes.targets, target, would, reason as u8) as usize);
            sum.packets = sum.packets.wrapping_add(c.packets);
            sum.bytes = sum.bytes.wrapping_add(c.bytes);
        }
        sum
    }

    /// A target's feature slots, summed over CPUs.
    pub fn feature_slots(&self, target: u32) -> [u64; FEATURE_SLOTS] {
        let mut row = [0u64; FEATURE_SLOTS];
        for cpu in 0..self.sizes.cpus {
            for (slot, sum) in row.iter_mut().enumerate() {
                let i = feature_index(cpu, self.sizes.targets, target, slot as u8) as usize;
                *sum = sum.wrapping_add(self.features.get(i));
            }
        }
        row
    }

    /// Features of the first `targets` targets that are not zero.
    pub fn features(&self, targets: u32) -> Vec<(u32, Feature, u64)> {
        let mut out = Vec::new();
        for target in 0..targets.min(self.sizes.targets) {
            let row = self.feature_slots(target);
            out.extend(Feature::ALL.iter().map(|f| (target, *f, f.sum(&row))).filter(|(_, _, n)| *n != 0));
        }
        out
    }

    /// Samples that were left out, summed over CPUs.
    pub fn lost_samples(&self) -> LostSamples {
        let mut sum = LostSamples::default();
        for cpu in 0..self.sizes.cpus as usize {
            let budget = self.samples.get(cpu);
            sum.over_budget = sum.over_budget.wrapping_add(budget.over_budget);
            sum.ring_full = sum.ring_full.wrapping_add(budget.ring_full);
        }
        sum
    }

    /// Matches of every rule slot, summed over CPUs.
    pub fn rules(&self) -> [Counter; SLOTS] {
        let mut out = [Counter::default(); SLOTS];
        for cpu in 0..self.sizes.cpus as usize {
            for (slot, sum) in out.iter_mut().enumerate() {
                let c = self.rules.get(cpu * SLOTS + slot);
                sum.packets = sum.packets.wrapping_add(c.packets);
                sum.bytes = sum.bytes.wrapping_add(c.bytes);
            }
        }
        out
    }
}
