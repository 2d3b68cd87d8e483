//! The engine over several targets: attacks that are spread over them, and crowds that are.

mod common;

use std::collections::BTreeSet;

use common::{answer, customer, flood_syn, other_syn};
use proptest::prelude::*;
use weir_abi::counters::{feature_slot, kind, syn_fact, syn_slot};
use weir_abi::{Addr, FEATURE_SLOTS};
use weir_detect::engine::{Engine, Event, Row, Settings};
use weir_detect::incident::State;
use weir_detect::record::Incidents;
use weir_detect::vector::Vector;
use weir_detect::watch::{Label, Sampled, Step};

/// Targets 1 to 25 of one network.
const TARGETS: usize = 25;

struct Town {
    engine: Engine,
    slots: Vec<[u64; FEATURE_SLOTS]>,
    number: u64,
    sent: u64,
    /// Customers' SYNs per target and window.
    customers: u64,
    /// What the targets send is seen.
    seen: bool,
}

impl Town {
    /// After a minute of customers.
    fn calm() -> Self {
        Self::with(10)
    }

    fn with(customers: u64) -> Self {
        let mut town = Self {
            engine: Engine::new(Settings::default()),
            slots: vec![[0; FEATURE_SLOTS]; TARGETS],
            number: 0,
            sent: 0,
            customers,
            seen: false,
        };
        assert_eq!(town.windows(650, |_| ()), []);
        town
    }

    fn windows(&mut self, n: u64, mut fill: impl FnMut(&mut Self)) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..n {
            (1..=TARGETS as u32).for_each(|target| self.send(target, self.customers, syn_slot(0), customer));
            fill(self);
            let seen = self.seen;
            let row = |(target, slots): (u32, &[u64; FEATURE_SLOTS])| Row {
                network: Some(9),
                seen,
                ..Row::new(target, *slots)
            };
            let rows = (1..).zip(&self.slots).map(row).collect::<Vec<_>>();
            events.extend(self.engine.window(self.number, &rows));
            self.number += 1;
        }
        events
    }

    fn send(&mut self, target: u32, n: u64, slot: u8, packet: impl Fn(u64) -> Sampled) {
        self.slots[target as usize - 1][usize::from(slot)] += n;
        for _ in 0..n {
            self.sent += 1;
            let number = self.sent;
            self.engine.sample(target, Vector::Syn, || packet(number));
        }
    }

    fn tool(&mut self, target: u32, n: u64) {
        self.send(target, n, syn_slot(syn_fact::NO_OPTIONS | syn_fact::SEQ_LOW_ZERO), flood_syn);
    }

    fn answers(&mut self, target: u32, n: u64, port: u16) {
        self.slots[target as usize - 1][usize::from(feature_slot(kind::UDP_REFLECTION, false, false))] += n;
        for _ in 0..n {
            self.sent += 1;
            let number = self.sent;
            self.engine.sample(target, Vector::UdpReflection, || answer(number, port));
        }
    }

    fn ruled(&self) -> BTreeSet<u32> {
        self.engine.rules().filter(|(_, rule, _)| rule.matches.holds(&flood_syn(1).packet)).map(|(t, ..)| t).collect()
    }
}

fn began(events: &[Event]) -> Vec<(u64, u64, Label)> {
    let began = events.iter().filter_map(|e| match &e.step {
        Step::Began { label, .. } => Some((e.incident, e.window, *label)),
        _ => None,
    });
    began.collect()
}

fn told(events: Vec<Event>) -> Incidents {
    let mut incidents = Incidents::default();
    events.into_iter().for_each(|event| incidents.take(event));
    incidents
}

#[test]
fn a_flood_of_many_targets_is_one_incident_with_rules_that_they_share() {
    let mut town = Town::calm();
    let flood = town.windows(20, |town| (1..=8).for_each(|target| town.tool(target, 200)));
    assert_eq!(began(&flood), [(1, 650, Label::Attack)]);
    assert!(flood.iter().all(|e| e.incident == 1), "{flood:?}");
    assert_eq!(town.ruled(), (1..=8).collect());
    // One rule for all of them: rules are few.
    let rules = town.engine.rules().map(|(_, rule, _)| rule.matches.to_string()).collect::<BTreeSet<_>>();
    assert!(rules.len() <= 2, "{rules:?}");
    let after = town.windows(500, |_| ());
    assert_eq!(after.iter().filter(|e| matches!(e.step, Step::Now(_))).count(), 2, "once for all: {after:?}");
    let incidents = told(flood.into_iter().chain(after).collect());
    let all = incidents.iter().collect::<Vec<_>>();
    assert_eq!((all.len(), all[0].state, all[0].targets.clone()), (1, State::Ended, (1..=8).collect()));
    assert_eq!(all[0].name(), "carpet bombing (SYN flood)");
    assert!(all[0].evidence.contains(&"carpet: 8 targets are attacked at once".to_owned()), "{:?}", all[0].evidence);
    assert_eq!(town.engine.rules().count(), 0);
}

