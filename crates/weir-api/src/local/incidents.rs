//! What was noticed, and what was done about it.

use serde::{Deserialize, Serialize};

use crate::spec::Moment;

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentRow {
    /// Its number; they begin anew with each start of the agent.
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
    /// How sure the detectors were, 0 to 1.
    pub confidence: f64,
    /// Packets per second when it was noticed.
    pub packets_per_s: f64,
    /// Packets per second that were usual.
    pub usual_packets_per_s: f64,
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
    /// Its text, close to pcap-filter.
    pub rule: String,
    /// Share of the attack's samples that it matches.
    pub coverage: f64,
    /// Share of customers' packets that it matches at most, by what was learned of them.
    pub collateral: f64,
    /// `drop`, where the target enforces; `count`: too little is known to drop by it.
    pub action: String,
    /// Packets that it matched, while it is in force.
    pub matched_packets: Option<u64>,
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
