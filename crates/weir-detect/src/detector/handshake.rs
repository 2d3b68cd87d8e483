//! D2: connections that do not come about. SYNs against completed handshakes (Wang, Zhang and Shin, "Detecting SYN flooding
//! attacks", INFOCOM 2002, compare SYNs with FINs; a handshake says it sooner).
//!
//! A crowd's handshakes complete, a forged flood's cannot. The third packet comes a round trip after the first, so that SYNs are
//! compared with what completed three windows later: in between nothing is said.
//!
//! Where most of a target's customers are known to complete within a tenth of a second, a flood need not be waited for so long: SYNs of one window
//! of which hardly any has completed by the end of the next say enough for a challenge, though not for a drop.
//!
//! Where the host itself refuses connections, its service is being started anew, say, none comes about either: it answers with resets and no SYN-ACK.
//! Nothing is said then, since a flood at a service that runs is answered with SYN-ACKs.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{CAP, Family, Score, words};
use crate::baseline::WINDOWS_PER_SECOND;
use crate::vector::Window;
use weir_abi::Feature;

/// Windows in which a handshake has time to complete.
const LAG: usize = 3;
/// Windows that are compared: half a second.
const SPAN: usize = WINDOWS_PER_SECOND as usize / 2;
/// SYNs below which nothing is said.
const LEAST: u64 = 50;
/// A share of completed handshakes below which they fail.
const FAILING: f64 = 0.5;
/// The share of prompt handshakes from which on a window is waited for only: of a crowd from anywhere, too, some will be.
const PROMPT: f64 = 0.5;
/// A share of handshakes, completed within the next window, below which they fail there: so few of a crowd were prompt only if its customers
/// were others altogether.
const NONE_SOON: f64 = 0.1;
/// A share from which on they succeed: what comes are customers. Not of the usual one, which someone may have lowered with patience.
const FINE: f64 = 0.9;
/// The host refuses connections where it resets so large a share of what asked for one within two windows …
const RESETS: f64 = 0.5;
/// … and answers no more than this one.
const ACCEPTS: f64 = 0.05;
/// Weight of a window in what is usual: a minute.
const WEIGHT: f64 = 1.0 / 600.0;
/// Handshakes that must have completed before it is known that they can be seen to.
const SEEN: f64 = 20.0;

/// The handshakes of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Handshakes {
    #[serde(skip)]
    syns: VecDeque<u64>,
    #[serde(skip)]
    completed: VecDeque<u64>,
    /// The host's answers in the last two windows: SYN-ACKs, resets.
    #[serde(skip)]
    answers: VecDeque<[u64; 2]>,
    /// The usual share of SYNs that lead to a connection, and how many connections taught it.
    usual: f64,
    taught: f64,
    /// The share of the completed ones that usually are prompt.
    #[serde(default)]
    prompt: f64,
}

impl Handshakes {
    /// Takes a window. Nothing where there are too few SYNs, or where handshakes were never seen to complete: the host's answers may
    /// take another way. While SYNs are challenged a customer's come twice, and nothing of that is usual.
    pub fn window(&mut self, window: &Window, challenged: bool) -> Option<Score> {
        keep(&mut self.syns, window.feature(Feature::Syn), LAG + SPAN);
        let now = window.feature(Feature::Completed);
        keep(&mut self.completed, now, SPAN);
        keep(&mut self.answers, [window.feature(Feature::SynAckSent), window.feature(Feature::RstSent)], 2);
        let syns: u64 = self.syns.iter().take(self.syns.len().saturating_sub(LAG)).sum();
        let completed: u64 = self.completed.iter().sum();
        // Those of customers that are challenged come twice.
        let completed = if challenged { 2 * completed } else { completed };
        let share = if syns == 0 { 0.0 } else { (completed as f64 / syns as f64).min(1.0) };
        let known = self.taught >= SEEN;
        // Who answers at once has completed before it is looked for here, and when a crowd is gone its last handshakes were: they fail
        // only beside the newest SYNs as well.
        let newest: u64 = self.syns.iter().rev().take(SPAN).sum();
        let kindest = if newest == 0 { 1.0 } else { share.max((completed as f64 / newest as f64).min(1.0)) };
        let refuses = self.refuses();
        let failing = known && syns >= LEAST && kindest < FAILING * self.usual && !refuses;
        if syns > 0 && !failing && !challenged && !refuses {
            // Each connection counts about once, however long the span.
            let connections = completed as f64 / SPAN as f64;
            let weight = WEIGHT.max((connections / (self.taught + connections).max(1.0)).min(1.0));
            self.usual += weight * (share - self.usual);
            if now > 0 {
                let late = window.feature(Feature::CompletedLate).min(now);
                self.prompt += weight * ((now - late) as f64 / now as f64 - self.prompt);
            }
            self.taught = (self.taught + connections).min(1e9);
        }
        if !known || syns < LEAST || refuses {
            return None;
        }
        let value = if failing {
            CAP * (1.0 - kindest / (FAILING * self.usual)).max(0.6)
        } else if share >= FINE {
            -CAP
        } else {
            0.0
        };
        let evidence = words(failing, || {
            let (shown, usual) = (share * 100.0, self.usual * 100.0);
            format!("{shown:.0} % of {syns} SYNs came to a connection, usual {usual:.0} %")
        });
        Some(Score { detector: "handshake", family: Family::Handshake, value, alarm: failing, evidence })
    }

