//! Host and kernel side by side: the same packets, the same tables, the same tick, and not one difference.
//!
//! The kernel is behind a trait: loading a program needs a crate and rights that this one does not have. What is compared after
//! each packet is the verdict and, where one was taken, the sample with target, reason, rule, verdict and weight; after every
//! few packets, all counters and all cells.
//!
//! **Time.** The kernel's tick moves on by itself. A packet is bracketed by two readings; where they agree, it was judged at that
//! tick. Where they do not, each tick in between is tried, and one must explain answer and state. What none explains (the tick
//! moved in the middle of the program) is settled by taking the kernel's state over, and counted as a re-sync.

mod answer;
mod report;

use weir_abi::{Config, Sample};
use weir_core::reply::Way;
use weir_policy::TableImage;
use weir_wire::Bytes;

pub use answer::{Answer, Facts};
pub use report::{Difference, Report};

use crate::env::{SimEnv, State};

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP.
    Xdp,
    /// Traffic control.
    Tcx,
    /// Traffic control, on the way out: only learns.
    Egress,
}

/// What came of a frame in the kernel.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// It was dropped.
    pub dropped: bool,
    /// What was sent back.
    pub reply: Option<Vec<u8>>,
    /// The samples that came of it.
    pub samples: Vec<Sample>,
}

/// The kernel's side.
pub trait Kernel {
    /// What can go wrong on the way to the kernel.
    type Error: std::error::Error;

    /// The tick now.
    fn tick(&mut self) -> Result<u64, Self::Error>;

    /// Runs the program on a frame.
    fn run(&mut self, hook: Hook, frame: &[u8]) -> Result<Ran, Self::Error>;

    /// Everything that packets have left behind.
    fn state(&self) -> State;

    /// Puts tables in force.
    fn apply(&mut self, image: &TableImage) -> Result<(), Self::Error>;

    /// Changes the configuration block.
    fn configure(&mut self, change: &dyn Fn(&mut Config));

    /// Sets all cells to what a state says; counters stay.
    fn set_cells(&mut self, state: &State);
}

/// Packets between two comparisons of everything.
const CHECK_EVERY: usize = 16;

/// Ticks that are tried where the clock went further between two readings.
const MOST_TICKS: u64 = 32;

/// Two sides in step.
pub struct Parity<K> {
    kernel: K,
    host: SimEnv,
    /// The kernel's tick after the last packet.
    tick: u64,
    /// The packets since everything was last compared.
    unchecked: Vec<(Hook, Vec<u8>)>,
    report: Report,
}

impl<K: Kernel> Parity<K> {
    /// Begins with both sides as they are, which must be alike.
    pub fn new(mut kernel: K, host: SimEnv) -> Result<Self, K::Error> {
        let tick = kernel.tick()?;
        let mut parity = Self { kernel, host, tick, unchecked: Vec::new(), report: Report::default() };
        parity.check();
        Ok(parity)
    }

    /// The kernel's tick, as far as it is known.
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// What was compared so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Puts tables in force on both sides.
    pub fn apply(&mut self, image: &TableImage) -> Result<(), K::Error> {
        self.check();
        self.kernel.apply(image)?;
        // Both sides were made for as many targets.
        if let Err(e) = self.host.apply(image.clone()) {
            self.report
                .differ(Difference { packets: Vec::new(), details: vec![format!("only the kernel takes this: {e}")] });
        }
        self.tick = self.kernel.tick()?;
        Ok(())
    }

    /// Changes the configuration block on both sides.
    pub fn configure(&mut self, change: impl Fn(&mut Config)) {
        self.check();
        self.kernel.configure(&change);
        self.host.configure(change);
    }

    /// Changes the cells of both sides: to what only a long time would make of them.
    pub fn meddle(&mut self, change: impl FnOnce(&mut State)) {
        self.check();
        let mut state = self.kernel.state();
        change(&mut state);
        self.kernel.set_cells(&state);
        self.host.restore(&state);
        self.check();
    }

