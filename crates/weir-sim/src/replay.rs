//! A capture through the packet pipeline, with a clock taken from the capture: what would have been dropped, and why.
//!
//! Detection runs beside it, and its rules come into force, as on a node. Nothing here looks at the machine's own clock: the same capture and the same tables give the same report.

mod clock;
mod mode;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_abi::fragment::COARSE_SHIFT;
use weir_core::Outcome;
use weir_detect::engine::Settings;
use weir_policy::TableImage;
use weir_wire::Bytes;

pub use clock::Clock;
pub use mode::Mode;
pub use report::{ReplayError, Report};

use crate::detect::Detecting;
use crate::env::{SimEnv, Sizes, State, TooManyTargets};
use crate::link::ethernet;
use crate::pcap::{Capture, CaptureError, Record};

/// How captures are replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Drop, or count what would have been dropped; none: as each owner in the tables says.
    pub mode: Option<Mode>,
    /// Ticks per second. Limits are compiled for one number of them: it must be the same.
    pub tick_hz: u32,
    /// Sizes of the tables that packets write.
    pub sizes: Sizes,
    /// How detection works.
    pub detection: Settings,
}

impl Default for Options {
    /// As the tables say, with Debian's 250 ticks a second and the kernel's default sizes.
    fn default() -> Self {
        Self { mode: None, tick_hz: 250, sizes: Sizes::default(), detection: Settings::default() }
    }
}

/// Seconds for which a first fragment decides for the rest of its datagram.
const FRAGMENT_SECONDS: u32 = 30;

/// Tables in force, ready for captures.
pub struct Replay {
    env: SimEnv,
    options: Options,
    image: Arc<TableImage>,
    /// The environment as no packet has seen it.
    fresh: State,
    /// What was learned of ordinary traffic.
    learned: Detecting,
}

impl Replay {
    /// Puts the tables in force.
    pub fn new(image: &TableImage, options: Options) -> Result<Self, TooManyTargets> {
        let image = Arc::new(match options.mode {
            Some(mode) => mode.applied_to(image),
            None => image.clone(),
        });
        let mut env = SimEnv::new(Arc::clone(&image), &options.sizes)?;
        env.configure(|config| config.fragment_timeout = (FRAGMENT_SECONDS * options.tick_hz) >> COARSE_SHIFT);
        let fresh = env.state();
        let learned = Detecting::new(&env, options.detection, options.tick_hz);
        Ok(Self { env, options, image, fresh, learned })
    }

    /// Learns from captures of ordinary traffic, one after the other. What cannot be read is in the reports.
    pub fn learn(&mut self, captures: &[PathBuf]) -> Vec<Report> {
        let mut detecting = self.learned.clone();
        let mut reports = Vec::new();
        for path in captures {
            self.begin();
            reports.push(self.run(path, &mut detecting));
            detecting.next_capture(&mut self.env);
        }
        detecting.trust(&mut self.env);
        self.learned = detecting;
        reports
    }

    /// Replays a capture file as if nothing but the baseline had come before it.
    pub fn file(&mut self, path: &Path) -> Report {
        self.begin();
        let mut detecting = self.learned.clone();
        let since = detecting.window();
        let mut report = self.run(path, &mut detecting);
        detecting.flush(&mut self.env);
        report.incidents = detecting.found(&self.env, since);
        report
    }

    /// What the last capture left behind: counters by target, cells.
    pub fn env(&self) -> &SimEnv {
        &self.env
    }

    fn begin(&mut self) {
        self.env.restore(&self.fresh);
        // There was room for it in `new`.
        let _ = self.env.apply(Arc::clone(&self.image));
    }

    fn run(&mut self, path: &Path, detecting: &mut Detecting) -> Report {
        let env = &mut self.env;
        file(path, Clock::new(self.options.tick_hz, 0), |tick, time_ns, frame| {
            env.set_tick(tick);
            detecting.frame(env, time_ns, frame)
        })
    }
}

/// Replays a capture file; `decide` is called with the tick, the capture's time in ns, and the frame.
pub fn file(path: &Path, clock: Clock, mut decide: impl FnMut(u64, u64, &Bytes) -> Outcome) -> Report {
    let name = path.display().to_string();
    let mut capture = match Capture::open(path) {
        Ok(capture) => capture,
        Err(e) => return records(&name, [Err(e)], clock, decide),
    };
    let mut played = Played { report: Report::new(&name), clock };
    while let Some(record) = capture.next() {
        match played.one(record, &mut decide) {
            Some(record) => capture.recycle(record),
            None => break,
        }
    }
    played.end()
}

/// Replays records from anywhere. What cannot be read ends the replay; what was read before it is in the report.
pub fn records(
    name: &str,
    records: impl IntoIterator<Item = Result<Record, CaptureError>>,
    clock: Clock,
    mut decide: impl FnMut(u64, u64, &Bytes) -> Outcome,
) -> Report {
    let mut played = Played { report: Report::new(name), clock };
    let _ = records.into_iter().try_for_each(|record| played.one(record, &mut decide).map(drop));
    played.end()
}

/// A replay that goes on.
struct Played {
    report: Report,
    clock: Clock,
}

impl Played {
    /// The next record, which is given back; nothing when the replay ends with it.
    fn one(
        &mut self,
        record: Result<Record, CaptureError>,
        decide: &mut impl FnMut(u64, u64, &Bytes) -> Outcome,
    ) -> Option<Record> {
        let report = &mut self.report;
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                report.error = Some(ReplayError::Capture(e));
                return None;
            }
        };
        let Some(frame) = ethernet(&record) else {
            let (file, number) = (report.file.clone(), report.packets + 1);
            report.error = Some(ReplayError::Link { file, record: number, link: record.link });
            return None;
        };
        let tick = self.clock.tick(record.time_ns);
        let outcome = decide(tick, record.time_ns, &frame.frame());
        report.add(&record, &outcome);
        Some(record)
    }

    fn end(mut self) -> Report {
        self.report.finish();
        self.report
    }
}
