//! An incident of a replay, as `-o json` and the table show it.

use std::io::{self, Write};

use serde::Serialize;
use weir_sim::detect::Found;

use crate::out::units;

/// An incident; times are seconds from the capture's beginning.
#[derive(Serialize)]
pub struct IncidentRow {
    id: u64,
    target: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<String>,
    vector: String,
    label: &'static str,
    state: &'static str,
    started_s: f64,
    detected_s: f64,
    mitigated_s: Option<f64>,
    ended_s: Option<f64>,
    confidence: f64,
    packets_per_s: f64,
    usual_packets_per_s: f64,
    evidence: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strays_packets_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenged_s: Option<(f64, Option<f64>)>,
    signatures: Vec<SignatureRow>,
    sources: SourcesRow,
}

#[derive(Serialize)]
struct SignatureRow {
    rule: String,
    coverage: f64,
    collateral: f64,
    action: &'static str,
}

#[derive(Serialize)]
struct SourcesRow {
    estimate: u64,
    spoofed: bool,
    top: Vec<SourceRow>,
}

#[derive(Serialize)]
struct SourceRow {
    source: String,
    share: f64,
}

/// Enough digits for a person and for comparing two runs.
pub fn rounded(x: f64) -> f64 {
    (x * 1e6).round() / 1e6
}

impl From<&Found> for IncidentRow {
    fn from(found: &Found) -> Self {
        let signatures = found.signatures.iter().map(|rule| SignatureRow {
            rule: rule.rule.clone(),
            coverage: rounded(rule.coverage),
            collateral: rounded(rule.collateral),
            action: rule.action,
        });
        let top = found.sources.top.iter();
        let top = top.map(|(source, share)| SourceRow { source: source.to_string(), share: rounded(*share) });
        Self {
            id: found.id,
            target: found.target.clone(),
            targets: found.targets.clone(),
            vector: found.vector.clone(),
            label: found.label,
            state: found.state,
            started_s: rounded(found.started_s),
            detected_s: rounded(found.detected_s),
            mitigated_s: found.mitigated_s.map(rounded),
            ended_s: found.ended_s.map(rounded),
            confidence: rounded(found.confidence),
            packets_per_s: rounded(found.rates.0),
            usual_packets_per_s: rounded(found.rates.1),
            evidence: found.evidence.clone(),
            strays_packets_per_s: found.strays,
            challenged_s: found.challenged_s.map(|(from, until)| (rounded(from), until.map(rounded))),
            signatures: signatures.collect(),
            sources: SourcesRow {
                estimate: found.sources.estimate,
                spoofed: found.sources.spoofed,
                top: top.collect(),
            },
        }
    }
}

/// The target, and how many others there are.
pub fn targets(first: &str, all: &[String]) -> String {
    match all.len() {
        0 | 1 => first.to_owned(),
        n => format!("{first} and {} more", n - 1),
    }
}

/// The incidents of a capture, for a person.
pub fn table(w: &mut impl Write, incidents: &[IncidentRow]) -> io::Result<()> {
    for i in incidents {
        let acted = match i.mitigated_s {
            Some(s) => format!("rules after {s:.1} s"),
            None if i.label == "SURGE" => "nothing dropped: customers".to_owned(),
            None => "no rule tells it from customers".to_owned(),
        };
        let ended = i.ended_s.map_or_else(|| i.state.to_owned(), |s| format!("ended at {s:.1} s"));
        writeln!(
            w,
            "  incident {}: {} on {}, noticed at {:.1} s, {acted}, {ended}; {} packets/s, usual {}",
            i.id,
            if i.label == "SURGE" { "surge" } else { &i.vector },
            targets(&i.target, &i.targets),
            i.detected_s,
            units::count(i.packets_per_s as u64),
            units::count(i.usual_packets_per_s as u64),
        )?;
        for line in &i.evidence {
            writeln!(w, "    seen: {line}")?;
        }
        if let Some(strays) = i.strays_packets_per_s {
            writeln!(w, "    limit: {strays} packets/s of no known connection")?;
        }
        for s in &i.signatures {
            writeln!(
                w,
                "    {}: {}  (covers {:.1} %, at most {:.3} % of customers)",
                s.action,
                s.rule,
                100.0 * s.coverage,
                100.0 * s.collateral
            )?;
        }
        if i.sources.estimate > 0 {
            let spoofed = if i.sources.spoofed { ", hardly one twice: forged, or a very large botnet" } else { "" };
            writeln!(w, "    sources: about {}{spoofed}", units::count(i.sources.estimate))?;
            for top in i.sources.top.iter().filter(|_| !i.sources.spoofed) {
                writeln!(w, "      {} {:.1} %", top.source, 100.0 * top.share)?;
            }
        }
    }
    Ok(())
}
