//! The engine over made-up traffic: customers, floods, crowds, pulses, and anything at all.

mod common;

use common::{Traffic, began, customer, flood_syn, signed};
use proptest::prelude::*;
use weir_abi::{Addr, FEATURE_SLOTS};
use weir_detect::detector::Family;
use weir_detect::detector::harm::Suffering;
use weir_detect::engine::{Engine, Event, Row, Settings};
use weir_detect::incident::{Release, State};
use weir_detect::record::Incidents;
use weir_detect::signature::{Signed, Use};
use weir_detect::vector::Vector;
use weir_detect::watch::{Label, Sampled, Step};

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
    let Step::Signed { signature, sources, trial: 0 } = &flood[1].step else { panic!("{flood:?}") };
    assert!(signature.accepted && signature.rules.iter().all(|rule| rule.may == Use::Drop), "{signature:?}");
    assert!((0..1000).all(|i| signature.drops(&flood_syn(i).packet) && !signature.drops(&customer(i).packet)));
    assert!(sources.scattered && sources.top.is_empty(), "{sources:?}");

    let after = traffic.windows(500, |traffic| traffic.customers(20));
    assert_eq!(steps_of(&after), RELEASED);
    assert_eq!(after[1].window + 1 - 750, 300, "half a minute after its last packet");
    assert_eq!(after[4].window - after[1].window, 150, "in three steps of five seconds");
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

    let after = traffic.windows(500, |traffic| traffic.segments(100, 1));
    assert_eq!(steps_of(&after), RELEASED);
    assert_eq!(traffic.engine.held().count(), 0);
}

fn steps_of(events: &[Event]) -> Vec<Step> {
    events.iter().map(|e| e.step.clone()).collect()
}

/// How an incident leaves whose attack does not come back.
const RELEASED: [Step; 5] = [
    Step::Now(State::Watching),
    Step::Released(Release::Part),
    Step::Released(Release::Most),
    Step::Released(Release::All),
    Step::Now(State::Ended),
];

/// What is taken back is in force again in the window in which the attack is felt again.
#[test]
fn who_waits_for_the_release_meets_all_rules_again() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let _ = traffic.windows(50, |traffic| traffic.flood(2000));
    let drops = |engine: &Engine| engine.rules().filter(|(_, _, drops)| *drops).count();
    let all = drops(&traffic.engine);
    assert!(all > 0);
    for (windows, most) in [(320, all.div_ceil(2)), (50, 0), (50, 0)] {
        let _ = traffic.windows(windows, |traffic| traffic.customers(20));
        assert_eq!((drops(&traffic.engine), traffic.engine.rules().count()), (most, all));
    }
    let back = traffic.windows(1, |traffic| traffic.flood(2000));
    assert_eq!(steps_of(&back), [Step::Now(State::Mitigating)]);
    assert_eq!(drops(&traffic.engine), all);
}

fn told(events: Vec<Event>) -> Incidents {
    let mut incidents = Incidents::default();
    events.into_iter().for_each(|event| incidents.take(event));
    incidents
}

/// Rules that no hygiene proves count for a window before they drop.
#[test]
fn rules_are_tried_for_a_window() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    let mut drops = Vec::new();
    let flood = traffic.windows(20, |traffic| {
        drops.push(traffic.engine.rules().filter(|(_, _, drops)| *drops).count());
        traffic.connects(20);
        traffic.other_flood(2000);
    });
    let on_trial = flood.iter().find_map(|e| match e.step {
        Step::Signed { trial, .. } => Some((e.window, trial)),
        _ => None,
    });
    let (signed, trial) = on_trial.unwrap();
    assert!(trial > 0, "{flood:?}");
    let armed = flood.iter().find(|e| e.step == Step::Armed).unwrap().window;
    assert_eq!(armed, signed + 1);
    // What stood at the beginning of each window.
    let at = |window: u64| drops[(window - 700) as usize];
    assert_eq!((at(signed + 1), at(armed + 1)), (0, trial));
    let incidents = told(flood);
    assert_eq!(incidents.iter().next().unwrap().mitigated, Some(armed), "counting is not dropping");
}

