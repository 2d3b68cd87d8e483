//! Turns three acts into a report, and says in sentences what is not as it should be.

use std::collections::BTreeMap;

use super::{HARDLY_HURT, Outcome, Protected, Rehearsal, timing};
use crate::guard::Arm;
use crate::report::{Acts, Report, percent};
use crate::scenario::{Asks, Attack, Scenario};
use crate::tally::Counts;
use crate::weir;

/// What Weir finds by itself. It may find a flood that a policy holds back as well: its rules come before limits.
pub const BY_ITSELF: [&str; 4] = ["rule", "rule_limit", "strangers", "challenged"];
/// What machines with connections of their own may meet that no policy asked for.
const SHARES: [&str; 4] = ["source_connections", "source_barred", "kept_waiting", "dawdler"];
/// Customers' systems answer challenges, and those answers go no further.
const ANSWERS: [&str; 2] = ["challenge_answer", "challenge_answer_transmitted"];
/// Packets of a challenge that is answered: the SYN, and the answer.
const EXCHANGE: u64 = 2;
/// The service holds when customers keep so much of their goodput.
pub const HOLDS: f64 = 0.95;
/// Weir is to drop so much of what it sees of an attack …
pub const DROPPED: f64 = 0.98;
/// … and so few of the customers' packets.
pub const LOST: f64 = 0.001;
/// Rules are to be in force so soon after the first packet, ms.
pub const MITIGATED_MS: f64 = 1000.0;
/// And so soon after that of a pulse of a known kind.
pub const REARMED_MS: f64 = 200.0;
/// A flood is to have so much of the rate that was asked for.
const REACHED: f64 = 0.9;
/// Packets that nobody has seen, and customers' among Weir's drops, may make up so much of the attack.
const UNACCOUNTED: f64 = 0.001;
/// Or be so many, in a small one.
const A_FEW: f64 = 5.0;
/// Where Weir is to do no harm, customers may have so much less of their goodput than without it: no two floods are alike.
const ALIKE: f64 = 0.1;
/// The reason of what arrives as its sender's reset.
const RESET: &str = "kept_waiting";
/// The label of many customers.
const SURGE: &str = "SURGE";

