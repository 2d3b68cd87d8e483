//! The packet path on the host: [`weir_core::Env`] over a compiled policy, with a clock that stands until it is set.
//!
//! What the kernel has in maps stands here in plain memory, with the same indices, the same sizes and the same cells, so that
//! the two can be compared word by word. Packets need only `&SimEnv`: threads may judge at once, each as a CPU of its own.

mod cells;
mod counts;
mod cpu;
mod state;
mod tables;

use std::sync::Arc;

use weir_abi::config::failsafe_remainders;
use weir_abi::counters::COUNTER_SLOTS;
use weir_abi::flow::{AGE_MASK, MARK_SHIFT};
use weir_abi::rules::SLOTS;
use weir_abi::{
    ABI_VERSION, Addr, Cell32, Cell64, Config, Counter, FEATURE_SLOTS, FragmentSlot, Reason, SourceExtra, SourceLine,
    TargetCells, maps,
};
use weir_core::reply::{self, Headers, Way};
use weir_core::{Env, Outcome, learn, process, regulars, reset};
use weir_policy::{Diff, TableImage};
use weir_wire::{Bytes, Frame};

use cells::Cells;
pub use counts::Counted;
use counts::Counts;
pub use cpu::Cpu;
pub use state::{State, flow_words, fragment_words, source_words, target_words};

/// What is chosen when the environment is made, and does not change with the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Target ids, the node's 0 included.
    pub targets: u32,
    /// Source lines; rounded up to a power of two.
    pub source_lines: u32,
    /// Fragment slots; rounded up to a power of two.
    pub fragment_slots: u32,
    /// Lines of known flows; rounded up to a power of two.
    pub flow_lines: u32,
    /// Lines of proven sources, and of regular ones; rounded up to a power of two.
    pub proven_lines: u32,
    /// Challenged SYNs that are remembered; rounded up to a power of two.
    pub retry_slots: u32,
    /// CPUs that count apart.
    pub cpus: u32,
    /// Seeds of the hash: random at every boot in the kernel, here whatever makes a test repeatable.
    pub seed: [u64; 2],
}

impl Default for Sizes {
    /// The kernel's defaults, one CPU.
    fn default() -> Self {
        Self {
            targets: maps::DEFAULT_TARGETS,
            source_lines: maps::DEFAULT_SOURCE_LINES,
            fragment_slots: maps::DEFAULT_FRAGMENT_SLOTS,
            flow_lines: maps::DEFAULT_FLOW_LINES,
            proven_lines: maps::DEFAULT_PROVEN_LINES,
            retry_slots: maps::DEFAULT_RETRY_SLOTS,
            cpus: 1,
            seed: [0x5765_6972_2073_696d, 0x2174_6965_7320_6173],
        }
    }
}

/// An image has more targets than the environment was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy has {wanted} target ids and there is room for {room}; make the environment larger")]
pub struct TooManyTargets {
    /// Ids of the policy, 0 included.
    pub wanted: usize,
    /// Ids that fit.
    pub room: u32,
}

/// How long a first fragment decides for the rest, in coarse ticks: 30 seconds at 250 ticks a second, as in the kernel.
const FRAGMENT_TIMEOUT: u32 = 117;

/// When a SYN counts as sent again, in ticks: after 0.7 to 8 seconds at 250 ticks a second, as in the kernel.
const RETRY_LEAST: u32 = 175;
const RETRY_MOST: u32 = 2000;
/// A tenth of a second at 250 Hz.
const PROMPT: u32 = 25;

/// The environment of a decision on the host.
#[derive(Debug)]
pub struct SimEnv {
    config: Config,
    clock: Cell64,
    image: Arc<TableImage>,
    /// Where the targets of an address stand in the image.
    targets: tables::Addresses,
    cells: Cells,
    counts: Counts,
}

