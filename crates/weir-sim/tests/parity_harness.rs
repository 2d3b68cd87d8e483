//! The comparison itself, with a second simulator in the kernel's place: it finds what differs, and is not misled by the time.

#[path = "common/traffic/mod.rs"]
mod traffic;

use std::convert::Infallible;
use std::sync::Arc;

use weir_abi::{Config, Sample};
use weir_policy::TableImage;
use weir_sim::env::{SimEnv, Sizes, State};
use weir_sim::parity::{Answer, Hook, Kernel, Parity, Ran, Report};
use weir_wire::Bytes;

use traffic::generate::Generator;
use traffic::rich::{TARGETS, image, policy};
use traffic::rng::Rng;

const SIZES: Sizes = Sizes {
    targets: TARGETS,
    source_lines: 64,
    fragment_slots: 64,
    flow_lines: 16,
    proven_lines: 4,
    retry_slots: 16,
    cpus: 1,
    seed: [5, 6],
};

/// A simulator that plays the kernel, with a clock that moves on by itself and, perhaps, a fault.
struct Stand {
    env: SimEnv,
    rng: Rng,
    tick: u64,
    /// The clock ticks once in so many readings.
    ticks_every: u64,
    fault: Fault,
    packets: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// It drops one packet that passed, and says so.
    Verdict(u64),
    /// It says another target of one packet.
    Target(u64),
    /// It forgets to take a sample.
    Sample(u64),
    /// It writes to a cell that is not the packet's.
    Cell(u64),
    /// Some packets see a tick that never was.
    Tick,
}

impl Kernel for Stand {
    type Error = Infallible;

    fn tick(&mut self) -> Result<u64, Infallible> {
        self.tick += u64::from(self.rng.one_in(self.ticks_every));
        Ok(self.tick)
    }

    fn run(&mut self, _: Hook, frame: &[u8]) -> Result<Ran, Infallible> {
        self.packets += 1;
        // A tick before the packet, that nobody has read yet.
        self.tick += u64::from(self.rng.one_in(self.ticks_every));
        let strange = self.fault == Fault::Tick && self.rng.one_in(100);
        self.env.set_tick(if strange { self.tick + 1000 } else { self.tick });
        if strange {
            self.tick += 2000;
        }
        let frame = Bytes::new(frame);
        let answer = Answer::expected(&self.env.simulate(&frame), None, &frame);
        let mut samples: Vec<Sample> = answer.samples.iter().map(sample).collect();
        let mut dropped = answer.dropped;
        match self.fault {
            Fault::Verdict(n) if n == self.packets => dropped = !dropped,
            Fault::Target(n) if n == self.packets => samples[0].target ^= 1,
            Fault::Sample(n) if n == self.packets => samples.clear(),
            Fault::Cell(n) if n == self.packets => self.env.target_cells()[3].bytes.add(1),
            _ => {}
        }
        Ok(Ran { dropped, reply: None, samples })
    }

    fn state(&self) -> State {
        self.env.state()
    }

    fn apply(&mut self, image: &TableImage) -> Result<(), Infallible> {
        self.env.apply(image.clone()).expect("it fits");
        Ok(())
    }

    fn configure(&mut self, change: &dyn Fn(&mut Config)) {
        self.env.configure(change);
    }

    fn set_cells(&mut self, state: &State) {
        self.env.restore(state);
    }
}

fn sample(f: &weir_sim::parity::Facts) -> Sample {
    Sample {
        time_ns: 1,
        ifindex: 1,
        pad: 0,
        target: f.target,
        reason: f.reason,
        verdict: f.verdict,
        rule: f.rule,
        weight: f.weight,
        length: f.length,
        captured: f.captured,
        bytes: f.bytes,
    }
}

fn compare(fault: Fault, ticks_every: u64) -> Report {
    let tables = Arc::new(image(&policy(0), 250, 0, None));
    let side = || {
        let mut env = SimEnv::new(Arc::clone(&tables), &SIZES).unwrap();
        env.configure(|c| (c.sample_pass_mask, c.sample_drop_mask) = (0, 0));
        env
    };
    let stand = Stand { env: side(), rng: Rng(1), tick: 100, ticks_every, fault, packets: 0 };
    let mut parity = Parity::new(stand, side()).unwrap();
    let mut generator = Generator::new(2, 1500, Vec::new());
    for _ in 0..5_000 {
        parity.packet(Hook::Xdp, &generator.next()).unwrap();
    }
    parity.finish()
}

#[test]
fn equal_sides_are_found_equal_however_fast_the_clock() {
    for ticks_every in [1_000_000, 100, 10, 2] {
        let report = compare(Fault::None, ticks_every);
        assert_eq!((report.packets, report.differences, report.resyncs), (5_000, 0, 0), "{report}");
        assert!(report.between_ticks > 0 || ticks_every > 1000);
        assert_eq!(report.reasons.values().sum::<u64>(), 5_000, "each packet is counted once");
    }
}

#[test]
fn one_wrong_answer_is_found_and_shown() {
    for fault in [Fault::Verdict(77), Fault::Target(77), Fault::Sample(77)] {
        let report = compare(fault, 1_000_000);
        assert_eq!((report.packets, report.differences, report.resyncs), (5_000, 1, 0), "{report}");
        let [only] = &report.first[..] else { panic!("one difference") };
        let mut generator = Generator::new(2, 1500, Vec::new());
        let frame = (0..77).map(|_| generator.next()).last().unwrap();
        assert_eq!(only.packets, [(Hook::Xdp, frame)]);
        assert!(only.details[0].starts_with("host: ") && only.details[1].starts_with("kernel: "), "{only}");
    }
}

#[test]
fn a_cell_that_nobody_should_have_touched_is_found_within_a_few_packets() {
    let report = compare(Fault::Cell(1001), 1_000_000);
    assert_eq!((report.packets, report.differences), (5_000, 1), "{report}");
    let [only] = &report.first[..] else { panic!("one difference") };
    assert!(only.packets.len() <= 16, "{}", only.packets.len());
    assert!(only.details.iter().all(|line| line.starts_with("cells of target 3: ")), "{only}");
}

/// Where the tick moved on and no tick explains the answer, the kernel's state is taken over, and that is counted.
#[test]
fn what_no_tick_explains_is_a_re_sync_and_no_difference() {
    let report = compare(Fault::Tick, 1_000_000);
    assert_eq!(report.differences, 0, "{report}");
    assert!(report.resyncs > 0 && report.resyncs <= report.between_ticks, "{report}");
    assert!(report.between_ticks < 100, "{report}");
}

/// The harness is only as good as its ground: these packets reach most of the decision.
#[test]
fn the_packets_reach_most_outcomes() {
    let report = compare(Fault::None, 100);
    assert!(report.reasons.len() > 60, "{report}");
}
