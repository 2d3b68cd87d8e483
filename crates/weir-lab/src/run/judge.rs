//! Turns three acts into a report, and says in sentences what is not as it should be.

use std::time::SystemTime;

use weir_api::local::IncidentRow;
use weir_api::spec::Moment;

use super::{Act, HARDLY_HURT, Outcome, Protected};
use crate::report::{Acts, Report, percent};
use crate::scenario::Scenario;
use crate::weir;

/// What Weir finds by itself. It may find a flood that a policy holds back as well: its rules come before limits.
const BY_ITSELF: [&str; 2] = ["rule", "strangers"];
/// The service holds when customers keep so much of their goodput.
const HOLDS: f64 = 0.95;
/// Weir is to drop so much of what it sees of an attack …
const DROPPED: f64 = 0.98;
/// … and so few of the customers' packets.
const LOST: f64 = 0.001;
/// Rules are to be in force so soon after the first packet, ms.
const MITIGATED_MS: f64 = 1000.0;
/// A flood is to have so much of the rate that was asked for.
const REACHED: f64 = 0.9;
/// Packets that nobody has seen, and customers' among Weir's drops, may make up so much of the attack.
const UNACCOUNTED: f64 = 0.001;

/// What a run plays: the first two acts, and the third with Weir's account.
pub struct Played {
    pub alone: Act,
    pub unprotected: Option<Act>,
    pub protected: Protected,
}

pub fn outcome(scenario: &Scenario, pps: u64, played: Played) -> Outcome {
    let Played { alone, unprotected, protected } = played;
    let Protected { act, counters, expected, incidents, cpu_cores, rss_mib } = protected;
    let noticed = noticed(&incidents, act.began);
    let drops = weir::by_reason(&counters, "drop");
    let dropped: u64 = drops.values().sum();
    let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let bare = alone.figures.goodput;
    let (attack, counts) = (act.sent.frames, act.counts);
    let accounted = dropped + counts.others_received + counts.attackers_queued_out;
    let mut report = Report {
        scenario: scenario.name.to_owned(),
        offered_pps: act.sent.pps(),
        bare_goodput: bare,
        goodput_under_attack: act.figures.goodput,
        goodput_ratio: ratio(act.figures.goodput, bare),
        time_to_detect_ms: noticed.0,
        time_to_mitigate_ms: noticed.1,
        signatures: incidents.iter().flat_map(|row| &row.signatures).map(|signed| signed.rule.clone()).collect(),
        attack_drop_ratio: (attack > 0).then(|| ratio(dropped as f64, attack as f64)),
        benign_drop_ratio: ratio(counts.customers_dropped() as f64, counts.customers_sent as f64),
        agent_cpu_cores: cpu_cores,
        agent_rss_mib: rss_mib,
        goodput_unprotected: unprotected.as_ref().map(|act| act.figures.goodput),
        goodput_unprotected_ratio: unprotected.as_ref().map(|act| ratio(act.figures.goodput, bare)),
        wanted_pps: pps,
        attack_sent: attack,
        attack_reached_pod: counts.others_received,
        attack_lost_before_weir: counts.attackers_queued_out,
        attack_unaccounted: attack as i64 - accounted as i64,
        benign_sent: counts.customers_sent,
        benign_lost_before_weir: counts.customers_queued_out,
        drops,
        expected_reasons: expected,
        customers: Acts {
            alone: alone.figures,
            unprotected: unprotected.map(|act| act.figures),
            protected: act.figures,
        },
        ..Report::default()
    };
    report.findings = findings(&report);
    Outcome { report, counters }
}

/// Milliseconds from an attack's first packet until Weir noticed an attack, and until it had rules in force.
fn noticed(incidents: &[IncidentRow], began: Option<SystemTime>) -> (Option<f64>, Option<f64>) {
    let Some(began) = began else { return (None, None) };
    // Weir may have been the first to see the first packet: nobody told it that one comes.
    let after =
        |moment: Moment| Some(moment.to_system().duration_since(began).unwrap_or_default().as_secs_f64() * 1000.0);
    let attacks = || incidents.iter().filter(|row| row.label == "ATTACK");
    let first = |times: &mut dyn Iterator<Item = f64>| times.reduce(f64::min);
    let detected = first(&mut attacks().filter_map(|row| after(row.detected)));
    let mitigated = first(&mut attacks().filter_map(|row| row.mitigated.and_then(after)));
    (detected, mitigated)
}

