//! What an engine learned, kept, and given to the next one.

mod common;

use common::{Traffic, began, signed};
use weir_detect::engine::{Engine, Memory, Settings};
use weir_detect::vector::Vector;
use weir_detect::watch::Label;

/// What the engine knows of the traffic's target, through the forms in which it is kept.
fn kept(engine: &Engine) -> Memory {
    let learned = serde_json::to_string(&engine.learned(7).unwrap()).unwrap();
    let learned = serde_json::from_str(&learned).unwrap();
    Memory { learned, benign: engine.benign(7, 8000), weeks: engine.weeks(7) }
}

/// The same traffic before a new engine that was given what the old one knew.
fn restarted(traffic: Traffic, away: u64) -> Traffic {
    let memory = kept(&traffic.engine);
    let mut engine = Engine::new(Settings::default());
    assert_eq!(engine.restore(7, &memory, away), Vec::<&str>::new());
    traffic.before(engine)
}

#[test]
fn what_was_learned_is_known_to_the_next_engine() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let before = traffic.engine.known(7).unwrap();
    let memory = kept(&traffic.engine);
    let mut traffic = restarted(traffic, 50);
    let after = traffic.engine.known(7).unwrap();
    assert_eq!(after.kinds.len(), before.kinds.len());
    for (a, b) in after.kinds.iter().zip(&before.kinds) {
        assert_eq!((a.vector, a.windows), (b.vector, b.windows));
        assert!((a.mean - b.mean).abs() < 1e-6 && (a.deviation - b.deviation).abs() < 1e-6, "{a:?}, {b:?}");
    }
    assert!(before.benign > 8000);
    assert_eq!(after.benign, 8000, "an even choice of them");
    assert_eq!(kept(&traffic.engine).benign, memory.benign);

    // A crowd is noticed at once: there is nothing to learn again.
    let first = traffic.number;
    let crowd = traffic.windows(20, |traffic| traffic.customers(400));
    assert!(matches!(began(&crowd)[..], [(at, Label::Surge)] if at < first + 10), "{:?}", began(&crowd));
}

#[test]
fn after_an_hour_rates_are_learned_anew_and_looks_are_not() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let mut traffic = restarted(traffic, 36_000);
    let known = traffic.engine.known(7).unwrap();
    assert!(known.kinds.iter().all(|kind| kind.windows == 0) && known.benign > 1000);
    let other = traffic.windows(100, |traffic| traffic.customers(400));
    assert_eq!(began(&other), [], "another time of the day has other rates");
}

#[test]
fn an_attack_that_goes_on_is_met_in_the_first_windows_of_the_next_engine() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let both = |traffic: &mut Traffic| {
        traffic.customers(20);
        traffic.flood(2000);
    };
    let flood = traffic.windows(20, both);
    let rules = |traffic: &Traffic| {
        let all = traffic.engine.signatures().flat_map(|(_, _, signature)| &signature.rules);
        all.map(|rule| rule.matches.to_string()).collect::<Vec<_>>()
    };
    let (before, usual) = (rules(&traffic), traffic.engine.known(7).unwrap().kinds[Vector::Syn as usize]);
    assert!(!signed(&flood).is_empty() && !before.is_empty());

    let mut traffic = restarted(traffic, 20);
    assert_eq!(rules(&traffic), Vec::<String>::new(), "what sleeps is not in force");
    assert_eq!(traffic.engine.known(7).unwrap().kinds[Vector::Syn as usize].asleep, before.len());
    let again = traffic.windows(5, both);
    // The first window has no counters to be compared with.
    assert_eq!(signed(&again)[0], began(&again)[0].0, "no new rules are looked for");
    assert_eq!(rules(&traffic), before);
    let after = traffic.engine.known(7).unwrap().kinds[Vector::Syn as usize];
    assert!((after.mean - usual.mean).abs() < 0.01 * usual.mean, "the attack taught nothing: {after:?}, {usual:?}");
}

#[test]
fn rules_that_slept_for_a_day_do_not_come_back() {
    let mut traffic = Traffic::new();
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let _ = traffic.windows(20, |traffic| traffic.flood(2000));
    let traffic = restarted(traffic, 24 * 36_000);
    assert!(traffic.engine.known(7).unwrap().kinds.iter().all(|kind| kind.asleep == 0));
}

#[test]
fn pieces_that_are_not_understood_begin_anew_by_themselves() {
    let mut traffic = Traffic::new();
    traffic.engine.hour(100);
    let _ = traffic.windows(700, |traffic| traffic.customers(20));
    let memory = kept(&traffic.engine);
    assert!(memory.weeks.len() > 100);
    let mut engine = Engine::new(Settings::default());
    let cut = Memory { benign: memory.benign[..99].to_vec(), weeks: vec![9, 9], ..memory.clone() };
    assert_eq!(engine.restore(7, &cut, 0), ["benign packets", "rates by the hour"]);
    let known = engine.known(7).unwrap();
    assert_eq!((known.benign, known.kinds[Vector::Syn as usize].windows > 600), (0, true));

    let later = serde_json::to_string(&memory.learned).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    let later = Memory { learned: serde_json::from_str(&later).unwrap(), ..memory };
    assert!(!later.learned.is_current());
    assert_eq!(Engine::new(Settings::default()).restore(7, &later, 0), ["all of it"]);
}

/// After two weeks the evening's peak is no surge, and twice that is one.
#[test]
fn what_is_usual_at_this_hour_is_no_surge() {
    let mut traffic = Traffic::new();
    let evening = 24 * 15 + 20;
    let mut surges = 0;
    for hour in 0..evening {
        traffic.engine.hour(hour);
        // Hours are short here: what counts are seconds, and there must be some left when the first surge is over.
        let (windows, customers) = if hour % 24 == 20 { (12_000, 200) } else { (100, 20) };
        surges += began(&traffic.windows(windows, |traffic| traffic.unseen_customers(customers))).len();
    }
    assert!(surges > 0, "before a week has passed nobody can know");
    let mut surges = |customers| {
        traffic.engine.hour(evening);
        began(&traffic.windows(30, |traffic| traffic.unseen_customers(customers))).len()
    };
    assert_eq!(surges(200), 0);
    assert_eq!(surges(400), 1, "more than is usual even now");
    let hourly = traffic.engine.known(7).unwrap().kinds[Vector::Syn as usize].hourly.unwrap();
    assert!((1900.0..2100.0).contains(&hourly.p99) && hourly.max < 2100.0, "{hourly:?}");
}
