//! What a run came to: the object that others may script against, and a table for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::customers::Figures;

/// The result of `weir-lab run`. Field names are stable; new ones may be added.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// Packets a second that the attackers sent.
    pub offered_pps: f64,
    /// Customers' right answers a second, without a flood.
    pub bare_goodput: f64,
    /// The same under the flood, with Weir.
    pub goodput_under_attack: f64,
    /// The second over the first.
    pub goodput_ratio: f64,
    /// From the first attack packet to its detection.
    pub time_to_detect_ms: Option<f64>,
    /// From the first attack packet to the first effective drop.
    pub time_to_mitigate_ms: Option<f64>,
    /// Packets that Weir dropped over packets that the attackers sent; `null` without an attack.
    pub attack_drop_ratio: Option<f64>,
    /// Customers' packets that Weir dropped over those sent: all that neither reached the pod nor were lost in a full queue.
    pub benign_drop_ratio: f64,
    /// Cores that Weir's user space used under the flood.
    pub agent_cpu_cores: f64,
    /// Its memory then.
    pub agent_rss_mib: f64,
    /// Filters that Weir wrote by itself.
    pub signatures: Vec<String>,
    /// Customers' right answers a second under the flood, without Weir; `null` without an attack.
    pub goodput_unprotected: Option<f64>,
    /// The same over the goodput without a flood.
    pub goodput_unprotected_ratio: Option<f64>,
    /// Packets a second that they were to send.
    pub wanted_pps: u64,
    /// Attack packets sent while Weir ran.
    pub attack_sent: u64,
    /// Of these, those that entered the pod.
    pub attack_reached_pod: u64,
    /// Of these, those lost in the uplink's full queue before Weir saw them.
    pub attack_lost_before_weir: u64,
    /// Attack packets sent that were neither dropped nor reached the pod nor were lost in the queue: how far the counts of
    /// sender, Weir, pod and queue disagree.
    pub attack_unaccounted: i64,
    /// Customers' packets sent while Weir ran.
    pub benign_sent: u64,
    /// Of these, those lost in the uplink's full queue before Weir saw them.
    pub benign_lost_before_weir: u64,
    /// Weir's drops by reason.
    pub drops: BTreeMap<String, u64>,
    /// Reasons that the scenario expects.
    pub expected_reasons: Vec<String>,
    /// What is not as it should be, in sentences; empty when all is well.
    pub findings: Vec<String>,
    /// The customers' figures in detail.
    pub customers: Acts<Figures>,
}

/// Something of each act of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Acts<T> {
    /// Without a flood.
    pub alone: T,
    /// Under the flood, without Weir.
    pub unprotected: Option<T>,
    /// Under the flood, with Weir.
    pub protected: T,
}

impl Report {
    /// As a table.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(out, "{name:34}{value}");
        };
        row("scenario", self.scenario.clone());
        row("flood", format!("{:.0} packets/s", self.offered_pps));
        row("goodput without flood", format!("{:.0} answers/s", self.bare_goodput));
        if let (Some(goodput), Some(ratio)) = (self.goodput_unprotected, self.goodput_unprotected_ratio) {
            row("goodput under flood, without Weir", format!("{goodput:.0} answers/s ({})", percent(ratio)));
        }
        let with_weir = format!("{:.0} answers/s ({})", self.goodput_under_attack, percent(self.goodput_ratio));
        row("goodput under flood, with Weir", with_weir);
        if let Some(ratio) = self.attack_drop_ratio {
            row("attack packets sent", self.attack_sent.to_string());
            row("dropped by Weir", percent(ratio));
            row("entered the pod", self.attack_reached_pod.to_string());
            row("lost before Weir", self.attack_lost_before_weir.to_string());
        }
        row("customers' packets dropped", percent(self.benign_drop_ratio));
        row("lost before Weir", self.benign_lost_before_weir.to_string());
        row("Weir's user space", format!("{:.2} cores, {:.0} MiB", self.agent_cpu_cores, self.agent_rss_mib));
        for (reason, packets) in &self.drops {
            row(&format!("dropped as {reason}"), packets.to_string());
        }
        for finding in &self.findings {
            row("finding", finding.clone());
        }
        out
    }
}

/// A share as people read it: small ones keep their digits.
pub fn percent(ratio: f64) -> String {
    let digits = if ratio > 0.0 && ratio < 0.01 { 3 } else { 1 };
    format!("{:.digits$} %", ratio * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_has_all_its_fields() {
        let json = serde_json::to_value(Report::default()).expect("JSON");
        for field in [
            "scenario",
            "offered_pps",
            "bare_goodput",
            "goodput_under_attack",
            "goodput_ratio",
            "time_to_detect_ms",
            "time_to_mitigate_ms",
            "attack_drop_ratio",
            "benign_drop_ratio",
            "agent_cpu_cores",
            "agent_rss_mib",
            "signatures",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert!(json["time_to_detect_ms"].is_null());
    }

    #[test]
    fn shares_read_well() {
        assert_eq!(
            (percent(0.9987), percent(0.00034), percent(0.0)),
            ("99.9 %".into(), "0.034 %".into(), "0.0 %".into())
        );
    }
}
