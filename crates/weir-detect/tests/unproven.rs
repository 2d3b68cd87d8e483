//! Attacks of which too little is known to drop by rules, and one that is too small a part of what comes for rules that need it to be more.

mod common;

use common::{Traffic, answer, began, customer, signed};
use weir_detect::engine::{Engine, Event};
use weir_detect::incident::{Release, State};
use weir_detect::lay::Layer;
use weir_detect::record::Incidents;
use weir_detect::watch::{Label, Limited, Step};
use weir_policy::rules::{Match, MatchVector, Mode};

/// Every change of what is limited: the window, and the limit in words.
fn limits(events: &[Event]) -> Vec<(u64, String)> {
    let told = |limit: &Option<Limited>| limit.as_ref().map_or_else(|| "none".to_owned(), Limited::told);
    let limits = events.iter().filter_map(|e| match &e.step {
        Step::Limited { limit } => Some((e.window, told(limit))),
        _ => None,
    });
    limits.collect()
}

/// Rules as they are laid: what they match, and how they act.
fn laid(engine: &Engine) -> Vec<(String, Mode)> {
    let mut layer = Layer::default();
    layer.lay(engine, 250).rules.iter().map(|rule| (rule.matches.to_string(), rule.mode)).collect()
}

/// Nothing is known of the target's customers yet. Nobody asked, so that it is an attack; which of its packets are nobody's
/// cannot be proven, and it is held to what harms nobody.
#[test]
fn answers_to_a_target_that_nobody_knows_are_limited_by_their_ports() {
    let mut traffic = Traffic::new();
    let dns = traffic.windows(10, |traffic| traffic.reflected(3000, 53));
    assert_eq!(began(&dns), [(0, Label::Attack)]);
    assert_eq!((signed(&dns), limits(&dns)), (vec![], vec![(0, "udp and sport 53".to_owned())]));
    assert_eq!(laid(&traffic.engine), [("udp and sport 53".to_owned(), Mode::Limit)]);

    // Reflectors of another kind take over: both are limited from their first window on.
    let ntp = traffic.windows(10, |traffic| traffic.reflected(3000, 123));
    let both = "udp and sport 53 or udp and sport 123".to_owned();
    assert_eq!(limits(&ntp), [(10, both)]);
    let limited: Vec<_> = traffic.engine.limited().map(|(target, _, limit)| (target, limit.packets)).collect();
    assert_eq!((limited, laid(&traffic.engine).len()), (vec![(7, 200)], 2));

    let mut incidents = Incidents::default();
    dns.into_iter().chain(ntp).for_each(|event| incidents.take(event));
    let evidence = &incidents.iter().next().expect("an incident").evidence;
    let line =
        "limit: 200 packets/s that match udp and sport 53 or udp and sport 123, of sources that do not come regularly";
    assert!(evidence.iter().any(|told| told == line), "{evidence:?}");

    let after = traffic.windows(500, |_| {});
    assert!(after.iter().any(|e| e.step == Step::Released(Release::All)));
    assert!(after.iter().any(|e| e.step == Step::Now(State::Ended)));
    assert_eq!(laid(&traffic.engine), []);
}

/// A carpet's part at one target: too few packets for rules to be looked for before three windows are over, and enough to see that nobody asked.
#[test]
fn a_few_answers_that_nobody_asked_for_are_limited_as_soon_as_they_are_more_than_the_limit() {
    let mut traffic = Traffic::new();
    let ntp = traffic.windows(3, |traffic| {
        traffic.unseen_answers(65);
        traffic.reflected(5, 123);
    });
    assert_eq!((began(&ntp), limits(&ntp)), (vec![(0, Label::Attack)], vec![(2, "udp and sport 123".to_owned())]));
    assert_eq!(laid(&traffic.engine), [("udp and sport 123".to_owned(), Mode::Limit)]);
    // What the limit would let pass needs none.
    let mut little = Traffic::new();
    let less = little.windows(30, |traffic| traffic.reflected(20, 123));
    assert_eq!((began(&less), limits(&less)), (vec![(0, Label::Attack)], vec![]));
}

/// A thousand packets of customers are known, which is too few to drop by a rule: it limits what it matches, and no more.
#[test]
fn a_rule_that_may_not_drop_limits_what_it_matches() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(50, |traffic| traffic.customers(20));
    let flood = traffic.windows(5, |traffic| {
        traffic.customers(20);
        traffic.reflected(3000, 53);
    });
    assert_eq!(signed(&flood).len(), 1, "{flood:?}");
    let rules = laid(&traffic.engine);
    assert!(!rules.is_empty() && rules.iter().all(|(_, mode)| *mode == Mode::Limit), "{rules:?}");
    let matches =
        |packet: &MatchVector| rules.iter().any(|(text, _)| text.parse::<Match>().expect("a rule").holds(packet));
    assert!((0..500).all(|i| matches(&answer(i, 53).packet) && !matches(&customer(i).packet)), "{rules:?}");
    assert!(!matches(&answer(1, 123).packet), "it is about what comes: {rules:?}");
}

/// Six thousand are enough: it drops, and nothing is limited.
#[test]
fn a_rule_that_may_drop_needs_no_limit() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let flood = traffic.windows(20, |traffic| {
        traffic.customers(20);
        traffic.reflected(3000, 53);
    });
    assert_eq!((signed(&flood), limits(&flood)), (vec![700], vec![]));
    assert!(laid(&traffic.engine).iter().all(|(_, mode)| *mode == Mode::Enforce));

    // Other reflectors: a limit bridges the time until there is a rule for them, and goes when there is one.
    let ntp = traffic.windows(20, |traffic| {
        traffic.customers(20);
        traffic.reflected(3000, 123);
    });
    let (limited, rules) = (limits(&ntp), signed(&ntp));
    assert_eq!(limited.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>(), ["udp and sport 123", "none"]);
    assert!(limited[0].0 <= 721 && rules.len() == 1 && rules[0] <= limited[1].0, "{limited:?} {rules:?}");
    assert!(laid(&traffic.engine).iter().all(|(_, mode)| *mode == Mode::Enforce));
}

/// One SYN in eight is a tool's. No volume tells, and rules that may match customers would have to cover more; these cannot.
#[test]
fn a_tool_that_hides_among_customers_is_matched_by_what_no_customer_sends() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.connects(27));
    let slow = traffic.windows(60, |traffic| {
        traffic.connects(27);
        traffic.flood(4);
    });
    assert_eq!(began(&slow).iter().map(|(_, label)| *label).collect::<Vec<_>>(), [Label::Attack]);
    assert_eq!(signed(&slow).len(), 1, "{slow:?}");
    let rules = traffic.engine.rules().collect::<Vec<_>>();
    assert!(!rules.is_empty() && rules.iter().all(|(_, rule, drops)| *drops && rule.coverage < 0.3), "{rules:?}");
    assert!((0..1000).all(|i| traffic.engine.rules().all(|(_, rule, _)| !rule.matches.holds(&customer(i).packet))));
}
