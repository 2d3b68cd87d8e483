//! A capture through the packet pipeline, with a clock taken from the capture: what would have been dropped, and why.
//!
//! Nothing here looks at the machine's own clock: the same capture and the same tables give the same report.

mod clock;
mod mode;
mod report;

use std::path::Path;

use weir_abi::fragment::COARSE_SHIFT;
use weir_core::Outcome;
use weir_policy::TableImage;
use weir_wire::Bytes;

pub use clock::Clock;
pub use mode::Mode;
pub use report::{ReplayError, Report};

use crate::env::{SimEnv, Sizes, State, TooManyTargets};
use crate::link::ethernet;
use crate::pcap::{Capture, CaptureError, Record};

/// How captures are replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Drop, or count what would have been dropped; none: as each owner in the tables says.
    pub mode: Option<Mode>,
    /// Ticks per second. Limits are compiled for one number of them: it must be the same.
    pub tick_hz: u32,
    /// Sizes of the tables that packets write.
    pub sizes: Sizes,
}

impl Default for Options {
    /// As the tables say, with Debian's 250 ticks a second and the kernel's default sizes.
    fn default() -> Self {
        Self { mode: None, tick_hz: 250, sizes: Sizes::default() }
    }
}

/// Seconds for which a first fragment decides for the rest of its datagram.
const FRAGMENT_SECONDS: u32 = 30;

/// Tables in force, ready for captures.
#[derive(Debug)]
pub struct Replay {
    env: SimEnv,
    options: Options,
    /// The environment as no packet has seen it.
    fresh: State,
}

impl Replay {
    /// Puts the tables in force.
    pub fn new(image: &TableImage, options: Options) -> Result<Self, TooManyTargets> {
        let image = match options.mode {
            Some(mode) => mode.applied_to(image),
            None => image.clone(),
        };
        let mut env = SimEnv::new(image, &options.sizes)?;
        env.configure(|config| config.fragment_timeout = (FRAGMENT_SECONDS * options.tick_hz) >> COARSE_SHIFT);
        let fresh = env.state();
        Ok(Self { env, options, fresh })
    }

    /// Replays a capture file as if nothing had come before it.
    pub fn file(&self, path: &Path) -> Report {
        self.env.restore(&self.fresh);
        file(path, Clock::new(self.options.tick_hz, 0), |tick, frame| {
            self.env.set_tick(tick);
            self.env.simulate(frame)
        })
    }

    /// What the last capture left behind: counters by target, cells.
    pub fn env(&self) -> &SimEnv {
        &self.env
    }
}

/// Replays a capture file; `decide` is called with the tick and the frame.
pub fn file(path: &Path, clock: Clock, decide: impl FnMut(u64, &Bytes) -> Outcome) -> Report {
    let name = path.display().to_string();
    match Capture::open(path) {
        Ok(capture) => records(&name, capture, clock, decide),
        Err(e) => records(&name, [Err(e)], clock, decide),
    }
}

/// Replays records from anywhere. What cannot be read ends the replay; what was read before it is in the report.
pub fn records(
    name: &str,
    records: impl IntoIterator<Item = Result<Record, CaptureError>>,
    mut clock: Clock,
    mut decide: impl FnMut(u64, &Bytes) -> Outcome,
) -> Report {
    let mut report = Report::new(name);
    for (number, record) in (1..).zip(records) {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                report.error = Some(ReplayError::Capture(e));
                break;
            }
        };
        let Some(frame) = ethernet(&record) else {
            report.error = Some(ReplayError::Link { file: name.to_owned(), record: number, link: record.link });
            break;
        };
        let tick = clock.tick(record.time_ns);
        let outcome = decide(tick, &frame.frame());
        report.add(&record, &outcome);
    }
    report
}
