//! Floods of kinds of packets that no handshake vouches for: beside customers who come again, and at targets that never get any.

mod common;

use common::{Traffic, began, signed};
use weir_detect::engine::Event;
use weir_detect::lay::Layer;
use weir_detect::watch::{Label, Step};
use weir_policy::rules::Mode;

/// A customer of a hundred, each at its own distance.
fn customer(i: u64) -> (u32, u8) {
    ((i % 100) as u32, 50 + (i % 20) as u8)
}

/// Somebody else each time, of one distance.
fn forged(i: u64) -> (u32, u8) {
    ((i as u32).wrapping_mul(2_654_435_761) | 1 << 31, 120)
}

/// A name server whose customers ask two hundred times a second, after a minute.
fn names() -> Traffic {
    let mut traffic = Traffic::new();
    assert_eq!(traffic.windows(700, |traffic| traffic.questions(20, customer)), []);
    traffic
}

/// A web server that no datagram ever came to.
fn web() -> Traffic {
    let mut traffic = Traffic::new();
    let calm = traffic.windows(700, |traffic| {
        traffic.connects(10);
        traffic.sends(30);
    });
    assert_eq!(calm, []);
    traffic
}

/// The words of what was noticed first.
fn evidence(events: &[Event]) -> Vec<&'static str> {
    let verdict = events.iter().find_map(|event| match &event.step {
        Step::Began { verdict, .. } => Some(verdict),
        _ => None,
    });
    let alarms = verdict.iter().flat_map(|verdict| &verdict.scores).filter(|score| score.alarm);
    alarms.map(|score| score.detector).collect()
}

/// What is in force.
fn laid(traffic: &Traffic) -> Vec<(String, Mode)> {
    let mut layer = Layer::default();
    layer.lay(&traffic.engine, 250).rules.iter().map(|rule| (rule.matches.to_string(), rule.mode)).collect()
}

#[test]
fn a_flood_of_forged_sources_that_hardly_doubles_what_comes_is_noticed_in_its_second_window() {
    let mut traffic = names();
    let flood = traffic.windows(10, |traffic| {
        traffic.questions(20, customer);
        traffic.questions(30, forged);
    });
    assert_eq!(began(&flood), [(701, Label::Attack)]);
    assert_eq!(evidence(&flood), ["newcomers", "shape"], "the rate alone would need many windows more");
    assert!(signed(&flood).iter().all(|window| *window <= 703), "{:?}", signed(&flood));
    assert!(laid(&traffic).iter().any(|(rule, mode)| rule.contains("ttl 120") && *mode == Mode::Enforce));
}

#[test]
fn a_crowd_of_new_customers_who_look_as_others_do_is_a_surge() {
    let mut traffic = names();
    let crowd = traffic.windows(20, |traffic| traffic.questions(200, |i| (1_000_000 + i as u32, 50 + (i % 20) as u8)));
    assert_eq!(began(&crowd), [(701, Label::Surge)]);
    assert_eq!(laid(&traffic), []);
}

#[test]
fn pings_to_a_target_that_gets_none_are_an_attack_though_nothing_is_known_of_pings() {
    let mut traffic = web();
    let flood = traffic.windows(10, |traffic| {
        traffic.connects(10);
        traffic.pings(5000, forged);
        // Each is answered, which proves nothing.
        traffic.sends(5030);
    });
    assert_eq!(began(&flood), [(701, Label::Attack)]);
    assert_eq!(evidence(&flood), ["kind", "newcomers", "rate"]);
    assert_eq!(laid(&traffic).len(), 1);
}

#[test]
fn datagrams_that_a_target_does_not_answer_are_an_attack_and_a_service_that_begins_is_none() {
    let mut traffic = web();
    let flood = traffic.windows(10, |traffic| {
        traffic.connects(10);
        traffic.questions(2000, forged);
        // "Port unreachable", as often as the host says so.
        traffic.sends(30 + 100);
    });
    assert_eq!((began(&flood), laid(&traffic).len()), (vec![(701, Label::Attack)], 1));

    let mut traffic = web();
    let begins = traffic.windows(100, |traffic| {
        traffic.connects(10);
        traffic.questions(2000, forged);
        traffic.sends(30 + 1500);
    });
    assert_eq!((began(&begins), laid(&traffic)), (vec![(701, Label::Surge)], vec![]));
}

/// Tools choose ports by chance, and some of them are reflectors' ports.
#[test]
fn packets_that_an_answer_to_another_kind_drops_are_not_told_once_more() {
    let mut traffic = names();
    let flood = traffic.windows(40, |traffic| {
        traffic.questions(20, customer);
        traffic.questions(5000, forged);
        if traffic.number >= 710 {
            traffic.reflected_questions(40, forged);
        }
    });
    assert_eq!(began(&flood), [(701, Label::Attack)]);
    // Another tool's are another matter.
    let other = traffic.windows(10, |traffic| {
        traffic.questions(20, customer);
        traffic.questions(5000, forged);
        traffic.reflected(300, 123);
    });
    assert_eq!(began(&other), [(740, Label::Attack)]);
}
