//! Counters, features and rule matches in flat arrays, with the kernel's indices: CPUs outermost.

use std::iter::repeat_with;

use weir_abi::counters::{COUNTER_SLOTS, counter_index, feature_index};
use weir_abi::rules::SLOTS;
use weir_abi::{Cell64, Counter, FEATURE_SLOTS, Reason};

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

/// A [`Counter`] in the making.
#[derive(Debug, Default)]
struct Pair {
    packets: Cell64,
    bytes: Cell64,
}

impl Pair {
    /// Counts a packet and returns how many there are now. Not atomic, like the kernel's: the element belongs to one CPU.
    fn add(&self, bytes: u32) -> u64 {
        let packets = self.packets.load() + 1;
        self.packets.store(packets);
        self.bytes.store(self.bytes.load() + u64::from(bytes));
        packets
    }

    fn get(&self) -> Counter {
        Counter { packets: self.packets.load(), bytes: self.bytes.load() }
    }

    fn set(&self, counter: Counter) {
        self.packets.store(counter.packets);
        self.bytes.store(counter.bytes);
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Counts {
    cpus: u32,
    targets: u32,
    reasons: Vec<Pair>,
    features: Vec<Cell64>,
    rules: Vec<Pair>,
}

impl Counts {
    pub fn new(cpus: u32, targets: u32) -> Self {
        let rows = cpus as usize * targets as usize;
        Self {
            cpus,
            targets,
            reasons: repeat_with(Pair::default).take(rows * COUNTER_SLOTS).collect(),
            features: repeat_with(Cell64::default).take(rows * FEATURE_SLOTS).collect(),
            rules: repeat_with(Pair::default).take(cpus as usize * SLOTS).collect(),
        }
    }

    /// Counts an outcome; what has no place is not counted, and is said to be none.
    pub fn count(&self, cpu: u32, target: u32, would: bool, reason: u8, bytes: u32) -> u64 {
        let index = counter_index(cpu, self.targets, target, would, reason);
        self.reasons.get(index as usize).map_or(0, |pair| pair.add(bytes))
    }

    pub fn feature(&self, cpu: u32, target: u32, slot: u8) {
        let index = feature_index(cpu, self.targets, target, slot);
        if let Some(cell) = self.features.get(index as usize) {
            cell.store(cell.load() + 1);
        }
    }

    pub fn rule(&self, cpu: u32, slot: u32, bytes: u32) {
        if let Some(pair) = self.rules.get(cpu as usize * SLOTS + slot as usize) {
            pair.add(bytes);
        }
    }

    pub fn one(&self, target: u32, would: bool, reason: Reason) -> Counter {
        self.sum(|cpu| self.reasons.get(counter_index(cpu, self.targets, target, would, reason as u8) as usize))
    }

    pub fn all(&self) -> Vec<Counted> {
        let mut out = Vec::new();
        for target in 0..self.targets {
            for would in [false, true] {
                let counted = Reason::ALL.iter().map(|&reason| {
                    let counter = self.one(target, would, reason);
                    Counted { target, would, reason, counter }
                });
                out.extend(counted.filter(|c| c.counter != Counter::default()));
            }
        }
        out
    }

    /// All counters of a target, those without a reason as well.
    pub fn row(&self, target: u32) -> Vec<Counter> {
        let first = |cpu| counter_index(cpu, self.targets, target, false, 0) as usize;
        (0..COUNTER_SLOTS).map(|slot| self.sum(|cpu| self.reasons.get(first(cpu) + slot))).collect()
    }

    pub fn features(&self, target: u32) -> [u64; FEATURE_SLOTS] {
        let mut row = [0; FEATURE_SLOTS];
        for cpu in 0..self.cpus {
            let first = feature_index(cpu, self.targets, target, 0) as usize;
            for (sum, cell) in row.iter_mut().zip(self.features.iter().skip(first)) {
                *sum += cell.load();
            }
        }
        row
    }

    pub fn rules(&self) -> [Counter; SLOTS] {
        std::array::from_fn(|slot| self.sum(|cpu| self.rules.get(cpu as usize * SLOTS + slot)))
    }

    fn sum<'a>(&'a self, element: impl Fn(u32) -> Option<&'a Pair>) -> Counter {
        let mut sum = Counter::default();
        for counter in (0..self.cpus).filter_map(element).map(Pair::get) {
            sum.packets += counter.packets;
            sum.bytes += counter.bytes;
        }
        sum
    }

    pub fn clear(&self) {
        self.reasons.iter().chain(&self.rules).for_each(|pair| pair.set(Counter::default()));
        self.features.iter().for_each(|cell| cell.store(0));
    }

    /// Sets a target's counters on CPU 0.
    pub fn set_row(&self, target: u32, row: &[Counter]) {
        let first = counter_index(0, self.targets, target, false, 0) as usize;
        self.reasons.iter().skip(first).zip(row).for_each(|(pair, counter)| pair.set(*counter));
    }

    /// Sets a target's features on CPU 0.
    pub fn set_features(&self, target: u32, row: &[u64]) {
        let first = feature_index(0, self.targets, target, 0) as usize;
        self.features.iter().skip(first).zip(row).for_each(|(cell, n)| cell.store(*n));
    }

    /// Sets the rules' counters on CPU 0.
    pub fn set_rules(&self, rules: &[Counter]) {
        self.rules.iter().zip(rules).for_each(|(pair, counter)| pair.set(*counter));
    }
}