/// Customers who have proven to be such are what a rule matches: it goes, and does not come back.
#[test]
fn a_rule_that_matches_proven_customers_is_withdrawn_for_the_incident() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    let mut flood = traffic.windows(20, |traffic| {
        traffic.connects(20);
        traffic.other_flood(2000);
    });
    let rules = traffic.engine.rules().count();
    assert!(rules > 0);
    flood.extend(traffic.windows(50, |traffic| {
        traffic.connects(20);
        traffic.proven(30);
        traffic.other_flood(2000);
    }));
    let withdrawn =
        flood.iter().filter_map(|e| if let Step::Withdrawn { rules, .. } = &e.step { Some(rules) } else { None });
    let withdrawn = withdrawn.flatten().map(ToString::to_string).collect::<Vec<_>>();
    assert!(!withdrawn.is_empty());
    let left = traffic.engine.rules().map(|(_, rule, _)| rule.matches.to_string()).collect::<Vec<_>>();
    assert!(left.iter().all(|rule| !withdrawn.contains(rule)), "{left:?} {withdrawn:?}");
    assert!(
        (0..1000).all(|i| traffic
            .engine
            .signatures()
            .all(|(_, _, signature)| !signature.drops(&common::other_syn(i).packet)))
    );
    let incidents = told(flood);
    let evidence = &incidents.iter().next().unwrap().evidence;
    assert!(
        evidence.iter().any(|line| line.starts_with("withdrawn: ") && line.contains("customers who are known")),
        "{evidence:?}"
    );
}

/// Fewer customers get through than before the rules, and the attack is no smaller: the rules are to blame.
#[test]
fn rules_that_keep_customers_out_are_withdrawn() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    let _ = traffic.windows(10, |traffic| {
        traffic.connects(20);
        traffic.other_flood(2000);
    });
    assert!(traffic.engine.rules().any(|(_, _, drops)| drops));
    let fewer = traffic.windows(40, |traffic| {
        traffic.connects(5);
        traffic.other_flood(2000);
    });
    let why =
        fewer.iter().find_map(|e| if let Step::Withdrawn { why, .. } = &e.step { Some(why.clone()) } else { None });
    assert!(why.is_some_and(|why| why.ends_with("handshakes completed in a second, 200 in the one before the rules")));
    // What no customer's system sends keeps nobody out.
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    let tool = traffic.windows(60, |traffic| {
        traffic.connects(if traffic.number < 705 { 20 } else { 5 });
        traffic.flood(2000);
    });
    assert!(tool.iter().all(|e| !matches!(e.step, Step::Withdrawn { .. })), "{tool:?}");
}

fn challenged(events: &[Event]) -> Vec<(u64, bool)> {
    let challenged = events.iter().filter_map(|e| match e.step {
        Step::Challenged { on } => Some((e.window, on)),
        _ => None,
    });
    challenged.collect()
}

/// SYNs that look like customers' to the last bit: no rule can tell them. Their senders answer no challenge.
#[test]
fn a_flood_of_proper_syns_is_challenged_until_it_is_over() {
    is_challenged_until_it_is_over(Traffic::connects_late, 703, "three windows that a handshake may take, and one");
    is_challenged_until_it_is_over(Traffic::connects, 701, "one window that theirs take, and one");
}

fn is_challenged_until_it_is_over(connects: fn(&mut Traffic, u64), noticed: u64, why: &str) {
    let mut traffic = Traffic::new();
    traffic.challenge = true;
    assert_eq!(traffic.windows(700, |traffic| connects(traffic, 20)), []);
    let flood = traffic.windows(100, |traffic| {
        connects(traffic, 20);
        traffic.customers(2000);
        // The owners of forged addresses answer too.
        let answers = 1900 * traffic.engine.challenged().count();
        traffic.answers(answers as u64);
    });
    assert_eq!(began(&flood).last(), Some(&(noticed, Label::Attack)), "{why}");
    assert_eq!((challenged(&flood), signed(&flood)), (vec![(noticed, true)], vec![]));
    assert!(flood.iter().all(|e| e.vector == Vector::Syn), "the answers are no flood of their own: {flood:?}");
    assert_eq!(traffic.engine.challenged().collect::<Vec<_>>(), [7]);
    let after = traffic.windows(600, |traffic| connects(traffic, 20));
    assert_eq!(after.last().map(|e| e.step.clone()), Some(Step::Now(State::Ended)));
    assert_eq!(traffic.engine.challenged().count(), 0);

    let incidents = told(flood.into_iter().chain(after).collect());
    let told = incidents.iter().next().unwrap();
    assert_eq!(
        (told.mitigated, told.challenged),
        (Some(noticed), Some((noticed, Some(1099)))),
        "until the release begins"
    );
    assert_eq!(told.ended, Some(1249));
    assert!(told.evidence.iter().any(|line| line.starts_with("challenge: no rule tells")), "{:?}", told.evidence);
}

