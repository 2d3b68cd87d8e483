//! People have the last word on incidents' rules: what they say is done at once, stays over a new policy, and ends with the incident.

mod common;

use common::{SHOP, World, frame};
use weir_abi::counters::{feature_slot, kind};
use weir_agent::engine::Refusal;
use weir_api::local::{RuleAction, RuleRow, Ruling, Standing};

/// A name server's answers that nobody asked for, after so many sampled packets of customers that a rule's harm is known to be below
/// half a percent, and no better.
fn reflection(policy: &str) -> World {
    let mut world = World::with(policy);
    let customer = |n: u32| frame(6, (40_000 + n % 9_000) as u16, 443, 52 + (n % 7) as u8, 20 + n % 90, n);
    world.send(110, feature_slot(kind::TCP, true, false), 10, customer);
    attack(&mut world, 12);
    world
}

fn attack(world: &mut World, n: u32) {
    let answer = |n: u32| frame(17, 53, (1024 + n % 60_000) as u16, 244, 1200, n);
    world.send(n, feature_slot(kind::UDP_REFLECTION, false, false), 4000, answer);
}

fn row(world: &World, id: &str) -> RuleRow {
    let rows = world.rule_rows();
    rows.iter().find(|row| row.id == id).cloned().unwrap_or_else(|| panic!("no {id} in {rows:?}"))
}

fn say(world: &mut World, id: &str, ruling: Ruling) -> Result<RuleRow, String> {
    let now = world.now();
    world.engine.rule(id, ruling, Some(1000), now).map_err(|refusal| {
        assert!(matches!(refusal, Refusal::Unknown(_) | Refusal::Unwise(_) | Refusal::Failed(_)));
        refusal.to_string()
    })
}

#[test]
fn a_rule_that_only_limits_may_be_approved() {
    let mut world = reflection(SHOP);
    let before = row(&world, "1.1");
    assert_eq!((before.action, before.standing), (RuleAction::Limit, Standing::InForce));
    assert_eq!(before.why, "too little is known of customers to drop by it");
    let limit = row(&world, "1.regular");
    assert_eq!(limit.rule, format!("{}, of sources that do not come regularly, over 200 per second", before.rule));
    assert_eq!(world.rules().0, 0);

    let said = say(&mut world, "1.1", Ruling::Approved).unwrap();
    assert_eq!(
        (said.action, said.standing, said.why.as_str()),
        (RuleAction::Drop, Standing::InForce, "a person approved it")
    );
    let ruling = said.ruling.unwrap();
    assert_eq!((ruling.ruling, ruling.by_uid), (Ruling::Approved, Some(1000)));
    assert_eq!(ruling.at.to_system(), world.now().wall);
    let (enforced, of_target) = world.rules();
    assert!(enforced > 0 && of_target.count_ones() == enforced);
    let step = world.incidents()[0].steps.last().cloned().unwrap();
    assert_eq!(
        (step.step.as_str(), &step.text[..]),
        ("approved", "rule 1.1 approved by uid 1000: it drops as long as the incident lasts")
    );
    assert_eq!(world.incidents()[0].signatures[0].ruling, Some(ruling));

    // It outlives a new policy, and ends with the incident.
    world.reload(&SHOP.replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], "));
    attack(&mut world, 12);
    assert_eq!((world.rules().0, row(&world, "1.1").ruling), (enforced, Some(ruling)));
    world.windows(500, 0);
    assert_eq!((world.incidents()[0].state.as_str(), world.rules()), ("Ended", (0, 0)));
    let gone = say(&mut world, "1.1", Ruling::Approved).unwrap_err();
    assert_eq!(gone, "incident 1 is over, and rule 1.1 is withdrawn with it");
    // The next incident's rules are new ones.
    attack(&mut world, 12);
    assert_eq!((row(&world, "2.1").standing, row(&world, "2.1").ruling), (Standing::InForce, None));
    assert_eq!((row(&world, "2.1").action, world.rules().0), (RuleAction::Limit, 0));
}

