//! What the agent tells of an incident: its steps, its rules by name, what the target lost.

mod common;

use common::{World, bare_syn};
use weir_abi::counters::{syn_fact, syn_slot};
use weir_abi::{Counter, Reason, Sample};
use weir_api::local::{KnownFlowsRow, RuleAction, Standing, Verdict};

fn packets(packets: u64) -> Counter {
    Counter { packets, bytes: 60 * packets }
}

#[test]
fn an_incident_says_what_was_done_and_what_it_cost() {
    let mut world = World::new();
    // What was counted before the incident is none of its business.
    let count = |world: &World, passed, by_rule, by_limit| {
        world.kernel.state().counters = vec![
            (1, false, Reason::KnownFlow, packets(passed)),
            (1, false, Reason::Rule, packets(by_rule)),
            (1, true, Reason::SourcePackets, packets(by_limit)),
            (2, false, Reason::Rule, packets(77)),
        ];
    };
    count(&world, 100, 50, 5);
    world.windows(10, 0);
    world.segments(1, 100, 0);
    world.windows(1, 5000);
    world.windows(1, 7000);
    let row = &world.incidents()[0];
    assert_eq!((row.dropped.len(), row.known_flows), (0, Some(KnownFlowsRow::default())));
    let steps = |world: &World| world.incidents()[0].steps.clone();
    let words = |world: &World| steps(world).into_iter().map(|s| s.step).collect::<Vec<_>>();
    assert_eq!(words(&world), ["detecting", "rules", "mitigating"]);
    assert!(steps(&world)[0].text.starts_with("noticed as ATTACK: 50000 packets/s, usual 0"), "{:?}", steps(&world));
    let rule = row.signatures[0].clone();
    assert_eq!((rule.id.as_str(), rule.in_force, rule.matched_packets), ("1.1", true, Some(0)));
    assert_eq!(steps(&world)[1].text, format!("rule 1.1: drop {}", rule.rule));

    // Customers' connections go on, and the rule drops; the target only would have dropped for a limit.
    let slot = world.rules().1.trailing_zeros();
    world.kernel.state().rules = vec![(slot, packets(9000))];
    count(&world, 1100, 9050, 8);
    world.segments(10, 100, 0);
    let row = &world.incidents()[0];
    let lost: Vec<_> = row.dropped.iter().map(|d| (d.reason.as_str(), d.verdict, d.packets, d.bytes)).collect();
    assert_eq!(lost, [("rule", Verdict::Drop, 9000, 540_000), ("source_packets", Verdict::WouldDrop, 3, 180)]);
    assert_eq!(row.known_flows, Some(KnownFlowsRow { packets: 1000, dropped_at_most: 0 }));
    assert_eq!(row.signatures[0].matched_packets, Some(9000));
    assert_eq!((row.packets_per_s, row.peak_packets_per_s), (50_000.0, 70_000.0));
    let metrics = weir_agent::metrics::text(&world.engine.view()).unwrap();
    for told in [
        "weir_incident_peak_packets_per_second{target=\"host\",vector=\"SYN flood\"} 70000.0",
        "weir_incident_matched_packets{target=\"host\",vector=\"SYN flood\"} 9000.0",
        "weir_incident_dropped_packets{target=\"host\",verdict=\"drop\"} 9000.0",
        "weir_incident_dropped_packets{target=\"host\",verdict=\"would_drop\"} 3.0",
        "weir_incident_known_flow_dropped_packets{target=\"host\"} 0.0",
        "weir_incident_rules{target=\"host\",action=\"drop\",standing=\"in_force\"} 1.0",
    ] {
        assert!(metrics.lines().any(|line| line == told), "{told}\n{metrics}");
    }
    assert!(metrics.lines().any(|line| line.starts_with("weir_incident_capture_bytes ")), "{metrics}");

    // It ends, and the next one of that target does not change what is told of it.
    world.windows(461, 0);
    assert_eq!(
        words(&world),
        ["detecting", "rules", "mitigating", "watching", "release", "release", "release", "ended"]
    );
    let ended = world.incidents()[0].clone();
    assert_eq!((ended.signatures[0].in_force, ended.signatures[0].matched_packets), (false, Some(9000)));
    count(&world, 1100, 10_000, 8);
    world.windows(1, 5000);
    world.windows(10, 0);
    assert_eq!(world.incidents()[1], ended);
    assert_eq!((world.incidents()[0].dropped.len(), world.incidents()[0].signatures[0].id.as_str()), (0, "2.1"));
}

