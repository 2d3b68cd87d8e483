//! Clients that wait for a service's answers, and what they say meanwhile.

use std::collections::VecDeque;

use weir_abi::counters::fact;

use super::chance::Chance;
use super::life::Now;
use super::sent::Sent;
use super::service::Role;

/// The share of questions whose answers take long; what a window sees answered of these and of the others.
const LONG: f64 = 0.02;
const QUICK: f64 = 0.8;
const SLOW: f64 = 0.03;
/// Windows after which what a client says feeds its connection: three seconds.
const OLD: usize = 30;
/// Windows in which each counts once.
const UNIT: f64 = 160.0;
/// Clients that say something in a unit, and where the service hangs: they ask again.
const CALM: f64 = 0.02;
const IMPATIENT: f64 = 0.2;
/// What is said in the connections of sources with many of them.
const CROWDED: f64 = 0.03;
/// A stream that only its client says something in: one for so many connections in a window.
const STREAMS: f64 = 3.0;

/// Those who wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    quick: u64,
    slow: u64,
    /// Streams that nothing is answered in.
    streams: f64,
    /// How many waited, and how many were answered, in the windows before.
    past: VecDeque<(u64, u64)>,
    /// Those answered in these.
    answered: u64,
}

impl Waits {
    /// A window in which so many connections came about and so many further questions were asked.
    pub fn window(&mut self, role: Role, completed: u64, asked: u64, now: &Now, sent: &mut Sent, chance: &mut Chance) {
        if now.lost == Some(0) {
            // Who says something hears that the connection is gone.
            sent.fact(fact::WAIT_ENDED, chance.of(self.quick + self.slow, 0.5));
            (self.quick, self.slow) = (0, 0);
        }
        let slow = chance.of(completed + asked, LONG);
        self.quick += completed + asked - slow;
        self.slow += slow;
        let stands = now.stuck || now.lost.is_some();
        let (quick, slow) = if stands { (0, 0) } else { (chance.of(self.quick, QUICK), chance.of(self.slow, SLOW)) };
        (self.quick, self.slow) = (self.quick - quick, self.slow - slow);
        sent.fact(fact::WAIT_BEGUN, asked);
        sent.fact(fact::WAIT_ENDED, quick + slow);
        self.feed(role, completed, quick + slow, now, sent, chance);
    }

    fn feed(&mut self, role: Role, completed: u64, answered: u64, now: &Now, sent: &mut Sent, chance: &mut Chance) {
        let waiting = self.quick + self.slow;
        self.past.push_back((waiting, answered));
        self.answered += answered;
        let before = if self.past.len() > OLD { self.past.pop_front() } else { None };
        self.answered -= before.map_or(0, |(_, answered)| answered);
        // Who waited then and still does: the last to come is the first to be answered where it is quick.
        let old = before.map_or(0, |(waited, _)| waited).saturating_sub(self.answered).max(self.slow / 2).min(waiting);
        let each = if now.stuck { IMPATIENT } else { CALM };
        let fed = chance.poisson(old as f64 * each / UNIT);
        sent.fact(fact::WAIT_FED, fed);
        sent.fact(fact::WAIT_FED_BEYOND, chance.of(fed, CROWDED));
        if role == Role::Api {
            self.streams += 0.001 * (STREAMS * completed as f64 - self.streams);
            let said = chance.poisson(self.streams / UNIT);
            sent.fact(fact::WAIT_FED, said);
            sent.fact(fact::WAIT_FED_BEYOND, chance.of(said, 0.2));
        }
    }
}
