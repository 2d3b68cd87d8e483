//! The cells that packets write: source lines, target cells, fragment slots.

use std::iter::repeat_with;

use weir_abi::challenge::Retry;
use weir_abi::flow::{PENDING_PER_LINE, Pending};
use weir_abi::{Cell64, FlowLine, FragmentSlot, SourceExtra, SourceLine, TargetCells};

use super::{Sizes, State};

/// All cells of an environment.
#[derive(Debug)]
pub(super) struct Cells {
    pub sources: Vec<SourceLine>,
    pub source_prefixes: Vec<SourceLine>,
    pub source_extras: Vec<SourceExtra>,
    pub prefix_extras: Vec<SourceExtra>,
    pub targets: Vec<TargetCells>,
    pub fragments: Vec<FragmentSlot>,
    pub flows: Vec<FlowLine>,
    pub pending: Vec<Pending>,
    pub proven: Vec<FlowLine>,
    pub retries: Vec<Retry>,
    pub regulars: Vec<FlowLine>,
}

impl Cells {
    pub fn new(sizes: &Sizes) -> Self {
        let lines = sizes.source_lines.next_power_of_two() as usize;
        let flows = sizes.flow_lines.next_power_of_two() as usize;
        let proven = sizes.proven_lines.next_power_of_two() as usize;
        let retries = sizes.retry_slots.next_power_of_two() as usize;
        let slots = sizes.fragment_slots.next_power_of_two() as usize;
        Self {
            sources: repeat_with(SourceLine::default).take(lines).collect(),
            source_prefixes: repeat_with(SourceLine::default).take(lines).collect(),
            source_extras: repeat_with(SourceExtra::default).take(lines).collect(),
            prefix_extras: repeat_with(SourceExtra::default).take(lines).collect(),
            targets: repeat_with(target).take(sizes.targets as usize).collect(),
            fragments: repeat_with(FragmentSlot::default).take(slots).collect(),
            flows: repeat_with(FlowLine::default).take(flows).collect(),
            pending: repeat_with(Pending::default).take(flows * PENDING_PER_LINE as usize).collect(),
            proven: repeat_with(FlowLine::default).take(proven).collect(),
            retries: repeat_with(Retry::default).take(retries).collect(),
            regulars: repeat_with(FlowLine::default).take(proven).collect(),
        }
    }

    /// Sets every cell to what a state says.
    pub fn restore(&self, state: &State) {
        let sources = self.sources.iter().zip(&self.source_extras).zip(&state.sources);
        let prefixes = self.source_prefixes.iter().zip(&self.prefix_extras).zip(&state.source_prefixes);
        for ((line, extra), words) in sources.chain(prefixes) {
            set_line(line, extra, words);
        }
        for (cells, words) in self.targets.iter().zip(&state.targets) {
            let [packets, bytes, syns, fragments, strangers, retries, matched] = *words;
            cells.packets.store(packets);
            cells.bytes.store(bytes);
            cells.syns.store(syns);
            cells.fragments.store(fragments);
            cells.strangers.store(strangers);
            cells.retries.store(retries);
            cells.matched.store(matched);
        }
        for (slot, words) in self.fragments.iter().zip(&state.fragments) {
            let [decided, shape, last] = *words;
            slot.decided.store(decided);
            slot.shape.store(shape);
            slot.last.store(last);
        }
        let flows = self.flows.iter().zip(&state.flows);
        let proven = self.proven.iter().zip(&state.proven);
        for (line, words) in flows.chain(proven).chain(self.regulars.iter().zip(&state.regulars)) {
            line.marks.iter().zip(words).for_each(|(cell, word)| cell.store(*word));
        }
        self.pending.iter().zip(&state.pending).for_each(|(cell, word)| cell.store(*word));
        self.retries.iter().zip(&state.retries).for_each(|(cell, word)| cell.store(*word));
    }
}

fn target() -> TargetCells {
    let [packets, bytes, syns, fragments, strangers, retries, matched] = std::array::from_fn(|_| Cell64::default());
    TargetCells {
        packets,
        bytes,
        syns,
        fragments,
        strangers,
        retries,
        matched,
        reserved: std::array::from_fn(|_| Cell64::default()),
    }
}

fn set_line(line: &SourceLine, extra: &SourceExtra, words: &[u32; 32]) {
    let cells = line.packets.iter().chain([&line.epoch]).chain(&line.reserved).chain(&extra.syns).chain(&extra.bytes);
    for (cell, word) in cells.zip(words) {
        cell.store(*word);
    }
}