    /// Whether the host refuses connections.
    fn refuses(&self) -> bool {
        let asked = self.syns.iter().rev().take(2).sum::<u64>() as f64;
        let [accepted, reset] = [0, 1].map(|of| self.answers.iter().map(|answers| answers[of]).sum::<u64>() as f64);
        asked > 0.0 && reset >= RESETS * asked && accepted <= ACCEPTS * asked
    }

    /// Whether hardly any SYN of the window before the one just taken has come to a connection, where most are known to do so at once. It is no
    /// part of a verdict: a crowd from afar is not prompt either. Enough for a challenge of what is also many, which the crowd can answer.
    pub fn fails_soon(&self) -> Option<Score> {
        let syns = self.syns.iter().rev().nth(1).copied().filter(|syns| *syns >= LEAST && self.taught >= SEEN)?;
        let completed: u64 = self.completed.iter().rev().take(2).sum();
        let share = (completed as f64 / syns as f64).min(1.0);
        if self.prompt < PROMPT || share >= NONE_SOON * self.usual || self.refuses() {
            return None;
        }
        let (shown, usual) = (share * 100.0, self.prompt * self.usual * 100.0);
        let evidence = format!("{shown:.1} % of {syns} SYNs came to a connection at once, usual {usual:.0} %");
        Some(Score { detector: "handshake", family: Family::Handshake, value: CAP, alarm: true, evidence })
    }
}

fn keep<T>(windows: &mut VecDeque<T>, now: T, most: usize) {
    windows.push_back(now);
    if windows.len() > most {
        windows.pop_front();
    }
}

#[cfg(test)]
mod tests {
    //! Customers, a crowd, a flood, and a host whose answers nobody sees.
    use super::*;
    use weir_abi::counters::{fact, syn_slot};

    /// Windows of so many SYNs, each share of which completes two windows later.
    fn run(
        handshakes: &mut Handshakes,
        waiting: &mut VecDeque<u64>,
        syns: u64,
        completes: f64,
        windows: usize,
    ) -> Vec<Option<Score>> {
        let one = |_| {
            let mut w = Window::default();
            w.slots[usize::from(syn_slot(0))] = syns;
            waiting.push_back((syns as f64 * completes).round() as u64);
            let completed = if waiting.len() > 2 { waiting.pop_front().unwrap() } else { 0 };
            (w.slots[usize::from(fact::COMPLETED)], w.slots[usize::from(fact::LATE)]) = (completed, completed);
            handshakes.window(&w, false)
        };
        (0..windows).map(one).collect()
    }

    #[test]
    fn a_flood_fails_within_four_windows_and_a_crowd_never() {
        let (mut handshakes, mut waiting) = (Handshakes::default(), VecDeque::new());
        let calm = run(&mut handshakes, &mut waiting, 20, 1.0, 600);
        assert!(calm.iter().flatten().all(|score| !score.alarm && score.value <= 0.0));
        let crowd = run(&mut handshakes, &mut waiting, 400, 1.0, 50);
        assert!(crowd.iter().flatten().all(|score| !score.alarm), "{crowd:?}");
        assert_eq!(crowd.last().unwrap().as_ref().unwrap().value, -CAP);
        run(&mut handshakes, &mut waiting, 20, 1.0, 20);
        let flood = run(&mut handshakes, &mut waiting, 5000, 0.004, 10);
        let first = flood.iter().position(|score| score.as_ref().is_some_and(|s| s.alarm)).unwrap();
        assert!((LAG..LAG + 2).contains(&first), "{first}");
        let last = flood.last().unwrap().as_ref().unwrap();
        assert!(last.value >= 3.0, "{last:?}");
        assert!(last.evidence.contains("of 25000 SYNs came to a connection, usual"), "{}", last.evidence);
    }

