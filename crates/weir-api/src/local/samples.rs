//! Sampled packets.

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::spec::Moment;

/// One line of `GET /api/v1/samples`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRow {
    /// When the agent received it.
    pub time: Moment,
    /// Interface index.
    pub ifindex: u32,
    /// Target id.
    pub target: u32,
    /// Its name.
    pub target_name: String,
    /// The reason's word.
    pub reason: String,
    /// What was done.
    pub verdict: Verdict,
    /// The rule or list entry that decided, if one did.
    pub rule: Option<String>,
    /// How many packets it stands for.
    pub weight: u32,
    /// Length of the whole frame, bytes.
    pub length: u32,
    /// Source address, if the headers could be read.
    pub source: Option<String>,
    /// Destination address.
    pub destination: Option<String>,
    /// Source port.
    pub source_port: Option<u16>,
    /// Destination port.
    pub destination_port: Option<u16>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// Head of the frame, hexadecimal.
    pub bytes: String,
}