/// Customers from another continent, of one odd system, all at once, where those of before were near: they may be challenged until their
/// handshakes come about, and no rule may be made of them.
#[test]
fn a_crowd_from_afar_loses_nothing() {
    let mut traffic = Traffic::new();
    traffic.challenge = true;
    assert_eq!(traffic.windows(700, |traffic| traffic.connects(20)), []);
    let crowd = traffic.windows(100, |traffic| {
        traffic.connects(20);
        // Who is challenged sends his SYN once more.
        traffic.other_flood(2000 * (1 + traffic.engine.challenged().count() as u64));
        if traffic.number >= 703 {
            traffic.completes_late(2000);
        }
    });
    assert_eq!(signed(&crowd), [], "{crowd:?}");
    assert_eq!(traffic.engine.rules().count(), 0);
    assert_eq!(challenged(&crowd), [(701, true)]);
}

/// Where the policy does not leave the challenge to detection there is none, and what only a challenge may answer is no incident.
#[test]
fn nothing_is_challenged_unasked() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    let flood = traffic.windows(50, |traffic| {
        traffic.connects(20);
        traffic.customers(2000);
    });
    assert_eq!((challenged(&flood), traffic.engine.challenged().count()), (vec![], 0));
    // Nor is a crowd, wherever it may be.
    let mut traffic = Traffic::new();
    traffic.challenge = true;
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    let crowd = traffic.windows(300, |traffic| traffic.connects(800));
    assert_eq!(began(&crowd).iter().map(|(_, label)| *label).collect::<Vec<_>>(), [Label::Surge]);
    assert_eq!(challenged(&crowd), []);
}

