//! An incident as `weir replay` and `weir eval` show it. The fields are those of the JSON contract.

use std::net::IpAddr;

use weir_detect::record::Incident;
use weir_policy::Names;
use weir_policy::prefix::ip_from;

/// An incident; times are seconds from the capture's beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its number.
    pub id: u64,
    /// The target's name.
    pub target: String,
    /// The names of all targets, where it is an attack on several at once.
    pub targets: Vec<String>,
    /// What operators call the attack.
    pub vector: String,
    /// `ATTACK` or `SURGE`.
    pub label: &'static str,
    /// Where it stood in the end.
    pub state: &'static str,
    /// Its beginning.
    pub started_s: f64,
    /// When it was noticed.
    pub detected_s: f64,
    /// When rules were in force.
    pub mitigated_s: Option<f64>,
    /// When it was over.
    pub ended_s: Option<f64>,
    /// 0 to 1.
    pub confidence: f64,
    /// Packets per second when it was noticed, and what is usual.
    pub rates: (f64, f64),
    /// What detectors saw.
    pub evidence: Vec<String>,
    /// Packets per second that packets of no known connection were held to.
    pub strays: Option<u64>,
    /// When SYNs began to be challenged, and when they were not any more.
    pub challenged_s: Option<(f64, Option<f64>)>,
    /// The rules.
    pub signatures: Vec<FoundRule>,
    /// Who sent.
    pub sources: FoundSources,
}

/// A rule of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRule {
    /// Its text, close to pcap-filter.
    pub rule: String,
    /// Share of the attack's samples that it matches.
    pub coverage: f64,
    /// Share of benign packets that it matches at most.
    pub collateral: f64,
    /// `drop` or `limit`.
    pub action: &'static str,
}

/// Who sent.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundSources {
    /// About how many.
    pub estimate: u64,
    /// Nearly every packet has a source of its own.
    pub spoofed: bool,
    /// Those that sent most, with their shares.
    pub top: Vec<(IpAddr, f64)>,
}

/// Seconds from the beginning of one window to that of another.
fn seconds(window: u64, since: u64) -> f64 {
    window.saturating_sub(since) as f64 / f64::from(weir_detect::baseline::WINDOWS_PER_SECOND)
}

impl Found {
    pub(super) fn new(incident: &Incident, names: &Names, since: u64) -> Self {
        let end_of = |window: u64| seconds(window + 1, since);
        let rules = incident.signature.rules.iter().map(|rule| FoundRule {
            rule: rule.matches.to_string(),
            coverage: rule.coverage,
            collateral: rule.collateral,
            action: rule.may.label(),
        });
        let name = |target: &u32| names.target(*target).unwrap_or("node").to_owned();
        let top = incident.sources.top.iter().map(|(source, share)| (ip_from(*source), *share)).collect();
        Self {
            id: incident.id,
            target: name(&incident.target),
            targets: incident.targets.iter().map(name).collect(),
            vector: incident.name().into_owned(),
            label: incident.label.label(),
            state: incident.state.label(),
            started_s: seconds(incident.started, since),
            detected_s: end_of(incident.detected),
            mitigated_s: incident.mitigated.map(end_of),
            ended_s: incident.ended.map(end_of),
            confidence: incident.confidence,
            rates: (incident.rate, incident.usual),
            evidence: incident.evidence.clone(),
            strays: incident.strays,
            challenged_s: incident.challenged.map(|(from, until)| (end_of(from), until.map(end_of))),
            signatures: rules.collect(),
            sources: FoundSources { estimate: incident.sources.estimate, spoofed: incident.sources.scattered, top },
        }
    }
}
