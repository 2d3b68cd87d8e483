//! What a replay tells. The fields are those of `weir replay -o json`; writing them as JSON is the command's part.

use std::collections::BTreeMap;

use thiserror::Error;
use weir_abi::Reason;
use weir_abi::counters::REASON_SLOTS;
use weir_core::Outcome;

use crate::detect::Found;
use crate::link::LinkType;
use crate::pcap::{CaptureError, Record};

/// The sum of one capture.
#[derive(Debug)]
pub struct Report {
    /// The capture's name.
    pub file: String,
    /// Frames read.
    pub packets: u64,
    /// Their lengths on the wire.
    pub bytes: u64,
    /// From the earliest frame to the latest.
    pub duration_s: f64,
    /// Frames dropped.
    pub dropped: u64,
    /// Frames passed, those that would have been dropped included.
    pub passed: u64,
    /// Frames that passed because their owner only observes.
    pub would_drop: u64,
    /// Frames by the label of their reason. In observe mode the reasons of would-drops are among them.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// What detection found.
    pub incidents: Vec<Found>,
    /// Why the replay ended before the capture did.
    pub error: Option<ReplayError>,
    /// Times of the earliest and the latest frame.
    times: Option<(u64, u64)>,
    /// Frames by reason, until [`Self::finish`].
    counts: [u64; REASON_SLOTS],
}

/// Why a replay ended early.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The capture is cut, corrupt, or not there.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Its frames cannot be read.
    #[error(
        "{file}: record {record}: {link} is not read; Ethernet, raw IP, Linux cooked and loopback captures are \
         (convert it, or capture on another interface)"
    )]
    Link {
        /// The capture's name.
        file: String,
        /// Number of the record, from 1.
        record: u64,
        /// What its frames start with.
        link: LinkType,
    },
}

impl Report {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            packets: 0,
            bytes: 0,
            duration_s: 0.0,
            dropped: 0,
            passed: 0,
            would_drop: 0,
            verdicts: BTreeMap::new(),
            incidents: Vec::new(),
            error: None,
            times: None,
            counts: [0; REASON_SLOTS],
        }
    }

    pub(super) fn add(&mut self, record: &Record, outcome: &Outcome) {
        self.packets += 1;
        self.bytes += record.original_length as u64;
        let (earliest, latest) = self.times.unwrap_or((record.time_ns, record.time_ns));
        let times = (earliest.min(record.time_ns), latest.max(record.time_ns));
        self.times = Some(times);
        self.duration_s = (times.1 - times.0) as f64 / 1e9;
        if outcome.drop {
            self.dropped += 1;
        } else {
            self.passed += 1;
        }
        self.would_drop += outcome.would as u64;
        if let Some(count) = self.counts.get_mut(outcome.reason() as usize) {
            *count += 1;
        }
    }

    /// Names what was counted.
    pub(super) fn finish(&mut self) {
        let counts = Reason::ALL.iter().map(|reason| (reason.label(), self.counts.get(*reason as usize)));
        self.verdicts = counts.filter_map(|(label, n)| Some((label, *n?))).filter(|(_, n)| *n > 0).collect();
    }
}
