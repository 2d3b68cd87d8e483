//! Weir on the lab's node: customers alone lose nothing, floods are dropped for the right reason, and the agent's death in
//! the middle of one changes no verdict.

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use common::{Nobody, skip_without_weir};
use weir_lab::flood;
use weir_lab::run::{self, Options, Stage};
use weir_lab::scenario::Scenario;
use weir_lab::tally;
use weir_lab::weir::{self, Weir};

/// Each of these wants the machine to itself.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn customers_alone_lose_nothing() {
    if skip_without_weir("customers_alone_lose_nothing") {
        return;
    }
    let _alone = MACHINE.lock();
    let scenario = Scenario::named("benign-only").expect("a scenario");
    let stage = Stage::set("test", scenario).expect("a lab");
    let options = Options { window: Duration::from_secs(3), ..Options::default() };
    let report = run::play(&stage, scenario, options, &mut Nobody).expect("a run").report;
    stage.strike().expect("a clean end");
    assert!(report.drops.is_empty() && report.benign_drop_ratio == 0.0, "{report:?}");
    assert!(report.incidents.is_empty(), "{report:?}");
    assert!(report.goodput_ratio > 0.95, "{report:?}");
}

/// ACKs that look like customers', and a policy that says nothing of them: Weir must notice, and connections go on.
#[test]
fn a_flood_of_strangers_is_held_back_and_connections_go_on() {
    if skip_without_weir("a_flood_of_strangers_is_held_back_and_connections_go_on") {
        return;
    }
    let _alone = MACHINE.lock();
    let scenario = Scenario::named("ack-flood-unknown").expect("a scenario");
    let stage = Stage::set("test", scenario).expect("a lab");
    // Five times what the node can take without Weir, or as many times that as a faster one cannot take.
    let options = Options { window: Duration::from_secs(4), pps: Some(500_000), ..Options::default() };
    let report = run::play(&stage, scenario, options, &mut Nobody).expect("a run").report;
    stage.strike().expect("a clean end");
    assert!(report.drops["strangers"] > 100_000, "{report:?}");
    assert!(report.drops.keys().all(|reason| ["strangers", "rule"].contains(&reason.as_str())), "{report:?}");
    assert_eq!(report.benign_drop_ratio, 0.0, "{report:?}");
    assert!(report.goodput_unprotected_ratio.is_some_and(|ratio| ratio < 0.5), "{report:?}");
    assert!(report.goodput_ratio > 0.8, "{report:?}");
}

/// Datagrams beside customers' own, and pings that the target never got before: nobody has set a limit, and no handshake tells who is forged.
#[test]
fn floods_that_no_handshake_vouches_for_are_noticed_and_answered_at_once() {
    if skip_without_weir("floods_that_no_handshake_vouches_for_are_noticed_and_answered_at_once") {
        return;
    }
    let _alone = MACHINE.lock();
    for (name, vector) in [("udp-flood-unknown", "UDP flood"), ("icmp-flood-unknown", "ICMP flood")] {
        let scenario = Scenario::named(name).expect("a scenario");
        let stage = Stage::set("test", scenario).expect("a lab");
        let options = Options { window: Duration::from_secs(2), ..Options::default() };
        let report = run::play(&stage, scenario, options, &mut Nobody).expect("a run").report;
        stage.strike().expect("a clean end");
        let told = report.incidents.iter().map(|i| (i.vector.as_str(), i.label.as_str())).collect::<Vec<_>>();
        assert_eq!(told, [(vector, "ATTACK")], "{report:?}");
        assert!(report.time_to_mitigate_ms.is_some_and(|ms| ms < 1000.0), "{report:?}");
        assert!(report.drops.keys().eq(["rule"]) && report.drops["rule"] > 100_000, "{report:?}");
        assert_eq!(report.benign_drop_ratio, 0.0, "{report:?}");
        assert!(report.goodput_ratio > 0.8, "{report:?}");
    }
}

