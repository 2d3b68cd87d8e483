//! What was noticed, and what was done about it.

use serde::{Deserialize, Serialize};

use super::{RulingRow, Verdict};
use crate::spec::Moment;

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentRow {
    /// Its number; they go on over restarts of the agent.
    pub id: u64,
    /// The target's name.
    pub target: String,
    /// The names of all targets, where it is an attack on several at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// What operators call it: `SYN flood`, `DNS reflection`.
    pub vector: String,
    /// `ATTACK`, or `SURGE`: more than usual, and nothing else is wrong with it.
    pub label: String,
    /// `Detecting`, `Mitigating`, `Watching`, `Ended`.
    pub state: String,
    /// Its beginning.
    pub started: Moment,
    /// When it was noticed.
    pub detected: Moment,
    /// When rules came into force.
    pub mitigated: Option<Moment>,
    /// When it was over.
    pub ended: Option<Moment>,
    /// Why it was not seen to its end; absent where it was, or still goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<String>,
    /// How sure the detectors were, 0 to 1.
    pub confidence: f64,
    /// Packets per second when it was noticed.
    pub packets_per_s: f64,
    /// Packets per second that were usual.
    pub usual_packets_per_s: f64,
    /// The most packets of its kind that came within a window of 100 ms, per second.
    #[serde(default)]
    pub peak_packets_per_s: f64,
    /// How often it came back.
    pub relapses: u32,
    /// What each detector saw, in words.
    pub evidence: Vec<String>,
    /// Packets per second that packets of no known connection are held to, all of the target's together; absent: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strays_packets_per_s: Option<u64>,
    /// While SYNs are challenged, or were; absent: they never were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenged: Option<Span>,
    /// The rules that were written.
    pub signatures: Vec<SignatureRow>,
    /// Who sends.
    pub sources: SourcesRow,
    /// What the target's packets met meanwhile, those of other incidents and of customers included.
    #[serde(default)]
    pub dropped: Vec<DroppedRow>,
    /// Packets of known connections meanwhile; absent where what the host sends is not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_flows: Option<KnownFlowsRow>,
    /// What happened and what was done, the oldest first.
    #[serde(default)]
    pub steps: Vec<StepRow>,
}

/// Packets that a target did not get, or would not have got, while an incident lasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedRow {
    /// The reason's word.
    pub reason: String,
    /// `drop` or `would_drop`.
    pub verdict: Verdict,
    /// Packets.
    pub packets: u64,
    /// Bytes of whole frames.
    pub bytes: u64,
    /// The reason in a sentence.
    pub text: String,
}

/// What became of customers' connections while an incident lasted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFlowsRow {
    /// Packets that came in connections that the host takes part in.
    pub packets: u64,
    /// So many of them were dropped at most. Rules of incidents and limits for strangers touch none of them.
    pub dropped_at_most: u64,
}

/// One step of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRow {
    /// When.
    pub time: Moment,
    /// `detecting`, `corroborated`, `rules`, `withdrawn`, `limit`, `challenge`, `no_rule`, `spread`, `release`, `mitigating`, `watching`,
    /// `ended`, `approved`, `rejected`; `left_out` stands for the middle of a long story.
    pub step: String,
    /// In words.
    pub text: String,
}

/// From when, and until when something was done; without an end it goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// When it began.
    pub from: Moment,
    /// When it ended.
    pub until: Option<Moment>,
}

/// A rule of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignatureRow {
    /// Its name, `7.3` for the third rule of incident 7; it keeps it as long as the incident is remembered.
    #[serde(default)]
    pub id: String,
    /// Its text, close to pcap-filter.
    pub rule: String,
    /// Share of the attack's samples that it matches.
    pub coverage: f64,
    /// Share of customers' packets that it matches at most, by what was learned of them.
    pub collateral: f64,
    /// `drop`, where the target enforces; `count`: too little is known to drop by it.
    pub action: String,
    /// Packets that it matched; absent: it never was in the tables.
    pub matched_packets: Option<u64>,
    /// Whether it is in the kernel's tables.
    #[serde(default)]
    pub in_force: bool,
    /// What a person said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<RulingRow>,
}

/// Who sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourcesRow {
    /// About how many.
    pub estimate: u64,
    /// Nearly every packet has a source of its own: forged, or a very large botnet.
    pub spoofed: bool,
    /// Those that send most.
    pub top: Vec<SourceShare>,
}

/// One of those that send most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceShare {
    /// Its address.
    pub source: String,
    /// Its share of the samples.
    pub share: f64,
}