    /// Sends a frame through both sides. Says what the kernel sent back.
    pub fn packet(&mut self, hook: Hook, frame: &[u8]) -> Result<Option<Vec<u8>>, K::Error> {
        let before = self.tick;
        let ran = self.kernel.run(hook, frame)?;
        let seen = Answer::seen(ran.dropped, ran.reply, &ran.samples);
        self.tick = self.kernel.tick()?;
        self.report.packets += 1;
        self.unchecked.push((hook, frame.to_vec()));
        if self.tick == before {
            let expected = self.judge(before, hook, frame);
            if expected != seen {
                self.answers_differ(&expected, &seen);
            } else if self.unchecked.len() >= CHECK_EVERY {
                self.check();
            }
        } else {
            self.between_ticks(before, hook, frame, &seen);
        }
        Ok(seen.reply)
    }

    /// Compares everything a last time.
    pub fn finish(mut self) -> Report {
        self.check();
        self.report
    }

    /// The host's answer at a tick.
    fn judge(&mut self, tick: u64, hook: Hook, frame: &[u8]) -> Answer {
        self.host.set_tick(tick);
        let frame = Bytes::new(frame);
        if hook == Hook::Egress {
            self.host.learn(&frame);
            return Answer::seen(false, None, &[]);
        }
        let outcome = self.host.simulate(&frame);
        self.report.count(&outcome);
        // What leaves by traffic control is the stack's, and so is what XDP hands to it.
        let reply = if outcome.challenged {
            self.host.reply(&frame, if hook == Hook::Xdp { Way::Chosen } else { Way::Stack })
        } else if outcome.closes {
            self.host.reset(&frame)
        } else {
            None
        };
        Answer::expected(&outcome, reply, &frame)
    }

    /// The tick moved on around this packet: one of the ticks since must explain what came of it.
    fn between_ticks(&mut self, before: u64, hook: Hook, frame: &[u8], seen: &Answer) {
        self.report.between_ticks += 1;
        let (kernel, host) = (self.kernel.state(), self.host.state());
        let counted = self.report.reasons.clone();
        let mut expected = None;
        // A gap of many ticks means that this process was held up, most likely before the packet or behind it.
        let start = if self.tick - before <= MOST_TICKS { before + 2 } else { self.tick - MOST_TICKS };
        for tick in (before..before + 2).chain(start..=self.tick) {
            let answer = self.judge(tick, hook, frame);
            if answer == *seen && self.host.state() == kernel {
                self.unchecked.clear();
                return;
            }
            self.host.restore(&host);
            self.report.reasons.clone_from(&counted);
            expected.get_or_insert(answer);
        }
        // One packet changes one thing of a kind. More is a difference that has nothing to do with the time.
        if host.widest_difference(&kernel) > 1 {
            let details =
                [vec![format!("host: {expected:x?}"), format!("kernel: {seen:x?}")], host.differences(&kernel)];
            self.report.differ(Difference { packets: std::mem::take(&mut self.unchecked), details: details.concat() });
        }
        self.report.resyncs += 1;
        self.take_over(&kernel);
    }

    fn answers_differ(&mut self, expected: &Answer, seen: &Answer) {
        let kernel = self.kernel.state();
        let mut details = vec![format!("host: {expected:x?}"), format!("kernel: {seen:x?}")];
        details.extend(self.host.state().differences(&kernel));
        let last = self.unchecked.pop();
        self.report.differ(Difference { packets: last.into_iter().collect(), details });
        self.take_over(&kernel);
    }

    /// Compares counters and cells.
    fn check(&mut self) {
        let kernel = self.kernel.state();
        let details = self.host.state().differences(&kernel);
        if !details.is_empty() {
            self.report.differ(Difference { packets: std::mem::take(&mut self.unchecked), details });
            self.host.restore(&kernel);
        }
        self.unchecked.clear();
    }

    /// Goes on from the kernel's state, so that one difference does not look like many.
    fn take_over(&mut self, kernel: &State) {
        self.host.restore(kernel);
        self.unchecked.clear();
    }
}
