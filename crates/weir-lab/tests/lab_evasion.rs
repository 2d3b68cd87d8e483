//! What must not be taken for an attack, an attack by the book, and one that is spread so that no target sees much of it.

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Nobody, skip_without_weir};
use weir_lab::report::{Noticed, Report};
use weir_lab::run::{self, Options, Stage};
use weir_lab::scenario::Scenario;

fn play(name: &str) -> Report {
    play_for(name, 2)
}

fn play_for(name: &str, seconds: u64) -> Report {
    let scenario = Scenario::named(name).expect("a scenario");
    let stage = Stage::set("test", scenario).expect("a lab");
    let options = Options { window: Duration::from_secs(seconds), ..Options::default() };
    let report = run::play(&stage, scenario, options, &mut Nobody).expect("a run").report;
    stage.strike().expect("a clean end");
    report
}

/// One after the other: each wants the machine to itself.
#[test]
fn a_crowd_loses_nothing_a_botnet_gets_its_share_and_a_carpet_is_seen_through() {
    if skip_without_weir("a_crowd_loses_nothing_a_botnet_gets_its_share_and_a_carpet_is_seen_through") {
        return;
    }
    let crowd = play("flash-crowd");
    assert!(crowd.drops.is_empty() && crowd.benign_drop_ratio == 0.0, "{crowd:?}");
    assert!(!crowd.incidents.is_empty(), "a crowd is told: {crowd:?}");
    assert!(crowd.incidents.iter().all(|incident| incident.label == "SURGE"), "{crowd:?}");
    assert!(crowd.goodput_under_attack > 5.0 * crowd.bare_goodput, "there was a crowd: {crowd:?}");

    // Their packets are as good as customers', and their connections come about; they open too many.
    let hammers = play("http-flood");
    let flood = hammers.incidents.iter().find(|incident| incident.vector == "connection flood");
    assert!(flood.is_some_and(|flood| flood.label == "ATTACK" && flood.mitigated_ms.is_some()), "{hammers:?}");
    assert!(hammers.drops["source_connections"] > 1000 && hammers.benign_drop_ratio == 0.0, "{hammers:?}");
    assert!(hammers.goodput_ratio > 0.95, "{hammers:?}");
    // Who goes on asking gets nothing any more.
    assert!(hammers.drops["source_barred"] > 100, "{hammers:?}");

    // They say a line every three seconds: with the second one at the latest they are told, and closed with the next.
    let dawdlers = play_for("slowloris", 10);
    let slow = dawdlers.incidents.iter().find(|i| i.vector == "slow connections" && i.label == "ATTACK");
    assert!(slow.is_some_and(|slow| slow.mitigated_ms.is_some_and(|ms| ms < 8000.0)), "{dawdlers:?}");
    assert!(dawdlers.drops["kept_waiting"] > 100 && dawdlers.drops["dawdler"] > 100, "{dawdlers:?}");
    assert_eq!(dawdlers.benign_drop_ratio, 0.0, "{dawdlers:?}");

    let carpet = play("carpet-bombing");
    assert!(carpet.drops["rule"] > 100_000, "{carpet:?}");
    let answers = ["rule", "rule_limit", "strangers", "challenged", "challenge_answer", "challenge_answer_transmitted"];
    assert!(carpet.drops.keys().all(|reason| answers.contains(&reason.as_str())), "{carpet:?}");
    // No rule is about customers. A challenge that the full queue lost is one that a customer did not answer.
    assert!(carpet.benign_drop_ratio < 0.01, "{carpet:?}");
    let named = |incident: &Noticed| incident.targets.iter().chain([&incident.target]).cloned().collect::<Vec<_>>();
    let targets: BTreeSet<String> = carpet.incidents.iter().flat_map(named).collect();
    assert_eq!(targets.len(), 32, "each target is attacked: {carpet:?}");
}