/// What `Observe` is for: Weir proposes, a person decides.
#[test]
fn where_the_policy_observes_an_approved_rule_drops_and_no_other_does() {
    let mut world = World::with(&SHOP.replace("Enforce", "Observe"));
    world.windows(10, 0);
    world.windows(2, 5000);
    let insisting = |world: &World| {
        let state = world.kernel.state();
        state.image.as_ref().unwrap().rules.insist
    };
    let before = row(&world, "1.1");
    assert_eq!(
        (before.action, before.standing, before.why.as_str()),
        (RuleAction::Count, Standing::Waiting, "its target observes")
    );
    assert_eq!(insisting(&world), 0);
    let said = say(&mut world, "1.1", Ruling::Approved).unwrap();
    assert_eq!(
        (said.action, said.standing, said.why.as_str()),
        (RuleAction::Drop, Standing::InForce, "a person approved it")
    );
    let (enforced, of_target) = world.rules();
    assert_eq!((insisting(&world), enforced), (of_target, of_target.count_ones()), "{:?}", world.rule_rows());
    // It outlives a new policy that observes as well, and ends with the incident.
    world.reload(&SHOP.replace("Enforce", "Observe").replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], "));
    world.windows(5, 5000);
    assert_eq!(insisting(&world).count_ones(), enforced);
    world.windows(500, 0);
    assert_eq!((world.incidents()[0].state.as_str(), insisting(&world)), ("Ended", 0));
}

#[test]
fn a_rejected_rule_is_withdrawn_and_not_written_again() {
    let mut world = World::new();
    world.windows(10, 0);
    world.windows(1, 5000);
    let enforced = world.rules().0;
    assert!(enforced > 0);
    let said = say(&mut world, "1.1", Ruling::Rejected).unwrap();
    assert_eq!((said.standing, said.why.as_str()), (Standing::Rejected, "a person withdrew it"));
    assert_eq!(world.rules(), (0, 0));
    assert!(!world.incidents()[0].signatures[0].in_force);

    // The attack goes on for long, the policy changes, the agent's rules are laid anew: it stays away.
    world.windows(100, 5000);
    world.reload(&SHOP.replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], "));
    world.windows(100, 5000);
    assert_eq!((world.rules(), world.incidents().len()), ((0, 0), 1));
    let rows = world.rule_rows();
    assert!(rows.iter().all(|row| row.standing == Standing::Rejected), "{rows:?}");

    // Who changes their mind has it back.
    assert_eq!(say(&mut world, "1.1", Ruling::Approved).unwrap().standing, Standing::InForce);
    assert_eq!(world.rules().0, enforced);
    let words: Vec<String> = world.incidents()[0].steps.iter().map(|step| step.step.clone()).collect();
    assert_eq!(words, ["detecting", "rules", "mitigating", "rejected", "approved"]);
}

#[test]
fn what_does_not_exist_cannot_be_said_anything_of() {
    let mut world = World::new();
    assert_eq!(
        say(&mut world, "1.1", Ruling::Approved).unwrap_err(),
        "there is no rule 1.1: no incident that goes on has one"
    );
    world.windows(10, 0);
    world.windows(1, 5000);
    for id in ["1.9", "9.1", "1", "1.", ".1", "x", "", "1.1.1", "-1.1", "99999999999999999999.1"] {
        for ruling in [Ruling::Approved, Ruling::Rejected] {
            let error = say(&mut world, id, ruling).unwrap_err();
            assert_eq!(error, format!("there is no rule {id} of an incident that goes on; there are 1.1"));
        }
    }
    assert!(say(&mut world, "1.limit", Ruling::Rejected).unwrap_err().contains("is a limit"));
}

#[test]
fn what_the_kernel_refuses_was_not_said() {
    let mut world = World::new();
    world.windows(10, 0);
    world.windows(1, 5000);
    let rules = world.rules();
    world.kernel.state().refuse = Some("no room".to_owned());
    assert_eq!(say(&mut world, "1.1", Ruling::Rejected).unwrap_err(), "no room");
    world.kernel.state().refuse = None;
    world.windows(10, 5000);
    assert_eq!((world.rules(), row(&world, "1.1").ruling), (rules, None));
}
