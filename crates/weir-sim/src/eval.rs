//! A labelled corpus, judged: is each attack noticed, how soon, how much of it is dropped, and what does it cost customers.
//!
//! An attack is replayed twice. *Alone*, as it was captured, to a node that has seen nothing before. *Merged* with ordinary
//! traffic: packets of every second benign capture of the corpus, readdressed to the victim, which the node has learned from for
//! more than a minute; what comes beside the attack is from the other half, which it has not seen. The attack is repeated until it
//! has lasted some seconds, at its own rate. A benign capture is replayed alone, with every destination of it protected.

mod background;
mod manifest;
mod seed_like;
mod trial;

use std::path::Path;

use weir_detect::engine::Settings;
use weir_policy::compile::CompileErrors;

use crate::detect::Found;
use crate::env::TooManyTargets;
use crate::pcap::CaptureError;
pub use background::Background;
pub use manifest::{Entry, Label, ManifestError, manifest};
use trial::Trial;

/// Why a corpus cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A capture that it names.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Its victims cannot be protected.
    #[error(transparent)]
    Policy(#[from] CompileErrors),
    /// More targets than there is room for.
    #[error(transparent)]
    Targets(#[from] TooManyTargets),
}

/// How one replay went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// An attack was noticed.
    pub detected: bool,
    /// From the attack's first packet, seconds.
    pub time_to_detect_s: Option<f64>,
    /// The same, until rules were in force.
    pub time_to_mitigate_s: Option<f64>,
    /// Attack packets.
    pub attack_packets: u64,
    /// Of these, dropped.
    pub attack_dropped: u64,
    /// Attack packets that came after rules were in force.
    pub attack_packets_after: u64,
    /// Of these, dropped.
    pub attack_dropped_after: u64,
    /// Customers' packets.
    pub benign_packets: u64,
    /// Of these, dropped.
    pub benign_dropped: u64,
    /// What was found.
    pub incidents: Vec<Found>,
    /// What filters by source would have dropped.
    pub seed_like: Vec<BySource>,
}

/// What a filter that knows sources only would have dropped ([`seed_like`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BySource {
    /// Packets per second of one source for which it is blocked.
    pub threshold: u64,
    /// Attack packets.
    pub attack_dropped: u64,
    /// Customers' packets.
    pub benign_dropped: u64,
}

/// A part of a number; nothing of nothing.
fn ratio(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

impl Outcome {
    /// Share of the attack that was dropped, from its first packet on.
    pub fn attack_drop_ratio(&self) -> Option<f64> {
        ratio(self.attack_dropped, self.attack_packets)
    }

    /// Share of the attack that was dropped once rules were in force.
    pub fn attack_drop_ratio_after(&self) -> Option<f64> {
        ratio(self.attack_dropped_after, self.attack_packets_after)
    }

    /// Share of customers' packets that was dropped.
    pub fn benign_drop_ratio(&self) -> Option<f64> {
        ratio(self.benign_dropped, self.benign_packets)
    }
}

/// A capture, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What the manifest says.
    pub entry: Entry,
    /// As it was captured, with nothing learned before.
    pub alone: Outcome,
    /// An attack within ordinary traffic.
    pub merged: Option<Outcome>,
}

/// Judges captures one by one.
pub struct Judge {
    settings: Settings,
    background: Background,
}

impl Judge {
    /// Reads the benign captures of a corpus.
    pub fn new(entries: &[Entry], settings: Settings) -> Result<Self, EvalError> {
        Ok(Self { settings, background: Background::read(entries)? })
    }

    /// Judges one capture.
    pub fn judge(&self, entry: &Entry) -> Result<Judged, EvalError> {
        let trial = Trial::new(entry)?;
        let alone = trial.alone(self.settings)?;
        let merged = match entry.label {
            Label::Attack => trial.merged(&self.background, self.settings)?,
            _ => None,
        };
        Ok(Judged { entry: entry.clone(), alone, merged })
    }
}

/// Reads a manifest; captures lie beside it.
pub fn entries(path: &Path) -> Result<Vec<Entry>, EvalError> {
    Ok(manifest(path)?)
}