pub fn outcome(scenario: &Scenario, arm: Arm, rehearsal: &Rehearsal, protected: Protected) -> Outcome {
    let Protected { act, counters, expected, incidents, cpu_cores, rss_mib } = protected;
    let Rehearsal { alone, unprotected, pps } = rehearsal;
    let noticed = timing::noticed(&incidents, act.began);
    let (detected, mitigated) = timing::first_and_last(&noticed);
    let drops = weir::by_reason(&counters, "drop");
    let dropped: u64 = drops.values().sum();
    let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let bare = alone.figures.goodput;
    let unhurt = match (scenario.attack, unprotected) {
        (Attack::Surge(_), Some(act)) => act.figures.goodput,
        _ => bare,
    };
    let attack = if act.bots.is_some() { act.counts.bots_sent } else { act.sent.frames };
    let counts = act.counts;
    let challenged = challenged(scenario, &drops, counts);
    // Weir says to the pod in their clients' name that these connections are over: nothing that they sent arrives.
    let resets = drops.get(RESET).copied().unwrap_or(0);
    let reached = counts.others_received.saturating_sub(resets);
    let accounted = dropped + reached + counts.attackers_queued_out;
    let offered = act.stretches.last().map_or(0.0, |stretch| stretch.pps);
    let level = timing::loud(rehearsal, offered);
    let pulses = if matches!(scenario.attack, Attack::Pulses(_)) { timing::pulses(&act, level) } else { Vec::new() };
    let steady = act.stretches.first().filter(|_| act.stretches.len() == 1 && scenario.overwhelms());
    let quiet = steady.and_then(|stretch| timing::quiet(&act, stretch, level));
    // Nobody drops anything where nobody is; whoever must notice and does not has never mitigated.
    let by_itself = arm == Arm::Weir && scenario.is_noticed();
    let mitigated_ratio = match scenario.attack {
        Attack::None | Attack::Surge(_) => None,
        Attack::Pulses(_) => timing::stopped_of_known(&pulses),
        _ if arm == Arm::None || by_itself && mitigated.is_none() => None,
        _ => timing::stopped_after(&act, mitigated, resets),
    };
    let mut report = Report {
        scenario: scenario.name.to_owned(),
        arm: arm.name().to_owned(),
        asked: scenario.asks.label().to_owned(),
        offered_pps: offered,
        bare_goodput: bare,
        goodput_under_attack: act.figures.goodput,
        goodput_ratio: ratio(act.figures.goodput, unhurt),
        time_to_detect_ms: detected,
        time_to_mitigate_ms: mitigated,
        time_to_quiet_ms: quiet,
        rearm_ms: timing::rearm(&pulses),
        pulses,
        signatures: incidents.iter().flat_map(|row| &row.signatures).map(|signed| signed.rule.clone()).collect(),
        incidents: noticed,
        attack_drop_ratio: (attack > 0).then(|| ratio(dropped as f64, attack as f64)),
        attack_drop_ratio_mitigated: mitigated_ratio,
        benign_drop_ratio: ratio((counts.customers_dropped() - challenged) as f64, counts.customers_sent as f64),
        benign_challenged: challenged,
        agent_cpu_cores: cpu_cores,
        agent_rss_mib: rss_mib,
        goodput_unprotected: unprotected.as_ref().map(|act| act.figures.goodput),
        goodput_unprotected_ratio: unprotected.as_ref().map(|act| ratio(act.figures.goodput, bare)),
        wanted_pps: *pps,
        attack_sent: attack,
        attack_reached_pod: reached,
        attack_lost_before_weir: counts.attackers_queued_out,
        attack_unaccounted: attack as i64 - accounted as i64,
        benign_sent: counts.customers_sent,
        benign_lost_before_weir: counts.customers_queued_out,
        connections: act.bots,
        drops,
        expected_reasons: expected,
        customers: Acts {
            alone: alone.figures.clone(),
            unprotected: unprotected.as_ref().map(|act| act.figures.clone()),
            protected: act.figures,
        },
        ..Report::default()
    };
    // Whoever stands beside Weir is measured, not judged.
    if matches!(arm, Arm::Weir | Arm::StandIn) {
        report.findings = findings(scenario, by_itself, &report);
    }
    Outcome { report, counters }
}

/// Customers' packets that were part of a challenge. Every address of theirs has to answer one; machines with connections of their
/// own answer as well, and what is more than customers can have sent is theirs.
fn challenged(scenario: &Scenario, drops: &BTreeMap<String, u64>, counts: Counts) -> u64 {
    let answers: u64 = ANSWERS.iter().filter_map(|reason| drops.get(*reason)).sum();
    let addresses = 2 * u64::from(scenario.shape().customers);
    (EXCHANGE * answers.min(addresses)).min(counts.customers_dropped())
}

