//! Detection in the agent: counters and samples of a packet path in memory, and the rules that come into its tables.

mod common;

use std::fs;

use common::{SHOP, World, at};
use weir_agent::policy::load;

#[test]
fn a_flood_is_met_with_rules_that_outlive_a_new_policy_and_go_after_it() {
    let mut world = World::new();
    world.windows(10, 0);
    assert_eq!(world.incidents(), []);
    world.windows(1, 5000);
    let row = &world.incidents()[0];
    assert_eq!((row.vector.as_str(), row.label.as_str(), row.state.as_str()), ("SYN flood", "ATTACK", "Mitigating"));
    assert!(
        row.sources.spoofed && row.mitigated.is_some() && row.evidence[0].contains("without TCP options"),
        "{row:?}"
    );
    let told = "weir_incidents{target=\"host\",vector=\"SYN flood\",label=\"ATTACK\",state=\"Mitigating\"} 1.0";
    let metrics = weir_agent::metrics::text(&world.engine.view()).unwrap();
    assert!(metrics.lines().any(|line| line == told), "{metrics}");
    let (enforced, of_target) = world.rules();
    assert!(enforced > 0 && of_target.count_ones() == enforced);

    // A change of the policy compiles everything anew; the rules are still there.
    let files = world.dir.path().join("policy");
    fs::write(files.join("host.yaml"), SHOP.replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], ")).unwrap();
    let now = at(world.start, world.windows);
    world.engine.reload(load(&files), now);
    assert_eq!(world.engine.view().policy().generation, 2);
    assert_eq!(world.rules().0, enforced);

    world.windows(30, 5000);
    assert_eq!(world.incidents().len(), 1, "one incident, however long");
    // Half a minute of quiet, and what is in force goes in three steps of five seconds.
    world.windows(311, 0);
    let first = world.rules().0;
    assert!(world.incidents()[0].state == "Watching" && first <= enforced, "{first} of {enforced}");
    world.windows(50, 0);
    assert_eq!((world.incidents()[0].state.as_str(), world.rules().0), ("Watching", 0));
    world.windows(100, 0);
    assert_eq!((world.incidents()[0].state.as_str(), world.rules()), ("Ended", (0, 0)));
}

/// ACKs that no rule could tell from customers': connections go on, strangers are held back, also under a new policy.
#[test]
fn strangers_are_held_back_and_let_go() {
    let mut world = World::new();
    let strangers = |world: &World| world.kernel.state().image.as_ref().unwrap().policies[1].strangers;
    world.segments(100, 100, 0);
    world.segments(3, 100, 20_000);
    let row = &world.incidents()[0];
    assert_eq!(
        (row.vector.as_str(), row.state.as_str(), row.strays_packets_per_s),
        ("ACK flood", "Mitigating", Some(200))
    );
    assert!(row.mitigated.is_some() && row.evidence[0].contains("belong to no connection of the host"), "{row:?}");
    let held = strangers(&world);
    // One packet costs a 200th of a second, and a second's worth may come at once.
    assert!(held.cost != 0 && held.window == 200 * held.cost, "{held:?}");

    let files = world.dir.path().join("policy");
    fs::write(files.join("host.yaml"), SHOP.replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], ")).unwrap();
    world.engine.reload(load(&files), at(world.start, world.windows));
    assert_eq!(strangers(&world), held);

    // Half a minute of quiet, and the limit is twice as wide, four times, and gone.
    world.segments(311, 100, 0);
    assert_eq!((world.incidents()[0].state.as_str(), strangers(&world).cost), ("Watching", held.cost / 2));
    world.segments(50, 100, 0);
    assert_eq!((world.incidents()[0].state.as_str(), strangers(&world).cost), ("Watching", held.cost / 4));
    world.segments(100, 100, 0);
    assert_eq!((world.incidents()[0].state.as_str(), strangers(&world).cost), ("Ended", 0));
}

#[test]
fn what_piled_up_while_the_agent_was_busy_is_no_flood() {
    let mut world = World::new();
    world.windows(10, 1);
    // Two seconds without a tick, and their packets at once: in one window they would be proof.
    world.windows += 19;
    world.windows(1, 60);
    assert_eq!(world.incidents(), []);
    world.windows(1, 300);
    assert_eq!(world.incidents().len(), 1);
}

#[test]
fn rules_that_the_kernel_refused_are_tried_again() {
    let mut world = World::new();
    world.windows(10, 0);
    world.kernel.state().refuse = Some("no room".to_owned());
    world.windows(1, 5000);
    assert_eq!((world.rules().0, world.incidents()[0].mitigated), (0, None));
    world.kernel.state().refuse = None;
    world.windows(1, 5000);
    assert!(world.rules().0 > 0 && world.incidents()[0].mitigated.is_some());
}

#[test]
fn an_incident_ends_with_its_target() {
    let mut world = World::new();
    world.windows(10, 0);
    world.windows(1, 5000);
    let files = world.dir.path().join("policy");
    fs::write(files.join("host.yaml"), "").unwrap();
    world.engine.reload(load(&files), at(world.start, world.windows));
    world.windows(10, 0);
    assert_eq!(world.incidents()[0].state, "Ended");
}