#[test]
fn rules_are_listed_while_they_are_in_force_and_while_they_sleep() {
    let mut world = World::new();
    assert!(world.rule_rows().is_empty());
    world.windows(10, 0);
    world.windows(11, 5000);
    let rows = world.rule_rows();
    let row = rows[0].clone();
    let incident = world.incidents()[0].clone();
    assert_eq!((row.id.as_str(), row.incident, row.targets.as_slice()), ("1.1", Some(1), &["host".to_owned()][..]));
    assert_eq!(
        (row.action, row.standing, row.why.as_str()),
        (RuleAction::Drop, Standing::InForce, "the target enforces")
    );
    let signature = &incident.signatures[0];
    assert_eq!((&row.rule, row.coverage), (&signature.rule, Some(signature.coverage)));
    assert_eq!((row.collateral, row.matched_packets), (Some(signature.collateral), Some(0)));
    assert_eq!((row.ends.as_str(), row.ends_at), ("30 to 45 s after the attack is felt for the last time", None));
    assert_eq!(rows.len(), incident.signatures.len());

    // Where the policy observes the same rule waits for somebody to say that it may drop.
    world.reload(&common::SHOP.replace("Enforce", "Observe"));
    world.windows(1, 5000);
    world.windows(10, 5000);
    let row = world.rule_rows()[0].clone();
    assert_eq!((row.id.as_str(), row.action, row.standing), ("1.1", RuleAction::Count, Standing::Waiting));
    assert_eq!(row.why, "its target observes");
    world.reload(common::SHOP);

    world.windows(30, 0);
    let row = world.rule_rows()[0].clone();
    let left = row.ends_at.unwrap().to_system().duration_since(world.now().wall).unwrap();
    assert!((40..=44).contains(&left.as_secs()), "{left:?}");
    // Between 30 and 45 s what was done is taken back in steps.
    world.windows(305, 0);
    let row = world.rule_rows()[0].clone();
    assert_eq!((row.id.as_str(), row.action, row.standing), ("1.1", RuleAction::Drop, Standing::InForce));
    world.windows(30, 0);
    let row = world.rule_rows()[0].clone();
    assert_eq!((row.action, row.standing), (RuleAction::Count, Standing::Waiting));
    assert!(row.why.ends_with("taken back in steps"), "{row:?}");
    world.windows(96, 0);
    let row = world.rule_rows()[0].clone();
    assert_eq!((row.id.as_str(), row.standing), ("1.1", Standing::Sleeping));
    let left = row.ends_at.unwrap().to_system().duration_since(world.now().wall).unwrap();
    assert!(left.as_secs() > 23 * 3600, "{left:?}");
    assert_eq!(world.rules(), (0, 0));

    // Back again, and awake: the rules are the new incident's.
    world.windows(1, 5000);
    let rows = world.rule_rows();
    assert!(rows.iter().all(|row| row.incident == Some(2) && row.standing == Standing::InForce), "{rows:?}");
}

/// A source, the one who is attacked, and somebody else ask what concerns them.
#[test]
fn an_address_is_told_its_incidents() {
    let mut world = World::new();
    let slot = syn_slot(syn_fact::NO_OPTIONS);
    world.windows(10, 0);
    world.send(12, slot, 5000, |n| bare_syn(n % 4));
    // From now on the rule drops them.
    let owner = {
        let state = world.kernel.state();
        let rules = &state.image.as_ref().unwrap().rules;
        rules.owner[rules.enforce.trailing_zeros() as usize]
    };
    let dropped = |n: u32| Sample {
        reason: Reason::Rule as u8,
        verdict: weir_abi::Verdict::Drop as u8,
        rule: owner,
        weight: 8,
        ..bare_syn(n % 4)
    };
    world.send(10, slot, 5000, dropped);
    let rule = world.incidents()[0].signatures[0].clone();
    let explain = |address: &str| world.engine.explain(address.parse().unwrap(), world.now());

    let source = world.incidents()[0].sources.top[0].clone();
    let said = explain(&source.source);
    let hit = &said.incidents[0];
    assert_eq!((hit.incident, hit.target.as_str(), hit.vector.as_str()), (1, "host", "SYN flood"));
    assert_eq!((hit.attacked, hit.share), (false, Some(source.share)));
    assert_eq!((hit.rules.len(), hit.rules[0].id.as_str(), hit.rules[0].samples), (1, "1.1", 250));
    assert_eq!((&hit.rules[0].rule, hit.rules[0].in_force), (&rule.rule, true));
    let seen = said.seen.iter().find(|row| row.reason == "rule").unwrap();
    assert_eq!((seen.rule.as_deref(), seen.samples, seen.packets_estimate), (Some("1.1"), 250, 2000));
    assert!(said.seen.iter().any(|row| row.reason == "clean" && row.rule.is_none()));

    let said = explain("192.0.2.10");
    assert_eq!((said.incidents.len(), said.incidents[0].attacked, said.incidents[0].share), (1, true, None));
    assert_eq!((said.incidents[0].rules[0].id.as_str(), said.incidents[0].rules[0].samples), ("1.1", 0));
    assert_eq!(explain("203.0.113.9").incidents, []);
}