/// SYNs that nothing but an answer tells from customers': each is challenged, and every one of them is accounted for.
#[test]
fn every_stranger_is_challenged_and_customers_answer() {
    if skip_without_weir("every_stranger_is_challenged_and_customers_answer") {
        return;
    }
    let _alone = MACHINE.lock();
    let scenario = Scenario::named("syn-challenge").expect("a scenario");
    let stage = Stage::set("test", scenario).expect("a lab");
    let options = Options { window: Duration::from_secs(3), pps: Some(200_000), doublings: 0, ..Options::default() };
    let report = run::play(&stage, scenario, options, &mut Nobody).expect("a run").report;
    stage.strike().expect("a clean end");
    let challenged = report.drops["challenged"];
    assert!(challenged + report.attack_lost_before_weir >= report.attack_sent, "{report:?}");
    assert!(report.attack_unaccounted.unsigned_abs() < report.attack_sent / 1000, "{report:?}");
    assert_eq!(report.attack_reached_pod, 0, "{report:?}");
    // Once for each of their addresses; what a full queue loses of a challenge is a customer's packet that is gone.
    assert!(report.benign_challenged > 0 && report.benign_drop_ratio < 0.001, "{report:?}");
    assert!(report.goodput_ratio > 0.8, "{report:?}");
}

#[test]
fn a_killed_agent_changes_no_verdict() {
    if skip_without_weir("a_killed_agent_changes_no_verdict") {
        return;
    }
    let _alone = MACHINE.lock();
    let scenario = Scenario::named("deny-list").expect("a scenario");
    let stage = Stage::set("test", scenario).expect("a lab");
    let lab = stage.lab();
    let clean = programs_on_the_uplink(lab.layout().node.name());
    let weir = Weir::start(lab, &(scenario.policy)()).expect("Weir runs");
    weir_lab::customers::wait_until_served(lab).expect("service");

    let before = tally::read(lab).expect("counts");
    stage.customers().begin();
    let bounded = scenario.flood(100_000, Duration::from_secs(60)).expect("a flood");
    let attack = flood::start(lab, bounded, 1).expect("it starts");
    let more = |packets: u64| {
        let goal = attack.so_far() + packets;
        common::until("the flood goes on", || attack.so_far() >= goal);
    };
    more(100_000);
    let killed = weir.kill().expect("it was alive");
    more(100_000);
    let weir = killed.restart(lab).expect("it comes back");
    more(100_000);
    let sent = attack.stop().expect("it stops");
    stage.customers().pause().expect("the last answers");
    let counts = tally::read(lab).expect("counts") - before;

    assert_eq!(counts.others_received, 0, "attack packets that entered the pod, of {}", sent.frames);
    // The tables, and the counters in them, outlived the agent: every frame is accounted for.
    let counters = weir.settled_counters().expect("counters");
    let dropped = weir::by_reason(&counters, "drop");
    assert_eq!(counts.customers_dropped(), 0, "customers' packets that were dropped: {counts:?} {dropped:?}");
    assert_eq!(dropped.keys().collect::<Vec<_>>(), ["target_deny_list"]);
    assert_eq!(dropped["target_deny_list"] + counts.attackers_queued_out, sent.frames);

    weir.stop().expect("a graceful end");
    assert_ne!(programs_on_the_uplink(lab.layout().node.name()), clean, "the kernel goes on without the agent");
    Weir::detach(lab).expect("it leaves");
    assert_eq!(programs_on_the_uplink(lab.layout().node.name()), clean, "and leaves nothing");
    assert!(!Path::new(&lab.dir().join("bpf/weir")).exists());
    stage.strike().expect("a clean end");
}

/// What `ip` says of programs on the uplink.
fn programs_on_the_uplink(node: &str) -> String {
    let output = Command::new("ip").args(["-n", node, "-d", "link", "show", "up0"]).output().expect("ip");
    let text = String::from_utf8(output.stdout).expect("text");
    let about_programs = |word: &&str| word.starts_with("xdp") || word.starts_with("prog");
    text.split_whitespace().filter(about_programs).collect::<Vec<_>>().join(" ")
}
