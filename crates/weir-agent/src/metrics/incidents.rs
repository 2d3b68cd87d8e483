//! What `/metrics` says of incidents. Labels are the targets' names and words of fixed lists: no incident has a label of its own.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use weir_api::local::{IncidentRow, Verdict};

use super::{Labels, gauges};
use crate::view::View;

/// Writes them.
pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, view: &View) -> fmt::Result {
    let (all, rules) = (view.incidents(), view.rules());
    let open = || all.iter().filter(|row| row.state != "Ended");
    let mut counted: Family<4> = Family::new(["target", "vector", "label", "state"]);
    for row in all.iter() {
        *counted.of([&row.target, &row.vector, &row.label, &row.state]) += 1.0;
    }
    gauges(encoder, "incidents", "Incidents that are remembered, by where they stand", counted.rows())?;

    let mut peaks: Family<2> = Family::new(["target", "vector"]);
    for row in open() {
        let peak = peaks.of([&row.target, &row.vector]);
        *peak = peak.max(row.peak_packets_per_s);
    }
    let help = "The most packets per second of an incident that goes on, in a window of 100 ms";
    gauges(encoder, "incident_peak_packets_per_second", help, peaks.rows())?;

    let mut matched: Family<2> = Family::new(["target", "vector"]);
    for row in open() {
        let packets = row.signatures.iter().filter_map(|rule| rule.matched_packets).sum::<u64>();
        *matched.of([&row.target, &row.vector]) += packets as f64;
    }
    let help = "Packets that rules of incidents that go on have matched";
    gauges(encoder, "incident_matched_packets", help, matched.rows())?;

    let mut lost: Family<2> = Family::new(["target", "verdict"]);
    let mut known: Family<1> = Family::new(["target"]);
    for row in longest(open()) {
        for dropped in row.dropped.iter().filter(|dropped| dropped.verdict != Verdict::Pass) {
            *lost.of([&row.target, dropped.verdict.label()]) += dropped.packets as f64;
        }
        if let Some(flows) = row.known_flows {
            *known.of([&row.target]) += flows.dropped_at_most as f64;
        }
    }
    let help =
        "Packets of the target that were dropped, or would have been, since the oldest incident that goes on began";
    gauges(encoder, "incident_dropped_packets", help, lost.rows())?;
    let help = "Packets of known connections among them, at most";
    gauges(encoder, "incident_known_flow_dropped_packets", help, known.rows())?;

    let mut standing: Family<3> = Family::new(["target", "action", "standing"]);
    for rule in rules.iter().filter(|rule| rule.incident.is_some()) {
        for target in &rule.targets {
            *standing.of([target, rule.action.label(), rule.standing.label()]) += 1.0;
        }
    }
    gauges(
        encoder,
        "incident_rules",
        "Rules and limits of incidents, by what they do and where they stand",
        standing.rows(),
    )?;
    let bytes = view.packet_bytes() as f64;
    gauges(encoder, "incident_capture_bytes", "Memory of the sampled packets that incidents keep", [(vec![], bytes)])
}

/// Of each target the incident that goes on for longest: what the target lost meanwhile includes what it lost during the others.
fn longest<'a>(rows: impl Iterator<Item = &'a IncidentRow>) -> impl Iterator<Item = &'a IncidentRow> {
    let mut first: BTreeMap<&str, &IncidentRow> = BTreeMap::new();
    for row in rows {
        let known = first.entry(&row.target).or_insert(row);
        if row.started < known.started {
            *known = row;
        }
    }
    first.into_values()
}

/// Values by their labels.
struct Family<const N: usize> {
    names: [&'static str; N],
    values: BTreeMap<[String; N], f64>,
}

impl<const N: usize> Family<N> {
    fn new(names: [&'static str; N]) -> Self {
        Self { names, values: BTreeMap::new() }
    }

    fn of(&mut self, labels: [&str; N]) -> &mut f64 {
        self.values.entry(labels.map(str::to_owned)).or_default()
    }

    fn rows(self) -> impl Iterator<Item = (Labels, f64)> {
        let names = self.names;
        self.values.into_iter().map(move |(labels, value)| (names.into_iter().zip(labels).collect(), value))
    }
}