fn findings(scenario: &Scenario, by_itself: bool, report: &Report) -> Vec<String> {
    let mut found = if scenario.attacks() { Vec::new() } else { false_alarms(scenario, report) };
    let mut check = |bad: bool, text: String| {
        if bad {
            found.push(text);
        }
    };
    let (stops, serves) = (scenario.asks == Asks::Stop, scenario.asks.serves());
    let (offered, wanted) = (report.offered_pps, report.wanted_pps as f64);
    check(
        offered < wanted * REACHED,
        format!(
            "the flood reached only {offered:.0} of {wanted:.0} packets/s: something else uses its core, or the kernel for test runs of BPF programs"
        ),
    );
    let unprotected = report.goodput_unprotected_ratio.unwrap_or(0.0);
    check(
        scenario.overwhelms() && unprotected > HARDLY_HURT,
        format!(
            "without Weir the service kept {}: the flood is too weak for this machine, raise --pps",
            percent(unprotected)
        ),
    );
    let kept = report.goodput_ratio;
    check(serves && kept < HOLDS, format!("with Weir the service kept only {}", percent(kept)));
    // Where nothing was dropped, it is the attack that was another one.
    check(
        !serves && !report.drops.is_empty() && kept < unprotected - ALIKE,
        format!("with Weir the service kept {}, without it {}", percent(kept), percent(unprotected)),
    );
    check(serves && by_itself && report.time_to_mitigate_ms.is_none(), "Weir noticed no attack".to_owned());
    let late = report.time_to_mitigate_ms.filter(|ms| serves && by_itself && *ms > MITIGATED_MS);
    check(late.is_some(), format!("it took Weir {:.0} ms to have rules in force", late.unwrap_or(0.0)));
    let dropped = report.attack_drop_ratio_mitigated.unwrap_or(1.0);
    check(
        stops && dropped < DROPPED,
        format!("once it had an answer Weir still let {} of the attack packets pass", percent(1.0 - dropped)),
    );
    if !report.pulses.is_empty() {
        match report.rearm_ms {
            None => check(true, "a pulse of a kind that had come before arrived all the same".to_owned()),
            Some(ms) => check(ms > REARMED_MS, format!("it took {ms:.0} ms until a known pulse was stopped")),
        }
    }
    let lost = report.benign_drop_ratio;
    check(lost > LOST, format!("{} of the customers' packets were dropped", percent(lost)));
    let unknown = report.attack_unaccounted;
    // What the queue lost of real connections cannot be told from what it lost of customers'.
    check(
        report.connections.is_none()
            && unknown.unsigned_abs() as f64 > (report.attack_sent as f64 * UNACCOUNTED).max(A_FEW),
        format!(
            "the counters disagree: {unknown} attack packets were neither dropped nor received nor lost in a queue"
        ),
    );
    let challenges = |reason: &String| ANSWERS.contains(&reason.as_str()) && report.drops.contains_key("challenged");
    let shares = |reason: &String| matches!(scenario.attack, Attack::Bots(_)) && SHARES.contains(&reason.as_str());
    let by_itself = |reason: &String| scenario.attacks() && BY_ITSELF.contains(&reason.as_str());
    let own = |reason: &String| by_itself(reason) || shares(reason) || challenges(reason);
    for reason in report.drops.keys().filter(|reason| !own(reason) && !report.expected_reasons.contains(reason)) {
        check(true, format!("Weir dropped {} packets as {reason}, which was not expected", report.drops[reason]));
    }
    for reason in report.expected_reasons.iter().filter(|reason| !report.drops.contains_key(*reason)) {
        check(true, format!("Weir dropped nothing as {reason}, which was expected"));
    }
    found
}

