//! The kernel's side of the comparison: the loaded object, its tables, counters, cells and samples.

use std::error::Error;
use std::io::{self, ErrorKind};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use weir_abi::counters::REASON_SLOTS;
use weir_abi::flow::PENDING_PER_LINE;
use weir_abi::{Cell32, Cell64, Config, Counter, FlowLine, FragmentSlot, Reason, SourceExtra, SourceLine, TargetCells};
use weir_datapath::{Cells, Counters, DatapathError, Object, Samples, Sizes, Tables};
use weir_policy::TableImage;
use weir_sim::env::{State, flow_words, fragment_words, source_words, target_words};
use weir_sim::parity::{Hook, Kernel, Ran};

use crate::traffic::rich::TARGETS;
use crate::{FLOWS, LINES, PROVEN, RETRIES, SLOTS};

/// `XDP_DROP`, `XDP_PASS`, `XDP_TX` (linux/bpf.h), `TC_ACT_SHOT`, `TC_ACT_UNSPEC`, `TC_ACT_REDIRECT` (linux/pkt_cls.h).
const XDP: [u32; 3] = [1, 2, 3];
const TCX: [u32; 3] = [2, u32::MAX, 7];

/// The longest frame that a test run takes: a page less the room before and behind it, or, at XDP, buffers of a page beside the
/// first one.
pub const fn longest(hook: Hook) -> usize {
    match hook {
        Hook::Xdp => 73_152,
        Hook::Tcx | Hook::Egress => 3_712,
    }
}

/// Whether a test run takes such a frame: it wants a link header, and for socket buffers something behind it, which has to be a
/// whole fixed header where the EtherType says IP (net/bpf/test_run.c). Real packets come shorter; XDP judges them.
pub fn takes(hook: Hook, frame: &[u8]) -> bool {
    let least = match (hook, frame.get(12..14)) {
        (Hook::Tcx | Hook::Egress, Some([0x08, 0x00])) => 14 + 20,
        (Hook::Tcx | Hook::Egress, Some([0x86, 0xdd])) => 14 + 40,
        (Hook::Tcx | Hook::Egress, _) => 15,
        (Hook::Xdp, _) => 14,
    };
    frame.len() >= least
}

/// The program in the kernel.
pub struct LoadedKernel {
    object: Object,
    tables: Tables,
    counters: Counters,
    cells: Cells,
    samples: Samples,
}

impl LoadedKernel {
    /// Loads the program into maps of its own; nothing where that is not permitted.
    pub fn load(test: &str, seed: u64) -> Option<Self> {
        stay_on_one_cpu();
        let cpus = Sizes::for_machine().cpus;
        let sizes = Sizes {
            targets: TARGETS,
            source_lines: LINES,
            fragment_slots: SLOTS,
            flow_lines: FLOWS,
            proven_lines: PROVEN,
            retry_slots: RETRIES,
            parts: 4096,
            prefixes: 4096,
            cpus,
        };
        match Self::with(&sizes) {
            Ok(kernel) => {
                kernel.tables.initialise().expect("a random seed");
                kernel.tables.configure(|c| {
                    c.seed = [seed, seed.rotate_left(29) ^ 0x1234_5678_9abc_def0];
                    c.sample_pass_mask = 0;
                    c.sample_drop_mask = 0;
                    c.samples_per_tick = u32::MAX;
                    c.fragment_timeout = 1;
                    c.connections = 1;
                });
                Some(kernel)
            }
            Err(e) if is_forbidden(&e) => {
                eprintln!("SKIPPED: {test}: {e}");
                None
            }
            Err(e) => panic!("{e}"),
        }
    }

    fn with(sizes: &Sizes) -> Result<Self, DatapathError> {
        let mut object = Object::load(sizes, None)?;
        let tables = Tables::new(&object, sizes, TableImage::empty())?;
        let (counters, cells) = (Counters::new(&object, sizes)?, Cells::new(&object, sizes)?);
        let samples = Samples::new(object.take_samples()?);
        Ok(Self { object, tables, counters, cells, samples })
    }

    /// The configuration block.
    pub fn config(&self) -> Config {
        self.tables.config()
    }

    /// Puts the first tables in force.
    pub fn apply_first(&mut self, image: &TableImage) {
        self.tables.apply(image).unwrap_or_else(|e| panic!("{e}"));
    }
}

impl Kernel for LoadedKernel {
    type Error = DatapathError;

    fn tick(&mut self) -> Result<u64, DatapathError> {
        self.object.tick()
    }

    fn run(&mut self, hook: Hook, frame: &[u8]) -> Result<Ran, DatapathError> {
        let ((run, out), [drop, pass, send]) = match hook {
            Hook::Xdp => (self.object.change_xdp(frame)?, XDP),
            Hook::Tcx => (self.object.change_tcx(frame)?, TCX),
            Hook::Egress => ((self.object.run_egress(frame, 1)?, frame.to_vec()), TCX),
        };
        assert!([drop, pass, send].contains(&run.returned), "{hook:?} returned {}", run.returned);
        // A frame that passes passes as it is, unless XDP hands an answer to the stack, or it is made its sender's reset.
        let resets = hook == Hook::Tcx && out.len() == frame.len();
        let handed = run.returned == pass && (hook == Hook::Xdp || resets) && out != frame;
        assert!(handed || run.returned == send || out == frame, "{hook:?} changed a frame");
        let reply = (handed || run.returned == send).then_some(out);
        let mut samples = Vec::new();
        self.samples.drain(&mut samples);
        Ok(Ran { dropped: run.returned == drop, reply, samples })
    }

