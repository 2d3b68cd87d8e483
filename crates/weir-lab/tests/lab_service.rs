//! The lab can tell a dying service from one that holds: the flood overwhelms the unprotected node, and does not when it is
//! filtered early. Weir's own runs stand on this.

mod common;

use std::time::Duration;

use common::{Nobody, skip};
use weir_lab::guard::Arm;
use weir_lab::run::{self, Options, Stage};
use weir_lab::scenario::Scenario;

#[test]
fn the_flood_kills_and_the_stand_in_saves() {
    if skip("the_flood_kills_and_the_stand_in_saves") {
        return;
    }
    let scenario = Scenario::named("syn-flood-spoofed").expect("a scenario");
    let stage = Stage::set("test", scenario).expect("a lab");
    // Three times what the node can take without help, or as many times that as a faster one cannot take.
    let (window, pps) = (Duration::from_secs(3), Some(350_000));
    let options = Options { window, pps, arm: Arm::StandIn, ..Options::default() };
    let report = run::play(&stage, scenario, options, &mut Nobody).expect("a run").report;
    stage.strike().expect("a clean end");

    assert!(report.bare_goodput > 490.0, "{report:?}");
    assert!(report.goodput_unprotected_ratio.is_some_and(|ratio| ratio < 0.5), "{report:?}");
    assert!(report.goodput_ratio > 0.9, "{report:?}");
    assert_eq!(report.attack_reached_pod, 0, "{report:?}");
    // Every packet is somewhere: dropped, or lost in the queue before.
    assert!(report.attack_unaccounted.unsigned_abs() < report.attack_sent / 1000, "{report:?}");
}
