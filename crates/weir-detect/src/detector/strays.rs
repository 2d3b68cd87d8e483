//! D6: TCP packets of connections that the host does not take part in. Customers send hardly any: the last ones of a connection that
//! is closed already.

use serde::{Deserialize, Serialize};

use super::{CAP, Family, Score, words};
use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::vector::Window;
use weir_abi::Feature;

/// Strays in a window below which it says nothing: a thousand per second.
const LEAST: u64 = 100;
/// Strays per second that are let through at least.
const LEAST_LET: u64 = 200;
/// An alarm needs so many times the usual share.
const TIMES: f64 = 5.0;
/// The share of the strays that must come on top of what usually comes: others take the place of known packets.
const OWN: f64 = 0.5;
/// The usual share is taken to be at least this: one connection that is closed has a few.
const FLOOR: f64 = 0.01;
/// No share can be so many times the usual where this is usual: the host's answers take another way.
const BLIND: f64 = 0.15;
/// Packets of known flows from which on there is a usual.
const TAUGHT: f64 = 200.0;
/// Weight of a window in what is usual: a minute.
const WEIGHT: f64 = 1.0 / 600.0;
/// Packets of a window from which on hardly any stray says that these are customers.
const MANY: u64 = 50;

/// What is usual at a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Strays {
    /// Share of strays among its TCP packets.
    usual: f64,
    /// Packets of known flows that taught it.
    taught: f64,
    /// Strays per window.
    calm: Fast,
    /// TCP packets per window.
    all: Fast,
}

/// What a window's strays say, and how many there may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The score.
    pub score: Score,
    /// Strays of the window.
    pub strays: u64,
    /// Strays per second that do no harm to anybody's closing connections: twice what the busiest calm windows have.
    pub harmless: u64,
}

impl Strays {
    /// Takes a window. Nothing where too little is known, or comes.
    pub fn window(&mut self, window: &Window) -> Option<Said> {
        let (strays, known) = (window.feature(Feature::UnknownFlow), window.feature(Feature::KnownFlow));
        let all = strays + known;
        if all == 0 {
            return None;
        }
        let share = strays as f64 / all as f64;
        let usual = self.usual.max(FLOOR);
        let told = self.taught >= TAUGHT && self.usual < BLIND;
        // A service that starts anew has lost its connections, and their packets are strays for a while: but not more than usual come.
        let more = all as f64 - self.all.mean() >= OWN * strays as f64;
        let alarm = told && strays >= LEAST && share > TIMES * usual && more;
        if strays < LEAST || share <= TIMES * usual {
            self.all.learn(all as f64);
            let weight = WEIGHT.max((all as f64 / (self.taught + all as f64)).min(1.0));
            self.usual += weight * (share - self.usual);
            self.taught = (self.taught + known as f64).min(1e9);
            self.calm.learn(strays as f64);
        }
        if !told {
            return None;
        }
        let value = if alarm {
            CAP
        } else if all >= MANY && share <= 2.0 * FLOOR {
            -CAP
        } else {
            0.0
        };
        let evidence = words(alarm, || {
            let (shown, usual) = (share * 100.0, self.usual * 100.0);
            format!("{shown:.1} % of {all} TCP packets belong to no connection of the host, usual {usual:.1} %")
        });
        let most = 2.0 * (self.calm.mean() + 3.0 * self.calm.deviation()) * f64::from(WINDOWS_PER_SECOND);
        let score = Score { detector: "strays", family: Family::Handshake, value, alarm, evidence };
        Some(Said { score, strays, harmless: (most as u64).max(LEAST_LET) })
    }
}

#[cfg(test)]
mod tests {
    //! Customers, a flood that no connection explains, and a host of which one direction is seen only.
    use super::*;
    use weir_abi::counters::fact;

    fn window(known: u64, strays: u64) -> Window {
        let mut w = Window::default();
        w.slots[usize::from(fact::KNOWN)] = known;
        w.slots[usize::from(fact::UNKNOWN)] = strays;
        w
    }

    #[test]
    fn a_flood_of_strays_alarms_and_customers_do_not() {
        let mut strays = Strays::default();
        (0..100).for_each(|_| assert!(!strays.window(&window(100, 1)).is_some_and(|said| said.score.alarm)));
        assert_eq!(strays.window(&window(3000, 20)).unwrap().score.value, -CAP, "a crowd");
        let Said { score, strays: 5000, harmless } = strays.window(&window(100, 5000)).unwrap() else {
            panic!("5000 came")
        };
        assert_eq!(harmless, LEAST_LET);
        assert!(score.alarm && score.value == CAP);
        assert_eq!(score.evidence, "98.0 % of 5100 TCP packets belong to no connection of the host, usual 0.9 %");
        assert!(!strays.window(&window(3, 90)).unwrap().score.alarm, "too few");
        // It is not learned, however long it lasts.
        (0..10_000).for_each(|_| assert!(strays.window(&window(100, 5000)).unwrap().score.alarm));
    }

    #[test]
    fn a_service_that_starts_anew_is_not_attacked() {
        let mut strays = Strays::default();
        (0..600).for_each(|_| assert!(!strays.window(&window(1000, 5)).is_some_and(|said| said.score.alarm)));
        for lost in [1000, 900, 300, 150] {
            let said = strays.window(&window(0, lost)).unwrap();
            assert!(!said.score.alarm && said.score.value == 0.0, "{said:?}");
        }
        assert!(strays.window(&window(1000, 2000)).unwrap().score.alarm, "on top of what comes");
        assert!(strays.window(&window(0, 2500)).unwrap().score.alarm);
    }

    #[test]
    fn where_connections_are_not_seen_it_says_nothing() {
        let mut strays = Strays::default();
        assert!((0..1000).all(|_| strays.window(&window(0, 5000)).is_none()));
        let mut half = Strays::default();
        assert!((0..1000).all(|_| half.window(&window(500, 500)).is_none()));
    }
}