    fn state(&self) -> State {
        let rows = (0..TARGETS).flat_map(|t| [(t, false), (t, true)]);
        let row = |(target, would)| {
            let reason = move |n| Reason::from_number(n as u8);
            (0..REASON_SLOTS)
                .map(move |n| reason(n).map_or(Counter::default(), |r| self.counters.one(target, would, r)))
        };
        let lines = 0..LINES as usize;
        State {
            counters: rows.flat_map(row).collect(),
            features: (0..TARGETS).flat_map(|t| self.counters.feature_slots(t)).collect(),
            rules: self.counters.rules().to_vec(),
            sources: lines
                .clone()
                .map(|i| source_words(&self.cells.sources.get(i), &self.cells.source_extras.get(i)))
                .collect(),
            source_prefixes: lines
                .map(|i| source_words(&self.cells.source_prefixes.get(i), &self.cells.prefix_extras.get(i)))
                .collect(),
            targets: (0..TARGETS as usize).map(|i| target_words(&self.cells.targets.get(i))).collect(),
            fragments: (0..SLOTS as usize).map(|i| fragment_words(&self.cells.fragments.get(i))).collect(),
            flows: (0..FLOWS as usize).map(|i| flow_words(&self.cells.flows.get(i))).collect(),
            proven: (0..PROVEN as usize).map(|i| flow_words(&self.cells.proven.get(i))).collect(),
            retries: (0..RETRIES as usize).map(|i| self.cells.retries.get(i).load()).collect(),
            regulars: (0..PROVEN as usize).map(|i| flow_words(&self.cells.regulars.get(i))).collect(),
            pending: (0..(FLOWS * PENDING_PER_LINE) as usize).map(|i| self.cells.pending.get(i).load()).collect(),
        }
    }

    fn apply(&mut self, image: &TableImage) -> Result<(), DatapathError> {
        self.tables.apply(image).map(|_| ())
    }

    fn configure(&mut self, change: &dyn Fn(&mut Config)) {
        self.tables.configure(change);
    }

    fn set_cells(&mut self, state: &State) {
        for (i, words) in state.sources.iter().enumerate() {
            let (line, extra) = line(words);
            self.cells.sources.set(i, line);
            self.cells.source_extras.set(i, extra);
        }
        for (i, words) in state.source_prefixes.iter().enumerate() {
            let (line, extra) = line(words);
            self.cells.source_prefixes.set(i, line);
            self.cells.prefix_extras.set(i, extra);
        }
        for (i, words) in state.targets.iter().enumerate() {
            let [packets, bytes, syns, fragments, strangers, retries, matched] = words.map(Cell64::new);
            let reserved = std::array::from_fn(|_| Cell64::default());
            self.cells
                .targets
                .set(i, TargetCells { packets, bytes, syns, fragments, strangers, retries, matched, reserved });
        }
        for (i, words) in state.fragments.iter().enumerate() {
            let [decided, shape, last] = words.map(Cell64::new);
            self.cells.fragments.set(i, FragmentSlot { decided, shape, last, reserved: Cell64::default() });
        }
        for (i, words) in state.flows.iter().enumerate() {
            self.cells.flows.set(i, FlowLine { marks: words.map(Cell32::new) });
        }
        for (i, words) in state.proven.iter().enumerate() {
            self.cells.proven.set(i, FlowLine { marks: words.map(Cell32::new) });
        }
        for (i, word) in state.retries.iter().enumerate() {
            self.cells.retries.set(i, Cell64::new(*word));
        }
        for (i, words) in state.regulars.iter().enumerate() {
            self.cells.regulars.set(i, FlowLine { marks: words.map(Cell32::new) });
        }
        for (i, word) in state.pending.iter().enumerate() {
            self.cells.pending.set(i, Cell64::new(*word));
        }
    }
}

/// A source line and its other cells from their words, see [`source_words`].
fn line(words: &[u32; 32]) -> (SourceLine, SourceExtra) {
    let eight = |from: usize| std::array::from_fn(|i| Cell32::new(words[from + i]));
    let reserved = std::array::from_fn(|i| Cell32::new(words[9 + i]));
    let line = SourceLine { packets: eight(0), epoch: Cell32::new(words[8]), reserved };
    (line, SourceExtra { syns: eight(16), bytes: eight(24) })
}

/// Test runs take place on the CPU that asks for them, and packets are counted by CPU: which are sampled depends on it.
fn stay_on_one_cpu() {
    let mut one = CpuSet::new();
    one.set(0).expect("there is a CPU 0");
    sched_setaffinity(Pid::from_raw(0), &one).expect("a thread may choose among its CPUs");
}

/// Whether loading failed for want of rights, or because no kernel object was built in.
fn is_forbidden(e: &DatapathError) -> bool {
    let mut next: Option<&dyn Error> = Some(e);
    while let Some(e) = next {
        if e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::PermissionDenied) {
            return true;
        }
        next = e.source();
    }
    matches!(e, DatapathError::NoObject)
}
