//! Counters by target and reason, targets.

use serde::{Deserialize, Serialize};

use super::NodeMode;

/// What was done with packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Passed.
    Pass,
    /// Dropped.
    Drop,
    /// Passed because the owner only observes; it would have been dropped.
    WouldDrop,
}

impl Verdict {
    /// The word in texts, labels and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Drop => "drop",
            Verdict::WouldDrop => "would_drop",
        }
    }
}

/// One line of `GET /api/v1/counters`. Lines that never counted are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CounterRow {
    /// Target id; 0 is the node itself.
    pub target: u32,
    /// Its name.
    pub target_name: String,
    /// The reason's word.
    pub reason: String,
    /// What was done.
    pub verdict: Verdict,
    /// Packets since the kernel tables were made.
    pub packets: u64,
    /// Bytes of whole frames.
    pub bytes: u64,
    /// Packets per second, over the last second.
    pub packets_per_s: f64,
    /// Bytes per second, over the last second.
    pub bytes_per_s: f64,
    /// The reason in a sentence.
    pub text: String,
}

/// One line of `GET /api/v1/targets`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetRow {
    /// Target id; 0 is the node itself.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Whether it drops.
    pub mode: NodeMode,
    /// Address, port and protocol of each of its entries, at most the first 256.
    pub addresses: Vec<String>,
    /// How many entries there are.
    pub entries: u64,
    /// Packet features since the kernel tables were made; those that never counted are left out.
    pub features: Vec<FeatureRow>,
}

/// How many packets had a feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureRow {
    /// The feature's word.
    pub feature: String,
    /// Packets.
    pub packets: u64,
}
