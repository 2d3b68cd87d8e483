//! D3 for the mix of kinds: much of a kind of packets of which a target gets hardly any. No picture of such packets was learned to compare with; that they
//! come at all is what looks otherwise.
//!
//! It may be a service that has only just begun. What is served is answered, so that it says nothing where the target sends more than usual as well; but of
//! ICMP, which is nobody's service, and which hosts answer by themselves. And it says nothing of a few machines that send moderately: those who collect what
//! others report answer nobody.

use std::collections::BTreeSet;

use super::hygiene::{is_proof, likelihood_ratio};
use super::{CAP, Family, Score, words};
use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::regulars::one;
use crate::vector::Vector;
use crate::watch::Sampled;

/// Packets of a window that are hardly any: one in a second.
const HARDLY_ANY: f64 = 1.0 / WINDOWS_PER_SECOND as f64;
/// Packets of a target, of any kind, after which its kinds are known: a kind of which none was among them is below the share of what no customer sends
/// (3 / 6000, the rule of three).
const KNOWN: u64 = 6000;
/// Packets of a window that are much, of many sources: a thousand in a second …
const MUCH: u64 = 1000 / WINDOWS_PER_SECOND as u64;
/// … which are so many, or more of anybody.
const SOURCES: usize = 32;
const VERY_MUCH: u64 = 100 * MUCH;
/// Answers to a part of it are answers.
const ANSWERED: f64 = 0.25;

/// A window of a target.
#[derive(Clone, Copy, Debug)]
pub struct Came<'a> {
    /// The kind of packets.
    pub vector: Vector,
    /// How many came.
    pub count: u64,
    /// How many of all kinds.
    pub all: u64,
    /// What the target sent more than usual, where that is known.
    pub answers: Option<f64>,
    /// Benign packets of it that were seen, ever.
    pub benign: u64,
    /// Samples of the kind.
    pub samples: &'a [Sampled],
}

/// Looks at a window; nothing of kinds that are usual, or that others look at.
pub fn window(came: &Came<'_>, usual: &Fast) -> Option<Score> {
    let judged = matches!(came.vector, Vector::Udp | Vector::Icmp | Vector::Fragment | Vector::Other);
    if !judged || usual.mean() > HARDLY_ANY || came.benign < KNOWN {
        return None;
    }
    let count = came.count;
    let served = came.answers.is_none_or(|answers| answers > ANSWERED * count as f64);
    let sources = || came.samples.iter().map(|sampled| one(sampled.source)).collect::<BTreeSet<_>>().len();
    let much = count >= VERY_MUCH || count >= MUCH && sources() >= SOURCES;
    let unserved = came.vector == Vector::Icmp || !served;
    let alarm = much && unserved && is_proof(likelihood_ratio(count, came.all), count);
    let evidence = words(alarm, || {
        let usual = usual.mean() * f64::from(WINDOWS_PER_SECOND);
        let share = 100.0 * count as f64 / came.all.max(1) as f64;
        let kind = came.vector.label();
        let answers = if came.vector == Vector::Icmp { "" } else { ", and the target answers few of them" };
        format!("{share:.0} % of what comes is {kind}, of which {usual:.1} packets/s are usual{answers}")
    });
    let value = if alarm { CAP } else { 0.0 };
    Some(Score { detector: "kind", family: Family::Shape, value, alarm, evidence })
}

#[cfg(test)]
mod tests {
    //! A web service, and what may come to it over UDP one day.
    use super::*;
    use weir_abi::Addr;

    fn from(sources: u32) -> Vec<Sampled> {
        let sampled = |i| Sampled { packet: Default::default(), source: Addr::v4(i), weight: 1, proven: false };
        (0..200).map(|i| sampled(i % sources)).collect()
    }

    const FLOOD: Came<'static> =
        Came { vector: Vector::Udp, count: 5000, all: 5500, answers: Some(80.0), benign: 10_000, samples: &[] };

    fn alarms(came: Came<'_>, usual: &Fast) -> bool {
        window(&came, usual).is_some_and(|score| score.alarm)
    }

    #[test]
    fn much_of_what_never_came_alarms_unless_it_is_served() {
        let (many, none) = (from(200), Fast::default());
        let flood = Came { samples: &many, ..FLOOD };
        let score = window(&flood, &none).unwrap();
        assert!(score.alarm && score.value == CAP && score.family == Family::Shape);
        assert_eq!(
            score.evidence,
            "91 % of what comes is udp, of which 0.0 packets/s are usual, and the target answers few of them"
        );
        assert!(!alarms(Came { answers: Some(4800.0), ..flood }, &none), "a service has begun");
        assert!(!alarms(Came { answers: None, ..flood }, &none), "nobody knows whether it is answered");
        assert!(alarms(Came { answers: Some(4800.0), vector: Vector::Icmp, ..flood }, &none), "hosts answer pings");
        assert!(!alarms(Came { benign: 5000, ..flood }, &none), "little is known of the target");
        assert!(!alarms(Came { vector: Vector::Syn, ..flood }, &none), "handshakes tell more");
    }

    #[test]
    fn a_kind_that_is_usual_is_for_its_shape_to_judge() {
        let mut usual = Fast::default();
        (0..600).for_each(|i| usual.learn(f64::from(i % 2)));
        assert_eq!(window(&FLOOD, &usual), None);
    }

    #[test]
    fn few_machines_that_report_are_nobodys_flood_until_it_is_very_much() {
        let (few, none) = (from(20), Fast::default());
        assert!(!alarms(Came { samples: &few, ..FLOOD }, &none));
        assert!(alarms(Came { samples: &few, count: 20_000, all: 20_500, ..FLOOD }, &none));
        let many = from(200);
        assert!(!alarms(Came { samples: &many, count: 90, all: 590, ..FLOOD }, &none), "it is not much");
        assert!(alarms(Came { samples: &many, count: 110, all: 610, answers: Some(10.0), ..FLOOD }, &none));
    }
}