/// What Weir said of customers that is not so. A crowd is a surge; usual customers are nothing.
fn false_alarms(scenario: &Scenario, report: &Report) -> Vec<String> {
    let crowd = scenario.happens();
    let mut found = Vec::new();
    for row in report.incidents.iter().filter(|row| !crowd || row.label != SURGE) {
        found.push(format!("Weir told {} where only customers came: {} at {}", row.label, row.vector, row.target));
    }
    if crowd && report.arm == Arm::Weir.name() && report.incidents.is_empty() {
        found.push("Weir did not tell that more customers came than usual".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Noticed, Pulse};

    fn findings_of(name: &str, report: &Report) -> Vec<String> {
        let scenario = Scenario::named(name).expect("a scenario");
        findings(scenario, scenario.is_noticed(), report)
    }

    #[test]
    fn a_good_run_has_no_findings_and_a_bad_one_has_them_all() {
        let good = Report {
            goodput_ratio: 0.99,
            time_to_mitigate_ms: Some(200.0),
            goodput_unprotected_ratio: Some(0.1),
            attack_sent: 10_000,
            attack_reached_pod: 10,
            attack_drop_ratio_mitigated: Some(0.999),
            drops: BTreeMap::from([("rule".to_owned(), 7)]),
            expected_reasons: vec!["rule".to_owned()],
            ..Report::default()
        };
        assert_eq!(findings_of("syn-flood-unknown", &good), Vec::<String>::new());
        let bad = Report {
            wanted_pps: 100,
            offered_pps: 50.0,
            goodput_ratio: 0.5,
            goodput_unprotected_ratio: Some(0.9),
            attack_drop_ratio_mitigated: Some(0.5),
            benign_drop_ratio: 0.01,
            attack_unaccounted: 80,
            time_to_mitigate_ms: Some(2000.0),
            drops: BTreeMap::from([("land".to_owned(), 7)]),
            ..good.clone()
        };
        let found = findings_of("syn-flood-unknown", &bad);
        assert_eq!(found.len(), 9, "{found:?}");
        let never = Report { time_to_mitigate_ms: None, ..good };
        assert_eq!(findings_of("syn-flood-unknown", &never), ["Weir noticed no attack"]);
    }

    #[test]
    fn what_cannot_be_stopped_must_not_be_made_worse() {
        let report = Report { goodput_ratio: 0.05, goodput_unprotected_ratio: Some(0.1), ..Report::default() };
        assert_eq!(findings_of("mimicry", &report), Vec::<String>::new());
        let drops = BTreeMap::from([("rule".to_owned(), 7)]);
        let worse = Report { goodput_unprotected_ratio: Some(0.5), ..report };
        assert_eq!(findings_of("mimicry", &worse), Vec::<String>::new(), "Weir did nothing");
        assert_eq!(findings_of("mimicry", &Report { drops, ..worse }).len(), 1);
    }

    #[test]
    fn what_customers_answer_is_no_loss_but_the_rest_is() {
        let scenario = Scenario::named("syn-challenge").expect("a scenario");
        let counts = |lost: u64| Counts { customers_sent: 1000, customers_received: 1000 - lost, ..Counts::default() };
        let drops = |answers: u64| {
            BTreeMap::from([
                ("challenge_answer".to_owned(), 1),
                ("challenge_answer_transmitted".to_owned(), answers - 1),
            ])
        };
        assert_eq!(challenged(scenario, &drops(100), counts(200)), 200, "a SYN and an answer each");
        assert_eq!(challenged(scenario, &drops(100), counts(250)), 200, "and some that were not answered");
        assert_eq!(challenged(scenario, &drops(300), counts(900)), 256, "128 addresses, each once");
        assert_eq!(challenged(scenario, &drops(100), counts(150)), 150, "never more than were lost");
        assert_eq!(challenged(scenario, &BTreeMap::new(), counts(50)), 0);
    }

    #[test]
    fn a_crowd_is_a_surge_and_loses_nothing() {
        let surge = |label: &str| Noticed { label: label.to_owned(), ..Noticed::default() };
        let arm = Arm::Weir.name().to_owned();
        let good = Report { arm, goodput_ratio: 1.0, incidents: vec![surge("SURGE")], ..Report::default() };
        assert_eq!(findings_of("flash-crowd", &good), Vec::<String>::new());
        let drops = BTreeMap::from([("rule".to_owned(), 1)]);
        let bad = Report { incidents: vec![surge("ATTACK")], drops, ..good.clone() };
        assert_eq!(findings_of("flash-crowd", &bad).len(), 2, "an attack, and a drop");
        assert_eq!(findings_of("benign-only", &good).len(), 1, "nobody came");
        let unseen = Report { incidents: Vec::new(), ..good };
        assert_eq!(findings_of("flash-crowd", &unseen), ["Weir did not tell that more customers came than usual"]);
        assert_eq!(findings_of("benign-only", &unseen), Vec::<String>::new());
    }

    #[test]
    fn known_pulses_are_stopped_at_once() {
        let good = Report {
            goodput_ratio: 1.0,
            time_to_mitigate_ms: Some(200.0),
            rearm_ms: Some(20.0),
            pulses: vec![Pulse::default()],
            drops: BTreeMap::from([("rule".to_owned(), 7)]),
            ..Report::default()
        };
        assert_eq!(findings_of("pulse-wave", &good), Vec::<String>::new());
        assert_eq!(findings_of("pulse-wave", &Report { rearm_ms: Some(300.0), ..good.clone() }).len(), 1);
        assert_eq!(findings_of("pulse-wave", &Report { rearm_ms: None, ..good }).len(), 1);
    }
}