impl SimEnv {
    /// An environment at tick 0 with these tables in force, nothing counted, nobody known. It samples nothing until
    /// [`Self::configure`] says otherwise.
    pub fn new(image: impl Into<Arc<TableImage>>, sizes: &Sizes) -> Result<Self, TooManyTargets> {
        let cells = Cells::new(sizes);
        let config = Config {
            abi: ABI_VERSION,
            generation: 1,
            targets: sizes.targets,
            source_mask: cells.sources.len() as u32 - 1,
            fragment_mask: cells.fragments.len() as u32 - 1,
            flow_mask: cells.flows.len() as u32 - 1,
            pending_mask: cells.pending.len() as u32 - 1,
            proven_mask: cells.proven.len() as u32 - 1,
            retry_mask: cells.retries.len() as u32 - 1,
            connections: 1,
            seed: sizes.seed,
            secret: sizes.seed.map(|word| !word),
            retry_least: RETRY_LEAST,
            retry_most: RETRY_MOST,
            prompt: PROMPT,
            sample_pass_mask: u32::MAX,
            sample_drop_mask: u32::MAX,
            samples_per_tick: u32::MAX,
            fragment_timeout: FRAGMENT_TIMEOUT,
            cpus: sizes.cpus,
            ..Config::default()
        };
        let counts = Counts::new(sizes.cpus, sizes.targets);
        let empty = Arc::new(TableImage::empty());
        let mut env = Self { config, clock: Cell64::new(0), image: empty, targets: Default::default(), cells, counts };
        env.apply(image)?;
        Ok(env)
    }

    /// Puts other tables in force. Cells and counters stay.
    pub fn apply(&mut self, image: impl Into<Arc<TableImage>>) -> Result<(), TooManyTargets> {
        let image = image.into();
        if image.policies.len() > self.config.targets as usize {
            return Err(TooManyTargets { wanted: image.policies.len(), room: self.config.targets });
        }
        self.image = image;
        self.look_anew();
        Ok(())
    }

    /// Changes the tables in force by steps. Cells and counters stay.
    pub fn change(&mut self, diff: Diff) {
        diff.apply(Arc::make_mut(&mut self.image));
        self.look_anew();
    }

    /// What the configuration block says of the tables.
    fn look_anew(&mut self) {
        self.targets = tables::addresses(&self.image);
        self.config.flags = self.image.node_flags;
        self.config.wide_lens4 = self.image.lists.wide_lens4;
        self.config.failsafe = failsafe_remainders(self.image.failsafe.iter().copied());
        self.config.generation = self.config.generation.wrapping_add(1).max(1);
    }

    /// Changes the configuration block: sampling, seeds, time-outs. The sizes in it must stay as they are.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    /// The configuration block.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The tables in force.
    pub fn image(&self) -> &TableImage {
        &self.image
    }

    /// Sets the clock, in kernel ticks.
    pub fn set_tick(&self, tick: u64) {
        self.clock.store(tick);
    }

    /// Decides on a frame, as CPU 0.
    pub fn simulate<F: Frame + Clone>(&self, frame: &F) -> Outcome {
        process(frame, &self.cpu(0))
    }

    /// Notes that a source comes regularly to a target, as the agent does in the kernel's table.
    pub fn note_regular(&self, target: u32, src: Addr) {
        let (line, mark) = regulars::place(self.config(), target, src);
        let Some(line) = self.cells.regulars.get(line as usize) else { return };
        let age = regulars::age(self.cpu(0).tick());
        let worth = |cell: &Cell32| match cell.load() {
            0 => AGE_MASK + 1,
            held if held >> MARK_SHIFT == mark => AGE_MASK + 2,
            held => age.wrapping_sub(held) & AGE_MASK,
        };
        if let Some(cell) = line.marks.iter().max_by_key(|cell| worth(cell)) {
            cell.store(mark << MARK_SHIFT | age);
        }
    }

    /// The frame that answers a challenged SYN.
    pub fn reply(&self, frame: &Bytes<'_>, way: Way) -> Option<Vec<u8>> {
        let reply = reply::reply(frame, &self.cpu(0), way)?;
        let link = frame.data().get(..reply.at)?;
        let mut out = [&link[6..12], &link[..6], &link[12..]].concat();
        let words: &[u32] = match &reply.headers {
            Headers::V4(words) => words,
            Headers::V6(words) => words,
        };
        out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        Some(out)
    }

