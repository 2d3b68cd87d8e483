//! What a run came to: the object that others may script against, and a table for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::bots::Done;
use crate::customers::Figures;

/// Incidents in a table: a carpet has dozens.
const INCIDENTS: usize = 8;

/// The result of `weir-lab run`. Field names are stable; new ones may be added.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// Who protected the node: `weir`, `none`, `seed-like`, `stand-in`.
    pub arm: String,
    /// What is asked of Weir here: `stop` the attack, `serve` customers as before, or do `no_harm`.
    pub asked: String,
    /// Packets a second that the attackers sent, of several floods the last one's.
    pub offered_pps: f64,
    /// Customers' right answers a second, without a flood.
    pub bare_goodput: f64,
    /// The same under the flood, with Weir.
    pub goodput_under_attack: f64,
    /// The second over the first; of a crowd, over what the same crowd gets without Weir.
    pub goodput_ratio: f64,
    /// From the first attack packet to its detection, of several kinds the first's.
    pub time_to_detect_ms: Option<f64>,
    /// From the first attack packet until rules or limits against it were in the kernel, of several kinds the last's.
    pub time_to_mitigate_ms: Option<f64>,
    /// From the first attack packet until the pod received hardly any more (2 % of the flood's rate above twice what customers
    /// usually send, in any 20 ms): what the victim saw, whoever protects it. `null` where that never came; of steady floods only.
    pub time_to_quiet_ms: Option<f64>,
    /// The longest time to quiet of a pulse whose kind had come before.
    pub rearm_ms: Option<f64>,
    /// Packets that Weir dropped over packets that the attackers sent; `null` without an attack.
    pub attack_drop_ratio: Option<f64>,
    /// From when an answer was in force: attack packets that did not reach the pod over those that were sent and not lost in a full
    /// queue, by the first counters that were read afterwards. Of pulses, those whose kind had come before. `null` where there
    /// was no answer.
    pub attack_drop_ratio_mitigated: Option<f64>,
    /// Customers' packets that Weir dropped over those sent: all that neither reached the pod nor were lost in a full queue, nor
    /// are in `benign_challenged`.
    pub benign_drop_ratio: f64,
    /// Customers' packets that were their part of a challenge: the SYN that was answered in the pod's place, and their system's
    /// answer to that. So many of those as were answered, and for each customer's address once at most: what else a challenge
    /// takes from customers is counted as dropped.
    pub benign_challenged: u64,
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
    /// Attackers with connections of their own: what those came to.
    pub connections: Option<Done>,
    /// What Weir noticed, the first first.
    pub incidents: Vec<Noticed>,
    /// The pulses of a pulse wave.
    pub pulses: Vec<Pulse>,
    /// Weir's drops by reason.
    pub drops: BTreeMap<String, u64>,
    /// Reasons that the scenario expects.
    pub expected_reasons: Vec<String>,
    /// What is not as it should be, in sentences; empty when all is well.
    pub findings: Vec<String>,
    /// The customers' figures in detail.
    pub customers: Acts<Figures>,
}

/// An incident, in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Noticed {
    /// The target's name.
    pub target: String,
    /// The names of all targets, where it is an attack on several at once.
    pub targets: Vec<String>,
    /// What operators call it.
    pub vector: String,
    /// `ATTACK` or `SURGE`.
    pub label: String,
    /// Milliseconds after the first attack packet.
    pub detected_ms: f64,
    /// The same, until the answer was in the kernel.
    pub mitigated_ms: Option<f64>,
    /// Milliseconds after the first attack packet until SYNs were challenged.
    pub challenged_ms: Option<f64>,
    /// Rules that were written.
    pub rules: usize,
    /// Of these, those that may drop; the others count.
    pub dropping: usize,
    /// Packets a second that strangers were held to.
    pub strays_packets_per_s: Option<u64>,
    /// What each detector saw, in words.
    pub evidence: Vec<String>,
}

/// One pulse.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pulse {
    /// Its kinds of packets.
    pub kinds: String,
    /// Whether those had come in an earlier pulse.
    pub known: bool,
    /// Packets sent.
    pub sent: u64,
    /// Of these, those that entered the pod; `null` where nobody could read that in time.
    pub reached: Option<u64>,
    /// Of these, those lost in the uplink's full queue.
    pub lost_before: Option<u64>,
    /// From its first packet until the pod received hardly any; `null` where that never came.
    pub time_to_quiet_ms: Option<f64>,
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
        let ms = |time: Option<f64>| time.map_or_else(|| "never".to_owned(), |ms| format!("{ms:.0} ms"));
        row("scenario", self.scenario.clone());
        row("protected by", self.arm.clone());
        if self.wanted_pps > 0 {
            row("flood", format!("{:.0} packets/s", self.offered_pps));
        }
        if let Some(done) = self.connections {
            let Done { connected, refused, answered, open } = done;
            row("attackers' connections", format!("{connected}, {refused} refused, {open} open at the end"));
            row("attackers' requests answered", answered.to_string());
        }
        row("goodput without flood", format!("{:.0} answers/s", self.bare_goodput));
        if let (Some(goodput), Some(ratio)) = (self.goodput_unprotected, self.goodput_unprotected_ratio) {
            row("goodput under flood, without Weir", format!("{goodput:.0} answers/s ({})", percent(ratio)));
        }
        let with_weir = format!("{:.0} answers/s ({})", self.goodput_under_attack, percent(self.goodput_ratio));
        row("goodput under flood, with Weir", with_weir);
        if let Some(ratio) = self.attack_drop_ratio {
            row("attack packets sent", self.attack_sent.to_string());
            row("dropped", percent(ratio));
            if let Some(ratio) = self.attack_drop_ratio_mitigated {
                row("stopped, with an answer in force", percent(ratio));
            }
            row("noticed after", ms(self.time_to_detect_ms));
            row("answered after", ms(self.time_to_mitigate_ms));
            if self.time_to_quiet_ms.is_some() {
                row("the pod had quiet after", ms(self.time_to_quiet_ms));
            }
            row("entered the pod", self.attack_reached_pod.to_string());
            row("lost before Weir", self.attack_lost_before_weir.to_string());
        }
        row("customers' packets dropped", percent(self.benign_drop_ratio));
        row("and part of a challenge", self.benign_challenged.to_string());
        row("lost before Weir", self.benign_lost_before_weir.to_string());
        row("Weir's user space", format!("{:.2} cores, {:.0} MiB", self.agent_cpu_cores, self.agent_rss_mib));
        for pulse in &self.pulses {
            let known = if pulse.known { ", known" } else { "" };
            let reached = pulse.reached.map_or_else(|| "?".to_owned(), |reached| reached.to_string());
            let quiet = ms(pulse.time_to_quiet_ms);
            row(
                "pulse",
                format!("{} ({reached} of {} into the pod, quiet after {quiet}{known})", pulse.kinds, pulse.sent),
            );
        }
        for noticed in self.incidents.iter().take(INCIDENTS) {
            let Noticed { target, targets, vector, label, detected_ms, mitigated_ms, rules, dropping, .. } = noticed;
            let answered = ms(*mitigated_ms);
            let more = if targets.len() > 1 { format!(" and {} more", targets.len() - 1) } else { String::new() };
            let at = format!("{label} {vector} at {target}{more}: {detected_ms:.0} ms, answered {answered}");
            row("incident", format!("{at}, {rules} rules, of which {dropping} may drop"));
        }
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
            "arm",
            "attack_drop_ratio_mitigated",
            "time_to_quiet_ms",
            "rearm_ms",
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