/// Nobody knows these targets' customers, so that answers nobody asked for are limited at each; it is told once for all, and once for each kind.
#[test]
fn what_is_limited_at_many_targets_is_told_once() {
    let mut town = Town::with(0);
    town.seen = true;
    let reflected = |town: &mut Town, port: u16| {
        for target in 1..=8 {
            town.answers(target, 300, port);
        }
    };
    let limits = |events: &[Event]| {
        let limited = events.iter().filter_map(|e| match &e.step {
            Step::Limited { limit } => Some((e.incident, e.window, limit.as_ref().map(|l| (l.packets, l.told())))),
            _ => None,
        });
        limited.collect::<Vec<_>>()
    };
    let dns = town.windows(10, |town| reflected(town, 53));
    assert_eq!(limits(&dns), [(1, 650, Some((200, "udp and sport 53".to_owned())))], "{dns:?}");
    assert_eq!(town.engine.limited().count(), 8);
    let ntp = town.windows(10, |town| reflected(town, 123));
    assert_eq!(limits(&ntp), [(1, 660, Some((200, "udp and sport 53 or udp and sport 123".to_owned())))]);
    let after = town.windows(600, |_| ());
    assert_eq!(limits(&after).iter().map(|(_, _, limit)| limit.clone()).collect::<Vec<_>>(), [None]);
    assert_eq!(town.engine.limited().count(), 0);
    let incidents = told(dns.into_iter().chain(ntp).chain(after).collect());
    let all = incidents.iter().collect::<Vec<_>>();
    assert_eq!((all.len(), all[0].state, all[0].targets.len()), (1, State::Ended, 8));
    assert!(all[0].mitigated.is_some(), "a limit is an answer");
}

/// Two packets of a tool per window and target: too few to be sure of at any of them for a second, and fifty in all.
#[test]
fn what_is_too_little_at_each_target_is_seen_over_all() {
    let mut town = Town::with(1);
    let flood = town.windows(30, |town| (1..=TARGETS as u32).for_each(|target| town.tool(target, 2)));
    assert_eq!(began(&flood), [(1, 650, Label::Attack)], "in its first window");
    let signed = flood.iter().find(|e| matches!(e.step, Step::Signed { .. })).unwrap();
    assert!(signed.window <= 653, "{signed:?}");
    assert_eq!(town.ruled(), (1..=TARGETS as u32).collect());
    let after = town.windows(600, |_| ());
    let incidents = told(flood.into_iter().chain(after).collect());
    let all = incidents.iter().collect::<Vec<_>>();
    assert_eq!((all.len(), all[0].state, all[0].targets.len()), (1, State::Ended, TARGETS));
    assert_eq!((town.engine.rules().count(), town.engine.signatures().count()), (0, 0));
}

/// Proper SYNs of one odd system, a few for each target: many only together, and unlike what these targets get.
#[test]
fn what_looks_odd_and_is_many_over_all_is_found_before_any_target_could() {
    let mut town = Town::calm();
    let flood =
        town.windows(8, |town| (1..=TARGETS as u32).for_each(|target| town.send(target, 14, syn_slot(0), other_syn)));
    let (_, window, label) = began(&flood)[0];
    assert_eq!(label, Label::Attack, "{flood:?}");
    assert!(window <= 653, "{window}");
    let matched = |rule: &weir_detect::signature::Signed| rule.matches.holds(&other_syn(1).packet);
    let ruled = town.engine.rules().filter(|(_, rule, _)| matched(rule)).map(|(t, ..)| t).collect::<BTreeSet<_>>();
    assert_eq!(ruled.len(), TARGETS, "{flood:?}");
    assert!((0..1000).all(|i| town.engine.rules().all(|(_, rule, _)| !rule.matches.holds(&customer(i).packet))));
}

