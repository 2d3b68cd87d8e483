//! Slow connections in the agent: a crowd's are told, fed ones are closed, in the tables and in what people see, until nobody feeds any more.

mod common;

use common::{SHOP, World};
use weir_abi::FEATURE_SLOTS;
use weir_abi::counters::fact;
use weir_abi::policy::flag;
use weir_api::local::{IncidentRow, RuleAction, Ruling, Standing};

/// So many windows in which 30 connections are answered, and so many more begun, ended, fed, and refused to those who kept others waiting.
fn serve(world: &mut World, windows: u32, [begun, ended, fed, refused]: [u64; 4]) {
    for _ in 0..windows {
        {
            let mut state = world.kernel.state();
            let row = state.slots.entry(1).or_insert([0; FEATURE_SLOTS]);
            row[usize::from(fact::COMPLETED)] += 30 + begun;
            row[usize::from(fact::WAIT_ENDED)] += 30 + ended;
            row[usize::from(fact::WAIT_FED)] += fed;
            // By few sources.
            row[usize::from(fact::WAIT_FED_BEYOND)] += fed.div_ceil(2);
            row[usize::from(fact::DAWDLER)] += refused;
        }
        world.windows(1, 0);
    }
}

fn closes(world: &World) -> bool {
    world.kernel.state().image.as_ref().unwrap().policies[1].has(flag::CLOSE)
}

fn slow(world: &World) -> IncidentRow {
    world.incidents().into_iter().find(|row| row.vector == "slow connections").expect("an incident")
}

#[test]
fn fed_connections_are_closed_while_the_attack_lasts() {
    let mut world = World::new();
    serve(&mut world, 6100, [0; 4]);
    assert_eq!(world.incidents(), []);
    // Nine hundred that wait for an answer may be customers of a service that has stopped.
    serve(&mut world, 45, [20, 0, 0, 0]);
    let crowd = slow(&world);
    assert_eq!((crowd.label.as_str(), crowd.mitigated, closes(&world)), ("SURGE", None, false), "{crowd:?}");

    serve(&mut world, 20, [0, 0, 5, 0]);
    let row = slow(&world);
    assert_eq!((row.label.as_str(), row.state.as_str()), ("ATTACK", "Mitigating"), "{row:?}");
    assert!(row.mitigated.is_some() && closes(&world), "{row:?}");
    let is = |line: &str| row.evidence.iter().any(|said| said == line);
    assert!(is("limit: 8 connections at once that each source keeps waiting"), "{row:?}");

    let id = format!("{}.waiting", row.id);
    let rule = world.rule_rows().into_iter().find(|rule| rule.id == id).expect("a row");
    assert_eq!((rule.action, rule.standing), (RuleAction::Limit, Standing::InForce));
    assert_eq!(rule.rule, "connections that one source keeps waiting, over 8 at once");
    let refused = world.engine.rule(&id, Ruling::Rejected, None, world.now()).unwrap_err();
    assert!(refused.to_string().contains("is a limit, which goes with its incident"), "{refused}");

    // A policy that changes keeps it.
    world.reload(&SHOP.replace("spec: {", "spec: {deny: [{cidr: 203.0.113.0/24}], "));
    assert!(closes(&world));
    world.reload(SHOP);
    assert!(closes(&world));

    // They are closed, and those who kept them waiting ask for others: it is not over.
    serve(&mut world, 9, [0, 100, 0, 0]);
    serve(&mut world, 900, [0, 0, 0, 20]);
    assert_eq!((slow(&world).state.as_str(), closes(&world)), ("Mitigating", true));
    // Half a minute after the last one.
    serve(&mut world, 300, [0; 4]);
    assert_eq!((slow(&world).state.as_str(), closes(&world)), ("Watching", true));
    serve(&mut world, 30, [0; 4]);
    assert_eq!((slow(&world).state.as_str(), closes(&world)), ("Watching", false));
    serve(&mut world, 150, [0; 4]);
    assert_eq!(slow(&world).state, "Ended");
    assert!(world.rule_rows().iter().all(|rule| rule.id != id));
}

/// One-way streams of small messages are fed from morning to night: ten times more is an attack, and each source may feed more than all did.
#[test]
fn where_connections_are_usually_fed_a_source_may_feed_more_than_all_did() {
    let mut world = World::new();
    serve(&mut world, 1, [50, 0, 0, 0]);
    serve(&mut world, 6100, [0, 0, 1, 0]);
    assert_eq!(world.incidents(), []);
    serve(&mut world, 100, [30, 0, 100, 0]);
    let row = slow(&world);
    assert_eq!((row.label.as_str(), closes(&world)), ("ATTACK", true), "{row:?}");
    // 160 are, in a unit.
    assert_eq!(world.kernel.state().image.as_ref().unwrap().policies[1].feed_shift, 7);
    let id = format!("{}.waiting", row.id);
    let rule = world.rule_rows().into_iter().find(|rule| rule.id == id).expect("a row");
    assert_eq!(rule.rule, "connections that one source keeps waiting, over 1024 at once");
}
