//! What holds whatever comes, in whatever order: volume alone drops nothing, caps are caps, and everything that is in force ends.

mod common;

use std::collections::BTreeMap;

use common::customer;
use proptest::prelude::*;
use weir_abi::counters::{fact, feature_slot, kind, syn_slot};
use weir_abi::{Addr, FEATURE_SLOTS};
use weir_detect::engine::{Engine, Row, Settings};
use weir_detect::signature::Use;
use weir_detect::vector::Vector;
use weir_detect::watch::{Label, Sampled, Step};

/// Half an hour of silence is the longest that anything stays; a window more says that it is over.
const LONGEST: u64 = 18_000;
/// What strays are held to at least, packets per second.
const LEAST_HELD: u64 = 200;

/// What reaches an engine beside what customers could send.
#[derive(Clone, Debug)]
enum Input {
    /// Packets by slot, and samples by vector, of a target.
    Window { target: u32, counts: Vec<(usize, u64)>, samples: Vec<(usize, [u8; 8])>, seen: bool },
    /// The reader was late by so many windows.
    Late(u64),
    /// The counters begin anew.
    Restart(u32),
    /// A number stands for another target.
    Forget(u32),
}

fn input() -> impl Strategy<Value = Input> {
    let counts = prop::collection::vec((0..FEATURE_SLOTS, 0u64..20_000), 0..5);
    let samples = prop::collection::vec((0..Vector::ALL.len(), any::<[u8; 8]>()), 0..60);
    let window = (1u32..4, counts, samples, prop::bool::weighted(0.8))
        .prop_map(|(target, counts, samples, seen)| Input::Window { target, counts, samples, seen });
    prop_oneof![
        20 => window,
        1 => (2u64..40).prop_map(Input::Late),
        1 => (1u32..4).prop_map(Input::Restart),
        1 => (1u32..4).prop_map(Input::Forget),
    ]
}

/// Targets' counters, and the engine that reads them.
struct Node {
    engine: Engine,
    slots: BTreeMap<u32, [u64; FEATURE_SLOTS]>,
    seen: BTreeMap<u32, bool>,
    number: u64,
}

impl Node {
    fn new(settings: Settings) -> Self {
        let slots = (1..4).map(|target| (target, [0; FEATURE_SLOTS])).collect();
        let mut node = Self { engine: Engine::new(settings), slots, seen: BTreeMap::new(), number: 0 };
        node.windows(1);
        node
    }

    fn windows(&mut self, lasted: u64) -> Vec<weir_detect::engine::Event> {
        let seen = |target: &u32| self.seen.get(target).copied().unwrap_or(true);
        let rows = self.slots.iter().map(|(target, slots)| Row { seen: seen(target), ..Row::new(*target, *slots) });
        let rows = rows.collect::<Vec<_>>();
        let events = self.engine.windows(self.number, lasted, &rows);
        self.number += lasted;
        events
    }

    fn take(&mut self, input: Input) -> Vec<weir_detect::engine::Event> {
        match input {
            Input::Window { target, counts, samples, seen } => {
                let slots = self.slots.get_mut(&target).unwrap();
                counts.into_iter().for_each(|(slot, n)| slots[slot] = slots[slot].wrapping_add(n));
                for (vector, bytes) in samples {
                    let mut packet = weir_policy::rules::MatchVector::default();
                    packet[..8].copy_from_slice(&bytes);
                    let source = Addr { hi: 0, lo: bytes[7].into() };
                    self.engine.sample(target, Vector::ALL[vector], || Sampled {
                        packet,
                        source,
                        weight: 1,
                        proven: false,
                    });
                }
                self.seen.insert(target, seen);
                self.windows(1)
            }
            Input::Late(windows) => self.windows(windows),
            Input::Restart(target) => {
                self.slots.insert(target, [0; FEATURE_SLOTS]);
                self.windows(1)
            }
            Input::Forget(target) => {
                self.engine.forget(target);
                self.windows(1)
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn caps_are_caps_and_everything_ends(inputs in prop::collection::vec(input(), 1..80), warm_up in 0u64..20) {
        let settings = Settings { warm_up, enough: 4, ..Settings::default() };
        let mut node = Node::new(settings);
        // Some of what comes are connections, so that strays can be told from them.
        for _ in 0..20 {
            for slots in node.slots.values_mut() {
                slots[usize::from(fact::KNOWN)] += 100;
                slots[usize::from(feature_slot(kind::TCP, true, false))] += 100;
            }
            node.windows(1);
        }
        for input in inputs {
            for event in node.take(input) {
                if let Step::Signed { signature, .. } = event.step {
                    let drops = signature.rules.iter().filter(|rule| rule.may == Use::Drop);
                    prop_assert!(drops.clone().all(|rule| rule.collateral <= settings.signature.drop_below));
                }
            }
            let mut rules = 0;
            for (_, _, signature) in node.engine.signatures() {
                prop_assert!(signature.rules.len() <= settings.signature.rules);
                prop_assert!(signature.rules.iter().all(|rule| !rule.matches.terms.is_empty()), "{:?}", signature);
                rules += 1;
            }
            prop_assert!(rules <= 3 * Vector::ALL.len(), "one signature for each kind of each target");
            let held = node.engine.held().collect::<Vec<_>>();
            prop_assert!(held.iter().all(|(target, held)| *held >= LEAST_HELD && (1..4).contains(target)), "{:?}", held);
            prop_assert!(held.len() <= 3, "one limit for each target: {:?}", held);
        }
        (0..LONGEST + 100).for_each(|_| drop(node.windows(1)));
        prop_assert_eq!((node.engine.signatures().count(), node.engine.held().count()), (0, 0));
    }

    /// Any number of customers, whenever they come: their packets look as they always do, and their connections come about.
    #[test]
    fn volume_alone_drops_nothing(
        crowds in prop::collection::vec((0u64..4000, 1u64..40), 1..12),
        datagrams in prop::collection::vec(0u64..100_000, 12),
        warm_up in 0u64..100,
    ) {
        let mut node = Node::new(Settings { warm_up, ..Settings::default() });
        let mut sent = 0u64;
        let mut window = |node: &mut Node, syns: u64, datagrams: u64| {
            let slots = node.slots.get_mut(&1).unwrap();
            slots[usize::from(syn_slot(0))] += syns;
            slots[usize::from(fact::COMPLETED)] += syns;
            slots[usize::from(fact::KNOWN)] += 10 * syns;
            slots[usize::from(fact::UNKNOWN)] += syns / 20;
            slots[usize::from(feature_slot(kind::TCP, true, false))] += 10 * syns + syns / 20;
            slots[usize::from(feature_slot(kind::UDP, false, false))] += datagrams;
            for vector in [Vector::Syn, Vector::Tcp, Vector::Udp] {
                for _ in 0..syns.min(100) {
                    sent += 1;
                    let number = sent;
                    node.engine.sample(1, vector, || customer(number));
                }
            }
            node.windows(1)
        };
        for _ in 0..200 {
            window(&mut node, 40, 40);
        }
        for ((syns, lasts), datagrams) in crowds.into_iter().zip(datagrams) {
            for _ in 0..lasts {
                for event in window(&mut node, syns, datagrams) {
                    let attack = matches!(event.step, Step::Began { label: Label::Attack, .. });
                    prop_assert!(!attack && !matches!(event.step, Step::Signed { .. } | Step::Held { .. }), "{:?}", event);
                }
                prop_assert_eq!((node.engine.signatures().count(), node.engine.held().count()), (0, 0));
            }
        }
    }
}