#[test]
fn one_target_and_two_are_no_carpet() {
    let mut town = Town::calm();
    let flood = town.windows(20, |town| {
        town.tool(3, 300);
        town.tool(5, 300);
    });
    assert_eq!(began(&flood).len(), 2);
    let incidents = told(flood);
    assert!(incidents.iter().all(|i| i.targets.is_empty() && i.name() == "SYN flood"));
    assert_eq!(town.ruled(), [3, 5].into());
    // A third one a second later makes it one, and the two are told as parts of it.
    let more = town.windows(10, |town| [3, 5, 9].into_iter().for_each(|target| town.tool(target, 300)));
    assert!(more.iter().any(|e| e.step == Step::Joined { into: 1 } && e.incident == 2), "{more:?}");
    assert!(more.iter().any(|e| e.step == Step::Spread { targets: vec![3, 5, 9] }), "{more:?}");
}

#[test]
fn a_crowd_at_all_targets_is_nobodys_attack() {
    let mut town = Town::calm();
    let crowd = town.windows(100, |town| {
        (1..=TARGETS as u32).for_each(|target| town.send(target, 12, syn_slot(0), customer));
        town.send(4, 300, syn_slot(0), customer);
    });
    assert!(began(&crowd).iter().all(|(.., label)| *label == Label::Surge), "{crowd:?}");
    assert_eq!(town.engine.rules().count(), 0);
}

#[test]
fn a_target_that_is_gone_is_no_part_of_it() {
    let mut town = Town::calm();
    let flood = town.windows(10, |town| (1..=4).for_each(|target| town.tool(target, 200)));
    let mut incidents = told(flood);
    town.engine.forget(1);
    incidents.gone(1, town.number);
    let one = incidents.iter().next().unwrap();
    assert_eq!((one.target, one.targets.clone(), one.state), (2, vec![2, 3, 4], State::Mitigating));
    assert!(town.ruled().iter().all(|target| *target != 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// As for one target, in `engine.rs`: nothing is dropped on volume alone, and nothing stays.
    #[test]
    fn whatever_comes_at_several_targets_is_judged_as_at_one(
        windows in prop::collection::vec(prop::collection::vec((0usize..5, 0..FEATURE_SLOTS, 0u64..3000, any::<[u8; 3]>()), 0..12), 1..40),
        warm_up in 0u64..10,
    ) {
        let mut engine = Engine::new(Settings { warm_up, enough: 4, ..Settings::default() });
        let mut slots = [[0u64; FEATURE_SLOTS]; 5];
        let rows = |slots: &[[u64; FEATURE_SLOTS]; 5]| {
            (1..).zip(slots).map(|(t, s)| Row { network: Some(u64::from(t % 2)), seen: true, challenge: true, ..Row::new(t, *s) }).collect::<Vec<_>>()
        };
        engine.window(0, &rows(&slots));
        let mut attacks = BTreeSet::new();
        for (number, window) in (1..).zip(windows) {
            for (target, slot, n, bytes) in window {
                slots[target][slot] += n;
                let mut packet = weir_policy::rules::MatchVector::default();
                packet[..3].copy_from_slice(&bytes);
                let sampled = Sampled { packet, source: Addr::default(), weight: 1, proven: bytes[0] & 7 == 0 };
                for vector in Vector::ALL {
                    engine.sample(target as u32 + 1, vector, || sampled);
                }
            }
            for event in engine.window(number, &rows(&slots)) {
                if event.vector == Vector::Slow {
                    let told = matches!(event.step, Step::Began { .. } | Step::Now(_));
                    prop_assert!(told || matches!(event.step, Step::Closes { .. } | Step::Released(_)), "{:?}", event.step);
                    continue;
                }
                match event.step {
                    Step::Began { label: Label::Attack, verdict, .. } => {
                        let strays = verdict.scores.iter().any(|score| score.detector == "strays" && score.alarm);
                        let contained = event.vector == Vector::Syn && verdict.confidence >= 0.8;
                        prop_assert!(verdict.may_drop() || strays || contained, "{verdict:?}");
                        prop_assert!(verdict.families.iter().any(|f| *f != weir_detect::detector::Family::Volume));
                        attacks.insert(event.incident);
                    }
                    Step::Spread { targets } => prop_assert!(targets.iter().all(|t| (1..=5).contains(t))),
                    Step::Signed { signature, .. } => {
                        prop_assert!(attacks.contains(&event.incident));
                        prop_assert!(signature.rules.len() <= 8);
                    }
                    _ => {}
                }
            }
            prop_assert!(engine.rules().filter(|(.., drops)| *drops).all(|(_, rule, _)| rule.collateral <= 5e-4));
        }
        for number in 1000..19_200 {
            engine.window(number, &rows(&slots));
        }
        prop_assert_eq!((engine.rules().count(), engine.held().count(), engine.challenged().count(), engine.closing().count()), (0, 0, 0, 0));
    }
}
