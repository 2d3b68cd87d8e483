//! The engine over made-up traffic: customers, floods, crowds, pulses, and anything at all.

mod common;

use common::{Traffic, customer, flood_syn};
use proptest::prelude::*;
use weir_abi::{Addr, FEATURE_SLOTS};
use weir_detect::engine::{Engine, Event, Row, Settings};
use weir_detect::incident::State;
use weir_detect::record::Incidents;
use weir_detect::signature::Use;
use weir_detect::vector::Vector;
use weir_detect::watch::{Label, Sampled, Step};

fn began(events: &[Event]) -> Vec<(u64, Label)> {
    let began = events.iter().filter_map(|e| match &e.step {
        Step::Began { label, .. } => Some((e.window, *label)),
        _ => None,
    });
    began.collect()
}

fn signed(events: &[Event]) -> Vec<u64> {
    events.iter().filter(|e| matches!(e.step, Step::Signed { .. })).map(|e| e.window).collect()
}

#[test]
fn a_forged_syn_flood_is_signed_in_its_first_window_and_let_go_after_it() {
    let mut traffic = Traffic::new();
    let calm = traffic.windows(700, |traffic| traffic.customers(20));
    assert_eq!(calm, [], "customers are no event");
    let flood = traffic.windows(50, |traffic| {
        traffic.customers(20);
        traffic.flood(2000);
    });
    assert_eq!(began(&flood), [(700, Label::Attack)]);
    assert_eq!(signed(&flood), [700]);
    let Step::Signed { signature, sources } = &flood[1].step else { panic!("{flood:?}") };
    assert!(signature.accepted && signature.rules.iter().all(|rule| rule.may == Use::Drop), "{signature:?}");
    assert!((0..1000).all(|i| signature.drops(&flood_syn(i).packet) && !signature.drops(&customer(i).packet)));
    assert!(sources.scattered && sources.top.is_empty(), "{sources:?}");

    let after = traffic.windows(400, |traffic| traffic.customers(20));
    let states = after.iter().map(|e| e.step.clone()).collect::<Vec<_>>();
    assert_eq!(states, [Step::Now(State::Watching), Step::Now(State::Ended)]);
    assert_eq!(after[1].window + 1 - 750, 300, "half a minute after its last packet");
    assert_eq!(traffic.engine.signatures().count(), 0, "its rules are gone");
}

/// ACKs that look like customers' to the last bit: no rule can tell them, but no connection of the host's knows them.
#[test]
fn a_flood_of_strays_is_held_back_without_a_rule_and_let_go_after_it() {
    let mut traffic = Traffic::new();
    // Far less than it takes to know a rate.
    assert_eq!(traffic.windows(100, |traffic| traffic.segments(100, 1)), []);
    let flood = traffic.windows(50, |traffic| {
        traffic.segments(100, 20_000);
        traffic.resets(5);
    });
    assert_eq!(began(&flood), [(101, Label::Attack)], "the second window is sure");
    let held =
        flood.iter().filter_map(|e| if let Step::Held { strays } = e.step { Some((e.window, strays)) } else { None });
    assert_eq!(held.collect::<Vec<_>>(), [(101, 200)]);
    assert_eq!(signed(&flood), []);
    assert_eq!(traffic.engine.held().collect::<Vec<_>>(), [(7, 200)]);

    let after = traffic.windows(400, |traffic| traffic.segments(100, 1));
    let states = after.iter().map(|e| e.step.clone()).collect::<Vec<_>>();
    assert_eq!(states, [Step::Now(State::Watching), Step::Now(State::Ended)]);
    assert_eq!(traffic.engine.held().count(), 0);
}

/// A crowd that talks in connections is a crowd, whatever its packets look like.
#[test]
fn a_crowd_in_connections_is_never_an_attack() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.segments(100, 1));
    let crowd = traffic.windows(300, |traffic| traffic.other_segments(4000, 40));
    assert_eq!(began(&crowd).iter().map(|(_, label)| *label).collect::<Vec<_>>(), [Label::Surge]);
    assert_eq!((signed(&crowd), traffic.engine.held().count()), (vec![], 0));
}

#[test]
fn a_crowd_of_customers_is_a_surge_and_nothing_is_signed() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let crowd = traffic.windows(600, |traffic| traffic.customers(400));
    assert_eq!(began(&crowd).iter().map(|(_, label)| *label).collect::<Vec<_>>(), [Label::Surge]);
    assert_eq!(signed(&crowd), []);
    assert_eq!(traffic.engine.signatures().count(), 0);
}

#[test]
fn an_attack_within_a_crowd_is_told_from_it() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let _ = traffic.windows(20, |traffic| traffic.customers(400));
    let both = traffic.windows(20, |traffic| {
        traffic.customers(400);
        traffic.flood(4000);
    });
    assert_eq!(began(&both), [(720, Label::Attack)]);
    let Some(Step::Signed { signature, .. }) = both.iter().map(|e| &e.step).find(|s| matches!(s, Step::Signed { .. }))
    else {
        panic!("{both:?}")
    };
    assert!((0..1000).all(|i| signature.drops(&flood_syn(i).packet) && !signature.drops(&customer(i).packet)));
}

