//! A flood of connections in the agent: each source is held to its share, in the tables and in what people see, and a policy's own limit stays.

mod common;

use std::collections::BTreeSet;

use common::{SHOP, World, frame};
use weir_abi::counters::{fact, syn_slot};
use weir_abi::policy::flag;
use weir_abi::{FEATURE_SLOTS, Limit, Sample};
use weir_api::local::{RuleAction, Ruling, Standing};

/// A SYN with a maximum segment size, as any system sends it.
fn syn(source: u32, number: u32) -> Sample {
    let mut sample = frame(6, 1024 + (number % 60_000) as u16, 80, 57, 4, number);
    sample.bytes[26..30].copy_from_slice(&source.to_be_bytes());
    (sample.bytes[46], sample.bytes[47]) = (0x60, 0x02);
    sample.bytes[54..58].copy_from_slice(&[2, 4, 5, 0xb4]);
    sample
}

/// So many windows in which a hundred customers open 20 connections, and as many others so many.
fn open(world: &mut World, windows: u32, others: u32) {
    for _ in 0..windows {
        {
            let mut state = world.kernel.state();
            let row = state.slots.entry(1).or_insert([0; FEATURE_SLOTS]);
            row[usize::from(syn_slot(0))] += u64::from(20 + others);
            row[usize::from(fact::COMPLETED)] += u64::from(20 + others);
            row[usize::from(fact::WAIT_ENDED)] += u64::from(20 + others);
            for i in 0..20 + others {
                world.sent += 1;
                let place = world.sent.wrapping_mul(0x9e37_79b9) >> 8;
                let source = if i < 20 { 0x0a00_0000 } else { 0x5000_0000 } + place % 100;
                state.samples.push(syn(source, world.sent));
            }
        }
        world.windows(1, 0);
    }
}

/// What each source may open at the target, and whether that is an incident's limit.
fn share(world: &World) -> (Limit, bool) {
    let state = world.kernel.state();
    let policy = &state.image.as_ref().unwrap().policies[1];
    (policy.source.syns, policy.has(flag::SHARED))
}

fn flood(world: &mut World) -> Option<weir_api::local::IncidentRow> {
    open(world, 6100, 0);
    assert_eq!(world.incidents(), []);
    open(world, 20, 400);
    world.incidents().into_iter().find(|row| row.vector == "connection flood")
}

#[test]
fn each_source_is_held_to_its_share_while_a_flood_of_connections_lasts() {
    let mut world = World::new();
    let row = flood(&mut world).expect("a connection flood");
    assert_eq!((row.label.as_str(), row.state.as_str()), ("ATTACK", "Mitigating"), "{row:?}");
    assert!(row.mitigated.is_some() && row.sources.top.iter().all(|top| top.source.starts_with("80.0.0.")), "{row:?}");
    assert!((20..200).contains(&row.sources.estimate) && !row.sources.spoofed, "{row:?}");
    let (limit, incidents) = share(&world);
    // A browser's: six at once. Customers who came again and again have four times that, and are known to the kernel.
    assert!(limit.cost != 0 && limit.window >= 6 * limit.cost && incidents, "{limit:?}");
    let regulars = world.kernel.state().regulars.iter().map(|(_, source)| source.ip4() >> 24).collect::<BTreeSet<_>>();
    assert_eq!(regulars, BTreeSet::from([10]), "the customers, and nobody of the flood");
    assert!(row.evidence.iter().any(|line| line.starts_with("limit: ")), "{row:?}");

    let id = format!("{}.source", row.id);
    let rule = world.rule_rows().into_iter().find(|rule| rule.id == id).expect("a row");
    assert_eq!((rule.action, rule.standing), (RuleAction::Limit, Standing::InForce));
    assert!(rule.rule.starts_with("new connections of one source, over "), "{rule:?}");
    let refused = world.engine.rule(&id, Ruling::Rejected, None, world.now()).unwrap_err();
    assert!(refused.to_string().contains("is a limit, which goes with its incident"), "{refused}");

    // A policy that changes otherwise keeps it; one that limits each source itself has the last word.
    world.reload(&SHOP.replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], "));
    assert_eq!(share(&world), (limit, true));
    let own = "spec: {limits: {perSource: {connections: {average: 50, burst: 100}}}, ";
    world.reload(&SHOP.replace("spec: {", own));
    let (policys, incidents) = share(&world);
    assert!(policys.cost != 0 && policys != limit && !incidents, "{policys:?}");
    world.reload(SHOP);
    assert_eq!(share(&world), (limit, true));

    // Half a minute of quiet, and it is twice as wide, four times, and gone.
    open(&mut world, 311, 0);
    assert!(share(&world).0.cost < limit.cost && share(&world).1);
    open(&mut world, 150, 0);
    assert_eq!(share(&world), (Limit::default(), false));
    let row = world.incidents().into_iter().find(|other| other.id == row.id).expect("the same");
    assert_eq!(row.state, "Ended");
}

#[test]
fn a_policy_that_limits_each_source_is_left_alone() {
    let own = "spec: {limits: {perSource: {connections: {average: 50, burst: 100}}}, ";
    let mut world = World::with(&SHOP.replace("spec: {", own));
    let row = flood(&mut world).expect("a connection flood");
    assert_eq!((row.label.as_str(), row.state.as_str(), row.mitigated), ("ATTACK", "Detecting", None), "{row:?}");
    assert!(row.evidence.iter().any(|line| line.ends_with("the policy limits each source itself")), "{row:?}");
    assert!(!share(&world).1);
}