    /// Customers of a service that is started anew are refused by its host. A flood's SYNs are answered, or nothing is.
    #[test]
    fn a_host_that_refuses_connections_is_no_flood() {
        // What the host answers of a hundred: SYN-ACKs, resets; and whether a flood is told.
        for (syn_acks, resets, told) in
            [(0, 100, false), (3, 97, false), (100, 0, true), (100, 100, true), (0, 0, true)]
        {
            let (mut handshakes, mut waiting) = (Handshakes::default(), VecDeque::new());
            run(&mut handshakes, &mut waiting, 60, 0.9, 600);
            let before = handshakes.usual;
            let mut w = Window::default();
            w.slots[usize::from(syn_slot(0))] = 100;
            w.slots[usize::from(fact::SYN_ACK_SENT)] = syn_acks;
            w.slots[usize::from(fact::RST_SENT)] = resets;
            let alarms = (0..20).filter(|_| handshakes.window(&w, false).is_some_and(|score| score.alarm)).count();
            assert_eq!(alarms > 0, told, "{syn_acks} {resets}: {alarms} alarms");
            assert!(told || handshakes.usual == before, "nothing of it is usual");
        }
    }

    #[test]
    fn the_end_of_a_crowd_is_no_failure() {
        for answered in 0..=LAG {
            let (mut handshakes, mut waiting) = (Handshakes::default(), VecDeque::from(vec![0; answered]));
            for (syns, windows) in [(20, 600), (2000, 30), (90, 20), (2000, 3), (90, 20)] {
                for _ in 0..windows {
                    waiting.push_back(syns);
                    let mut w = Window::default();
                    w.slots[usize::from(syn_slot(0))] = syns;
                    let completed = waiting.pop_front().unwrap();
                    w.slots[usize::from(fact::COMPLETED)] = completed;
                    w.slots[usize::from(fact::LATE)] = if answered > 1 { completed } else { 0 };
                    let score = handshakes.window(&w, false);
                    assert!(!score.as_ref().is_some_and(|score| score.alarm), "{answered}: {score:?}");
                }
            }
        }
    }

    /// A window: SYNs, handshakes that completed, late ones among them. What is said of it, and what soon.
    fn told(handshakes: &mut Handshakes, syns: u64, completed: u64, late: u64) -> [Option<Score>; 2] {
        let mut w = Window::default();
        w.slots[usize::from(syn_slot(0))] = syns;
        w.slots[usize::from(fact::COMPLETED)] = completed;
        w.slots[usize::from(fact::LATE)] = late;
        [handshakes.window(&w, false), handshakes.fails_soon()]
    }

    fn alarms(said: &[Option<Score>; 2]) -> [bool; 2] {
        said.each_ref().map(|score| score.as_ref().is_some_and(|score| score.alarm))
    }

    #[test]
    fn where_customers_are_prompt_a_flood_fails_in_its_second_window() {
        let mut near = Handshakes::default();
        assert!((0..100).all(|_| alarms(&told(&mut near, 30, 30, 0)) == [false; 2]));
        assert_eq!(alarms(&told(&mut near, 5000, 30, 0)), [false; 2], "nothing can have completed yet");
        let second = told(&mut near, 5000, 30, 0);
        assert_eq!(alarms(&second), [false, true]);
        let evidence = second[1].as_ref().map(|soon| soon.evidence.as_str());
        assert_eq!(evidence, Some("1.2 % of 5000 SYNs came to a connection at once, usual 100 %"));
        // When there was time for them, it is said as ever.
        told(&mut near, 5000, 30, 0);
        assert_eq!(alarms(&told(&mut near, 5000, 30, 0)), [true; 2]);
    }

    #[test]
    fn where_they_are_not_it_is_waited() {
        let mut far = Handshakes::default();
        assert!((0..100).all(|_| alarms(&told(&mut far, 30, 30, 20)) == [false; 2]), "two thirds are late");
        assert!((0..LAG).all(|_| alarms(&told(&mut far, 5000, 30, 20)) == [false; 2]));
        assert_eq!(alarms(&told(&mut far, 5000, 30, 20)), [true, false]);
    }

    #[test]
    fn of_a_crowd_from_afar_a_few_are_near() {
        let mut handshakes = Handshakes::default();
        (0..100).for_each(|_| drop(told(&mut handshakes, 30, 30, 0)));
        // One in six is prompt, the others take a quarter of a second.
        for (syns, completed, late) in [(3000, 500, 0), (3000, 500, 0), (3000, 3000, 2500), (3000, 3000, 2500)] {
            let said = told(&mut handshakes, syns, completed, late);
            assert_eq!(alarms(&said), [false; 2], "{said:?}");
        }
    }

    #[test]
    fn without_a_connection_ever_seen_it_says_nothing() {
        let (mut handshakes, mut waiting) = (Handshakes::default(), VecDeque::new());
        let scores = run(&mut handshakes, &mut waiting, 5000, 0.0, 600);
        assert!(scores.iter().all(Option::is_none));
    }
}
