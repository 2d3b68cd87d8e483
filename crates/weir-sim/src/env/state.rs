//! All that packets leave behind, as plain numbers: taken from either side of the parity tests, compared, and put back.

use std::fmt::Debug;

use weir_abi::counters::{COUNTER_SLOTS, REASON_SLOTS};
use weir_abi::flow::MARKS;
use weir_abi::{Cell64, Counter, FEATURE_SLOTS, FlowLine, FragmentSlot, Reason, SourceExtra, SourceLine, TargetCells};

/// Counters and cells at one moment. Counters are sums over CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// By target, then by what happened and what would have, then by reason: [`COUNTER_SLOTS`] for each target.
    pub counters: Vec<Counter>,
    /// [`FEATURE_SLOTS`] for each target.
    pub features: Vec<u64>,
    /// By rule slot.
    pub rules: Vec<Counter>,
    /// Source lines: packet cells, epoch, reserved, SYN cells, byte cells.
    pub sources: Vec<[u32; 32]>,
    /// Source network lines, likewise.
    pub source_prefixes: Vec<[u32; 32]>,
    /// Packets, bytes, SYNs, unmatched fragments, strangers and repeated SYNs of each target.
    pub targets: Vec<[u64; 7]>,
    /// Decided, shape and latest of each fragment slot.
    pub fragments: Vec<[u64; 3]>,
    /// Marks of each line of flows.
    pub flows: Vec<[u32; MARKS]>,
    /// Pending handshakes.
    pub pending: Vec<u64>,
    /// Marks of each line of proven sources.
    pub proven: Vec<[u32; MARKS]>,
    /// Challenged SYNs.
    pub retries: Vec<u64>,
    /// Marks of each line of sources that come regularly.
    pub regulars: Vec<[u32; MARKS]>,
}

impl State {
    /// What the other has otherwise, a line for each difference, 20 of a kind at most.
    pub fn differences(&self, other: &State) -> Vec<String> {
        // The usual answer, and the quick one.
        if self == other {
            return Vec::new();
        }
        let mut out = Vec::new();
        compare(&mut out, &self.counters, &other.counters, name_counter);
        compare(&mut out, &self.features, &other.features, |i| {
            format!("features of target {}, slot {}", i / FEATURE_SLOTS, i % FEATURE_SLOTS)
        });
        compare(&mut out, &self.rules, &other.rules, |i| format!("matches of rule slot {i}"));
        compare(&mut out, &self.sources, &other.sources, |i| format!("source line {i}"));
        compare(&mut out, &self.source_prefixes, &other.source_prefixes, |i| format!("source network line {i}"));
        compare(&mut out, &self.targets, &other.targets, |i| format!("cells of target {i}"));
        compare(&mut out, &self.fragments, &other.fragments, |i| format!("fragment slot {i}"));
        compare(&mut out, &self.flows, &other.flows, |i| format!("line {i} of flows"));
        compare(&mut out, &self.pending, &other.pending, |i| format!("pending handshake {i}"));
        compare(&mut out, &self.proven, &other.proven, |i| format!("line {i} of proven sources"));
        compare(&mut out, &self.retries, &other.retries, |i| format!("challenged SYN {i}"));
        compare(&mut out, &self.regulars, &other.regulars, |i| format!("line {i} of regular sources"));
        out
    }

    /// How many packets at least it takes to make the difference: each changes one element of a kind.
    pub fn widest_difference(&self, other: &State) -> usize {
        fn count<T: PartialEq>(a: &[T], b: &[T]) -> usize {
            a.iter().zip(b).filter(|(a, b)| a != b).count()
        }
        let counts = [
            count(&self.counters, &other.counters),
            // A packet may raise three: its own, and two facts of its connection.
            count(&self.features, &other.features).div_ceil(3),
            count(&self.rules, &other.rules),
            count(&self.sources, &other.sources),
            count(&self.source_prefixes, &other.source_prefixes),
            count(&self.targets, &other.targets),
            count(&self.fragments, &other.fragments),
            count(&self.flows, &other.flows),
            count(&self.pending, &other.pending),
            count(&self.proven, &other.proven),
            count(&self.retries, &other.retries),
            count(&self.regulars, &other.regulars),
        ];
        counts.into_iter().max().unwrap_or(0)
    }
}

fn compare<T: PartialEq + Debug>(out: &mut Vec<String>, a: &[T], b: &[T], name: impl Fn(usize) -> String) {
    if a.len() != b.len() {
        out.push(format!("{}, and so on: {} here, {} there", name(0), a.len(), b.len()));
    }
    let different = a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b);
    out.extend(different.take(20).map(|(i, (a, b))| format!("{}: {a:x?} here, {b:x?} there", name(i))));
}

fn name_counter(i: usize) -> String {
    let slot = i % COUNTER_SLOTS;
    let (would, number) = (slot >= REASON_SLOTS, slot % REASON_SLOTS);
    let reason = Reason::from_number(number as u8).map_or("no reason", Reason::label);
    format!("counter of target {}, {}{reason}", i / COUNTER_SLOTS, if would { "would-be " } else { "" })
}

/// The words of a source line and of its other cells, in the order in which they lie in memory.
pub fn source_words(line: &SourceLine, extra: &SourceExtra) -> [u32; 32] {
    let cells = line.packets.iter().chain([&line.epoch]).chain(&line.reserved).chain(&extra.syns).chain(&extra.bytes);
    let mut words = [0; 32];
    for (word, cell) in words.iter_mut().zip(cells) {
        *word = cell.load();
    }
    words
}

/// The words of a target's cells.
pub fn target_words(cells: &TargetCells) -> [u64; 7] {
    let TargetCells { packets, bytes, syns, fragments, strangers, retries, matched, .. } = cells;
    [packets, bytes, syns, fragments, strangers, retries, matched].map(Cell64::load)
}

/// The words of a fragment slot.
pub fn fragment_words(slot: &FragmentSlot) -> [u64; 3] {
    [slot.decided.load(), slot.shape.load(), slot.last.load()]
}

/// The marks of a line of flows.
pub fn flow_words(line: &FlowLine) -> [u32; MARKS] {
    std::array::from_fn(|i| line.marks[i].load())
}
