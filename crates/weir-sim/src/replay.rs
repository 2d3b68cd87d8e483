//! A capture through the packet pipeline, with a clock taken from the capture: what would have been dropped, and why.
//!
//! Nothing here looks at the machine's own clock: the same capture and the same tables give the same report.

mod clock;
mod report;

use std::path::Path;

use weir_core::Outcome;
use weir_wire::Bytes;

pub use clock::Clock;
pub use report::{ReplayError, Report};

use crate::link::ethernet;
use crate::pcap::{Capture, CaptureError, Record};

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