#[test]
fn a_pulse_wave_meets_its_rules_again_in_the_first_window_of_each_pulse() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let mut incidents = Incidents::default();
    for pulse in 0..4 {
        let start = traffic.number;
        let on = traffic.windows(100, |traffic| {
            traffic.customers(20);
            traffic.flood(2000);
        });
        // Between pulses of ten seconds the rules never leave.
        if pulse > 0 {
            assert!(on.iter().all(|e| e.step == Step::Now(State::Mitigating) && e.window == start), "{on:?}");
        }
        let off = traffic.windows(100, |traffic| traffic.customers(20));
        on.into_iter().chain(off).for_each(|event| incidents.take(event));
    }
    let all = incidents.iter().collect::<Vec<_>>();
    assert_eq!((all.len(), all[0].relapses, all[0].state), (1, 3, State::Watching));

    // After it was over, the same attack wakes the same rules, in one window.
    let _ = traffic.windows(6000, |traffic| traffic.customers(20));
    assert_eq!(traffic.engine.signatures().count(), 0);
    let back = traffic.windows(1, |traffic| {
        traffic.customers(20);
        traffic.flood(2000);
    });
    let Step::Signed { signature, .. } = &back[1].step else { panic!("{back:?}") };
    assert_eq!(*signature, all[0].signature);
}

#[test]
fn rules_that_sleep_are_left_asleep_by_another_attack() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let _ = traffic.windows(30, |traffic| traffic.flood(2000));
    let _ = traffic.windows(1000, |traffic| traffic.customers(20));
    assert_eq!(traffic.engine.signatures().count(), 0);
    let other = traffic.windows(10, |traffic| traffic.other_flood(2000));
    let Some(Step::Signed { signature, .. }) = other.iter().map(|e| &e.step).find(|s| matches!(s, Step::Signed { .. }))
    else {
        panic!("{other:?}")
    };
    assert!((0..1000).all(|i| signature.drops(&common::other_syn(i).packet) && !signature.drops(&flood_syn(i).packet)));
}

#[test]
fn an_attack_that_changes_gets_new_rules() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let _ = traffic.windows(30, |traffic| traffic.flood(2000));
    let changed = traffic.windows(30, |traffic| traffic.other_flood(2000));
    assert_eq!(signed(&changed).len(), 1, "{changed:?}");
    let (_, _, signature) = traffic.engine.signatures().next().unwrap();
    assert!((0..1000).all(|i| signature.drops(&common::other_syn(i).packet) && !signature.drops(&customer(i).packet)));
}

#[test]
fn without_anything_learned_what_no_customer_sends_is_enough() {
    let mut traffic = Traffic::new();
    let events = traffic.windows(5, |traffic| traffic.flood(500));
    assert_eq!((began(&events), signed(&events)), (vec![(0, Label::Attack)], vec![0]));
}

#[test]
fn the_same_traffic_gives_the_same_events() {
    let once = || {
        let mut traffic = Traffic::new();
        let mut events = traffic.windows(650, |traffic| traffic.customers(15));
        events.extend(traffic.windows(40, |traffic| traffic.flood(900)));
        events.extend(traffic.windows(40, |traffic| traffic.other_flood(900)));
        format!("{events:?}")
    };
    assert_eq!(once(), once());
}

/// Packets by slot.
type Counts = Vec<(usize, u64)>;
/// Vectors by number, and what the packets look like.
type Samples = Vec<(usize, [u8; 4])>;

/// What anyone could send in a window.
fn anything() -> impl Strategy<Value = Vec<(Counts, Samples)>> {
    let counts = prop::collection::vec((0..FEATURE_SLOTS, 0u64..5000), 0..4);
    let samples = prop::collection::vec((0..Vector::ALL.len(), any::<[u8; 4]>()), 0..60);
    prop::collection::vec((counts, samples), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_rules_are_few_corroborated_harmless_and_mortal(windows in anything(), warm_up in 0u64..20) {
        let mut engine = Engine::new(Settings { warm_up, enough: 4, ..Settings::default() });
        let mut slots = [0u64; FEATURE_SLOTS];
        let mut corroborated = std::collections::BTreeSet::new();
        let row = |slots| Row { target: 1, slots, seen: true };
        engine.window(0, &[row(slots)]);
        for (number, (counts, samples)) in (1..).zip(windows) {
            counts.into_iter().for_each(|(slot, n)| slots[slot] += n);
            for (vector, bytes) in samples {
                let mut packet = weir_policy::rules::MatchVector::default();
                packet[..4].copy_from_slice(&bytes);
                engine.sample(1, Vector::ALL[vector], || Sampled { packet, source: Addr::default(), weight: 1 });
            }
            for event in engine.window(number, &[row(slots)]) {
                match event.step {
                    Step::Began { label: Label::Attack, verdict, .. } => {
                        let strays = verdict.scores.iter().any(|score| score.detector == "strays" && score.alarm);
                        prop_assert!(verdict.may_drop() || strays, "{verdict:?}");
                        if verdict.may_drop() {
                            corroborated.insert(event.incident);
                        }
                    }
                    Step::Corroborated { verdict } => {
                        prop_assert!(verdict.may_drop(), "{verdict:?}");
                        corroborated.insert(event.incident);
                    }
                    Step::Held { strays } => prop_assert!(strays >= 200),
                    Step::Signed { signature, .. } => {
                        prop_assert!(corroborated.contains(&event.incident));
                        prop_assert!(signature.rules.len() <= 8);
                        let dropping = signature.rules.iter().filter(|rule| rule.may == Use::Drop);
                        prop_assert!(dropping.clone().all(|rule| rule.collateral <= 5e-4));
                    }
                    _ => {}
                }
            }
        }
        // Half an hour of silence is the longest that any rule stays.
        for number in 1000..19_100 {
            engine.window(number, &[row(slots)]);
        }
        prop_assert_eq!((engine.signatures().count(), engine.held().count()), (0, 0));
    }
}