/// Until there are rules the challenge holds the flood; then it goes, for it costs customers time and the rules do not.
#[test]
fn a_challenge_goes_when_rules_match() {
    let mut traffic = Traffic::new();
    traffic.challenge = true;
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    let flood = traffic.windows(60, |traffic| {
        traffic.connects(20);
        traffic.other_flood(2000);
    });
    let steps = challenged(&flood);
    let rules = *signed(&flood).last().unwrap();
    match steps[..] {
        // Rules were there at once.
        [] => {}
        [(on, true), (off, false)] => assert!(on <= rules && off > rules && off <= rules + 11, "{steps:?} {rules}"),
        _ => panic!("{steps:?}"),
    }
    assert_eq!(traffic.engine.challenged().count(), 0);
    // What a tool sends is matched in its first window.
    let mut traffic = Traffic::new();
    traffic.challenge = true;
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    let tool = traffic.windows(60, |traffic| {
        traffic.connects(20);
        traffic.flood(2000);
    });
    assert_eq!((signed(&tool), challenged(&tool)), (vec![700], vec![]));
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

/// A service that suffers is evidence beside other evidence. It drops nobody: no rule tells its customers from customers.
#[test]
fn a_service_that_suffers_from_its_customers_drops_none_of_them() {
    let overflowing = Some(Suffering { overflows: Some(50), queue: Some(1.0), ..Suffering::default() });
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.connects(20));
    traffic.suffers = overflowing;
    let crowd = traffic.windows(100, |traffic| traffic.connects(400));
    assert_eq!(began(&crowd).iter().map(|(_, label)| *label).collect::<Vec<_>>(), [Label::Surge], "they connect");
    // Nobody sees whether these connect.
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    traffic.suffers = overflowing;
    let crowd = traffic.windows(100, |traffic| traffic.customers(400));
    let (_, label) = *began(&crowd).last().unwrap();
    assert_eq!((label, traffic.engine.rules().count()), (Label::Attack, 0));
    let told = told(crowd);
    let evidence = &told.iter().next().unwrap().evidence;
    assert!(evidence.iter().any(|line| line.starts_with("queue: 50 connections refused")), "{evidence:?}");
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

/// Of the second kind there may be less, or less of it is seen by a node that drowns in it.
#[test]
fn an_attack_that_changes_gets_new_rules() {
    for other in [2000, 300] {
        let mut traffic = Traffic::new();
        let _ = traffic.windows(700, |traffic| traffic.customers(20));
        let _ = traffic.windows(30, |traffic| traffic.flood(2000));
        let changed = traffic.windows(30, |traffic| traffic.other_flood(other));
        assert_eq!(signed(&changed).len(), 1, "{changed:?}");
        let (_, _, signature) = traffic.engine.signatures().next().unwrap();
        assert!(
            (0..1000).all(|i| signature.drops(&common::other_syn(i).packet) && !signature.drops(&customer(i).packet))
        );
    }
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
        let mut withdrawn = std::collections::BTreeSet::new();
        let mut labels = std::collections::BTreeMap::new();
        let mut corroborated = std::collections::BTreeSet::new();
        let row = |slots| Row { seen: true, challenge: true, share: true, ..Row::new(1, slots) };
        engine.window(0, &[row(slots)]);
        for (number, (counts, samples)) in (1..).zip(windows) {
            counts.into_iter().for_each(|(slot, n)| slots[slot] += n);
            for (vector, bytes) in samples {
                let mut packet = weir_policy::rules::MatchVector::default();
                packet[..4].copy_from_slice(&bytes);
                let source = Addr::v4(u32::from(bytes[1] & 3));
                engine.sample(1, Vector::ALL[vector], || Sampled { packet, source, weight: 1, proven: bytes[0] & 1 == 0 });
            }
            for event in engine.window(number, &[row(slots)]) {
                if let Step::Began { label, .. } = event.step {
                    labels.insert(event.incident, label);
                }
                if event.vector == Vector::Slow {
                    // Told, whatever it is; and where it is an attack, sources are held to a few connections that wait.
                    let attack = labels.get(&event.incident) == Some(&Label::Attack);
                    let told = matches!(event.step, Step::Began { .. } | Step::Now(_));
                    prop_assert!(told || attack && matches!(event.step, Step::Closes { .. } | Step::Released(_)), "{:?}", event.step);
                    continue;
                }
                match event.step {
                    Step::Began { label: Label::Attack, verdict, .. } => {
                        let strays = verdict.scores.iter().any(|score| score.detector == "strays" && score.alarm);
                        let contained = event.vector == Vector::Syn && verdict.confidence >= 0.8
                            && verdict.families.iter().any(|family| *family != Family::Volume);
                        prop_assert!(verdict.may_drop() || strays || contained, "{verdict:?}");
                        if verdict.may_drop() {
                            corroborated.insert(event.incident);
                        }
                    }
                    Step::Corroborated { verdict } => {
                        prop_assert!(verdict.may_drop(), "{verdict:?}");
                        corroborated.insert(event.incident);
                    }
                    Step::Challenged { .. } => prop_assert!(event.vector == Vector::Syn && labels.get(&event.incident) == Some(&Label::Attack)),
                    Step::Held { strays } => prop_assert!(strays >= 200),
                    Step::Shared { per_source, .. } => {
                        prop_assert!(event.vector == Vector::Connections && per_source >= 2);
                        prop_assert!(corroborated.contains(&event.incident));
                    }
                    Step::Withdrawn { rules, .. } => withdrawn.extend(rules.iter().map(|rule| (event.incident, rule.to_string()))),
                    Step::Signed { signature, .. } => {
                        let again = |rule: &Signed| withdrawn.contains(&(event.incident, rule.matches.to_string()));
                        prop_assert!(!signature.rules.iter().any(again), "{withdrawn:?}");
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
        prop_assert_eq!((engine.signatures().count(), engine.held().count(), engine.challenged().count()), (0, 0, 0));
        prop_assert_eq!((engine.shared().count(), engine.closing().count()), (0, 0));
    }
}