fn findings(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |bad: bool, text: String| {
        if bad {
            found.push(text);
        }
    };
    let (offered, wanted) = (report.offered_pps, report.wanted_pps as f64);
    check(
        offered < wanted * REACHED,
        format!(
            "the flood reached only {offered:.0} of {wanted:.0} packets/s: something else uses its core, or the kernel for test runs of BPF programs"
        ),
    );
    let unprotected = report.goodput_unprotected_ratio.unwrap_or(0.0);
    check(
        unprotected > HARDLY_HURT,
        format!(
            "without Weir the service kept {}: the flood is too weak for this machine, raise --pps",
            percent(unprotected)
        ),
    );
    check(report.goodput_ratio < HOLDS, format!("with Weir the service kept only {}", percent(report.goodput_ratio)));
    // What a full queue lost before is neither Weir's merit nor its fault.
    let judged = report.attack_sent - report.attack_lost_before_weir.min(report.attack_sent);
    let passed = if judged > 0 { report.attack_reached_pod as f64 / judged as f64 } else { 0.0 };
    // Where Weir must find out by itself, what came before it had is judged by the time that it took.
    let own = |reason: &String| BY_ITSELF.contains(&reason.as_str());
    let by_itself = !report.expected_reasons.is_empty() && report.expected_reasons.iter().all(own);
    let early = report.time_to_mitigate_ms.filter(|_| by_itself).unwrap_or(0.0) / 1000.0 * offered;
    let early = if judged > 0 { (early / judged as f64).min(1.0) } else { 0.0 };
    check(by_itself && report.time_to_mitigate_ms.is_none(), "Weir noticed no attack".to_owned());
    let late = report.time_to_mitigate_ms.filter(|ms| by_itself && *ms > MITIGATED_MS);
    check(late.is_some(), format!("it took Weir {:.0} ms to have rules in force", late.unwrap_or(0.0)));
    check(
        passed - early > 1.0 - DROPPED,
        format!("Weir let {} of the attack packets pass that it saw", percent(passed)),
    );
    let lost = report.benign_drop_ratio;
    check(lost > LOST, format!("{} of the customers' packets were dropped", percent(lost)));
    let unknown = report.attack_unaccounted;
    check(
        unknown.unsigned_abs() as f64 > report.attack_sent as f64 * UNACCOUNTED,
        format!(
            "the counters disagree: {unknown} attack packets were neither dropped nor received nor lost in a queue"
        ),
    );
    for reason in report.drops.keys().filter(|reason| !own(reason) && !report.expected_reasons.contains(reason)) {
        check(true, format!("Weir dropped {} packets as {reason}, which was not expected", report.drops[reason]));
    }
    for reason in report.expected_reasons.iter().filter(|reason| !report.drops.contains_key(*reason)) {
        check(true, format!("Weir dropped nothing as {reason}, which was expected"));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_good_run_has_no_findings_and_a_bad_one_has_them_all() {
        let good = Report {
            goodput_ratio: 0.99,
            time_to_mitigate_ms: Some(200.0),
            goodput_unprotected_ratio: Some(0.1),
            attack_sent: 1000,
            attack_reached_pod: 1,
            drops: BTreeMap::from([("rule".to_owned(), 7)]),
            expected_reasons: vec!["rule".to_owned()],
            ..Report::default()
        };
        assert_eq!(findings(&good), Vec::<String>::new());
        let bad = Report {
            wanted_pps: 100,
            offered_pps: 50.0,
            goodput_ratio: 0.5,
            goodput_unprotected_ratio: Some(0.9),
            attack_reached_pod: 500,
            benign_drop_ratio: 0.01,
            attack_unaccounted: 8,
            time_to_mitigate_ms: Some(2000.0),
            drops: BTreeMap::from([("land".to_owned(), 7)]),
            ..good
        };
        assert_eq!(findings(&bad).len(), 9, "{:?}", findings(&bad));
    }
}