/// Strangers are held to a limit, which is told among the rules.
#[test]
fn a_limit_is_listed_too() {
    let mut world = World::new();
    world.segments(100, 100, 0);
    world.segments(3, 100, 20_000);
    world.segments(10, 100, 20_000);
    let rows = world.rule_rows();
    let row = rows.iter().find(|row| row.id == "1.limit").unwrap();
    assert_eq!((row.action, row.standing), (RuleAction::Limit, Standing::InForce));
    assert_eq!((row.rule.as_str(), row.matched_packets), ("packets of no known connection, over 200 per second", None));
    assert!(world.incidents()[0].steps.iter().any(|step| step.step == "limit" && step.text.contains("200 per second")));
}

#[test]
fn where_the_host_is_not_seen_nothing_is_said_of_connections_and_a_target_that_goes_ends_its_story() {
    let mut world = World::new();
    world.kernel.state().blind = Some("the kernel is too old".to_owned());
    world.windows(10, 0);
    world.windows(1, 5000);
    assert_eq!(world.incidents()[0].known_flows, None);
    world.reload("");
    world.windows(10, 0);
    let last = world.incidents()[0].steps.last().cloned().unwrap();
    assert_eq!((last.step.as_str(), last.text.as_str()), ("ended", "the policy has no such target any more"));
}

/// A flood over three targets is one incident: its rules, its packets and its losses are those of all three, and so is what is said of it.
#[test]
fn an_attack_on_several_targets_is_one_story() {
    let target = |n: u32| {
        format!(
            "apiVersion: weir.dev/v1alpha1\nkind: Protection\nmetadata: {{name: t{n}, namespace: shop}}\n\
             spec: {{mode: Enforce, target: {{addresses: [{{ip: 192.0.2.{n}}}]}}}}\n"
        )
    };
    let mut world = World::with(&[1, 2, 3].map(target).join("---\n"));
    let count = |world: &World, dropped| {
        world.kernel.state().counters =
            [1, 2, 3].map(|target| (target, false, Reason::Rule, packets(dropped * u64::from(target)))).to_vec();
    };
    count(&world, 0);
    let flood = |world: &mut World, targets: &[u16], windows, syns: u64| {
        for _ in 0..windows {
            for target in targets.iter().copied() {
                let mut state = world.kernel.state();
                let row = state.slots.entry(target.into()).or_insert([0; weir_abi::FEATURE_SLOTS]);
                row[usize::from(syn_slot(syn_fact::NO_OPTIONS))] += syns;
                for _ in 0..syns.min(100) {
                    world.sent += 1;
                    let mut sample = Sample { target, ..bare_syn(world.sent) };
                    sample.bytes[33] = target as u8;
                    state.samples.push(sample);
                }
            }
            world.windows(1, 0);
        }
    };
    flood(&mut world, &[1, 2, 3], 10, 0);
    flood(&mut world, &[1, 2, 3], 20, 3000);
    count(&world, 100);
    flood(&mut world, &[1, 2, 3], 12, 3000);
    assert_eq!(world.incidents().len(), 1, "{:?}", world.incidents());
    let row = world.incidents()[0].clone();
    assert_eq!((row.vector.as_str(), row.targets.len()), ("carpet bombing (SYN flood)", 3));
    assert_eq!((row.peak_packets_per_s, row.dropped[0].packets), (90_000.0, 600));
    assert!(row.steps.iter().any(|step| step.step == "spread"), "{:?}", row.steps);
    let rules = world.rule_rows();
    assert!(rules.iter().all(|rule| rule.standing == Standing::InForce && rule.targets.len() == 3), "{rules:?}");
    let evidence = world.engine.evidence(row.id).unwrap();
    let of = |n: u16| evidence.packets.iter().filter(|(_, sample)| u32::from(sample.target) == u32::from(n)).count();
    assert!([1, 2, 3].iter().all(|target| of(*target) > 0));

    // A person's word is for all of them, and one that goes is told no more.
    let all = world.rules().0;
    let id = rules[0].id.clone();
    world.engine.rule(&id, weir_api::local::Ruling::Rejected, Some(0), world.now()).unwrap();
    assert!(world.rules().0 < all);
    world.reload(&[2, 3].map(target).join("---\n"));
    flood(&mut world, &[2, 3], 12, 3000);
    let row = world.incidents()[0].clone();
    assert_eq!((row.state.as_str(), row.targets.len()), ("Mitigating", 2));
    assert_eq!(world.rule_rows().iter().find(|rule| rule.id == id).map(|rule| rule.standing), Some(Standing::Rejected));
    world.reload("");
    world.windows(10, 0);
    assert_eq!(world.incidents()[0].steps.last().map(|step| step.step.clone()), Some("ended".to_owned()));
}