    /// The frame as its sender's reset.
    pub fn reset(&self, frame: &Bytes<'_>) -> Option<Vec<u8>> {
        let reset = reset::reset(frame)?;
        let mut out = frame.data().to_vec();
        let tcp = out.get_mut(reset.at..)?;
        *tcp.get_mut(reset::FLAGS)? = reset.flags;
        tcp.get_mut(reset::CHECKSUM..)?.first_chunk_mut().map(|at: &mut [u8; 2]| *at = reset.checksum.to_be_bytes())?;
        Some(out)
    }

    /// Learns from a frame that the host sends, as CPU 0; says the target that sent it, 0: none.
    pub fn learn<F: Frame + Clone>(&self, frame: &F) -> u32 {
        learn(frame, &self.cpu(0))
    }

    /// The view of one CPU, which counts apart from the others. One thread at a time may judge as one CPU.
    pub fn cpu(&self, number: u32) -> Cpu<'_> {
        Cpu::new(self, number)
    }

    /// Everything that was counted so far, summed over CPUs.
    pub fn counters(&self) -> Vec<Counted> {
        self.counts.all()
    }

    /// One counter, summed over CPUs.
    pub fn counter(&self, target: u32, would: bool, reason: Reason) -> Counter {
        self.counts.one(target, would, reason)
    }

    /// A target's feature slots, summed over CPUs; [`weir_abi::Feature::sum`] makes features of them.
    pub fn features(&self, target: u32) -> [u64; FEATURE_SLOTS] {
        self.counts.features(target)
    }

    /// What each slot of the rule tables matched, summed over CPUs.
    pub fn rule_counters(&self) -> [Counter; SLOTS] {
        self.counts.rules()
    }

    /// Lines of source cells.
    pub fn sources(&self) -> &[SourceLine] {
        &self.cells.sources
    }

    /// Lines of source network cells.
    pub fn source_prefixes(&self) -> &[SourceLine] {
        &self.cells.source_prefixes
    }

    /// Cells of the targets, by id.
    pub fn target_cells(&self) -> &[TargetCells] {
        &self.cells.targets
    }

    /// Fragment slots.
    pub fn fragments(&self) -> &[FragmentSlot] {
        &self.cells.fragments
    }

    /// All that packets have left behind, as plain numbers.
    pub fn state(&self) -> State {
        let words = |lines: &[SourceLine], extras: &[SourceExtra]| {
            lines.iter().zip(extras).map(|(line, extra)| source_words(line, extra)).collect()
        };
        let targets = self.config.targets;
        State {
            counters: (0..targets).flat_map(|t| self.counts.row(t)).collect(),
            features: (0..targets).flat_map(|t| self.counts.features(t)).collect(),
            rules: self.counts.rules().to_vec(),
            sources: words(&self.cells.sources, &self.cells.source_extras),
            source_prefixes: words(&self.cells.source_prefixes, &self.cells.prefix_extras),
            targets: self.cells.targets.iter().map(target_words).collect(),
            fragments: self.cells.fragments.iter().map(fragment_words).collect(),
            flows: self.cells.flows.iter().map(flow_words).collect(),
            pending: self.cells.pending.iter().map(Cell64::load).collect(),
            proven: self.cells.proven.iter().map(flow_words).collect(),
            retries: self.cells.retries.iter().map(Cell64::load).collect(),
            regulars: self.cells.regulars.iter().map(flow_words).collect(),
        }
    }

    /// Continues from a state of the same sizes; what it has counted goes to CPU 0.
    pub fn restore(&self, state: &State) {
        self.counts.clear();
        for (target, row) in (0..).zip(state.counters.chunks(COUNTER_SLOTS)) {
            self.counts.set_row(target, row);
        }
        for (target, row) in (0..).zip(state.features.chunks(FEATURE_SLOTS)) {
            self.counts.set_features(target, row);
        }
        self.counts.set_rules(&state.rules);
        self.cells.restore(state);
    }
}
