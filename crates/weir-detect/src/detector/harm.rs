//! D8 and D9: what the service suffers. It is told by whoever sees it (the socket's queue, a proxy's counters); where nobody does,
//! nothing is said.
//!
//! Suffering is no proof: a crowd of customers makes a service suffer as well. It is a family of evidence beside others, and what is
//! dropped then is still only what a rule tells from customers. HTTP/2 resets are in connections that customers may share with nobody,
//! and no rule touches known connections: what is to be done about these is to be done by whoever holds the connection.

use super::{CAP, Family, Score};
use crate::vector::Vector;

/// What is known of a window, 100 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Suffering {
    /// Connections that were refused because the queue of those not accepted yet was full (`ListenOverflows`).
    pub overflows: Option<u64>,
    /// How full that queue is, 0 to 1.
    pub queue: Option<f64>,
    /// Share of answers that are errors of the service (5xx), 0 to 1.
    pub errors: Option<f64>,
    /// Streams that clients reset within the last second, and their share of all: of the worst HTTP/2 connection.
    pub resets: Option<(u64, f64)>,
}

/// A queue that is fuller than this is an alarm.
const FULL: f64 = 0.8;
/// Errors that are so many times the usual share are one …
const TIMES: f64 = 3.0;
/// … and the usual share is taken to be at least this.
const FLOOR: f64 = 0.02;
/// Weight of a window in the usual share: a minute.
const WEIGHT: f64 = 1.0 / 600.0;
/// Windows from which on there is a usual share.
const LEARNED: u64 = 50;
/// Streams that are reset on one connection in a second …
const RESETS: u64 = 100;
/// … and their share, above which a client only makes work (CVE-2023-44487, "rapid reset").
const SHARE: f64 = 0.5;

/// What is usual at a service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Service {
    errors: f64,
    windows: u64,
}

impl Service {
    /// What is said of a window, each about the kind of packets that it speaks of.
    pub fn window(&mut self, told: &Suffering) -> Vec<(Vector, Score)> {
        let queue = queue(told).map(|score| (Vector::Syn, score));
        let errors = told.errors.map(|errors| (Vector::Tcp, self.errors(errors)));
        let resets = told.resets.map(|(resets, share)| (Vector::Tcp, reset(resets, share)));
        queue.into_iter().chain(errors).chain(resets).collect()
    }

    fn errors(&mut self, share: f64) -> Score {
        let usual = self.errors.max(FLOOR);
        let alarm = self.windows >= LEARNED && share > TIMES * usual;
        let evidence = format!("{:.1} % of answers are errors, usual {:.1} %", share * 100.0, self.errors * 100.0);
        if !alarm {
            self.windows += 1;
            self.errors += WEIGHT.max(1.0 / self.windows as f64) * (share - self.errors);
        }
        score("errors", alarm, share / (TIMES * usual), evidence)
    }
}

fn queue(told: &Suffering) -> Option<Score> {
    if told.overflows.is_none() && told.queue.is_none() {
        return None;
    }
    let (overflows, queue) = (told.overflows.unwrap_or(0), told.queue.unwrap_or(0.0));
    let alarm = overflows > 0 || queue > FULL;
    let evidence = format!(
        "{overflows} connections refused in 100 ms, the queue of those not accepted yet is {:.0} % full",
        queue * 100.0
    );
    Some(score("queue", alarm, queue / FULL, evidence))
}

fn reset(resets: u64, share: f64) -> Score {
    let alarm = resets > RESETS && share > SHARE;
    let evidence =
        format!("{resets} HTTP/2 streams of one connection reset in a second, {:.0} % of them", share * 100.0);
    score("resets", alarm, (resets as f64 / RESETS as f64).min(share / SHARE), evidence)
}

/// `to`: how near it is to an alarm, 1 at it.
fn score(detector: &'static str, alarm: bool, to: f64, evidence: String) -> Score {
    let value = if alarm { (4.0 * to).clamp(4.0, CAP) } else { to.clamp(0.0, 1.0) - 1.0 };
    Score { detector, family: Family::Harm, value, alarm, evidence }
}

#[cfg(test)]
mod tests {
    //! A service that is well, and one that is not.
    use super::*;

    #[test]
    fn nothing_is_said_of_what_nobody_tells() {
        assert!(Service::default().window(&Suffering::default()).is_empty());
    }

    #[test]
    fn a_full_queue_and_many_errors_alarm() {
        let mut service = Service::default();
        let well = Suffering { overflows: Some(0), queue: Some(0.1), errors: Some(0.01), resets: Some((3, 0.1)) };
        for _ in 0..100 {
            let scores = service.window(&well);
            assert_eq!(
                scores.iter().map(|(vector, _)| *vector).collect::<Vec<_>>(),
                [Vector::Syn, Vector::Tcp, Vector::Tcp]
            );
            assert!(scores.iter().all(|(_, score)| !score.alarm && score.value < 0.0), "{scores:?}");
        }
        let ill = Suffering { overflows: Some(7), queue: Some(1.0), errors: Some(0.5), resets: Some((500, 0.9)) };
        // It is not learned, however long it lasts.
        for _ in 0..1000 {
            let scores = service.window(&ill);
            assert!(scores.iter().all(|(_, s)| s.alarm && s.value >= 4.0 && s.family == Family::Harm), "{scores:?}");
        }
        let [(_, queue), (_, errors), (_, resets)] = &service.window(&ill)[..] else { panic!("three are told") };
        assert_eq!(
            queue.evidence,
            "7 connections refused in 100 ms, the queue of those not accepted yet is 100 % full"
        );
        assert_eq!(errors.evidence, "50.0 % of answers are errors, usual 1.0 %");
        assert_eq!(resets.evidence, "500 HTTP/2 streams of one connection reset in a second, 90 % of them");
    }

    #[test]
    fn few_resets_and_a_small_share_are_a_browsers() {
        let told = |resets| Suffering { resets: Some(resets), ..Suffering::default() };
        assert!([(90, 0.9), (500, 0.3)].iter().all(|resets| !Service::default().window(&told(*resets))[0].1.alarm));
    }
}
