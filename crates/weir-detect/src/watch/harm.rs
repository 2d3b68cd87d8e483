//! Whether rules hurt customers: by packets whose senders have proven that they take part, and by connections that no longer come about.
//!
//! A packet of a known connection, or of a source that answered a challenge, is a customer's. A rule that matches such packets more
//! often than it was allowed to describes customers, whatever the benign packets of calm times said. And where fewer handshakes
//! complete than before the rules, while the attack goes on and hardly any of it escapes them, they are what is in the way.

use std::collections::VecDeque;

use weir_policy::rules::MatchVector;

use super::Sampled;
use crate::baseline::WINDOWS_PER_SECOND;
use crate::detector::hygiene::likelihood_ratio;

/// Packets of customers that are kept: the newest.
const PROVEN: usize = 512;
/// Of these so many must match a rule …
const HITS: usize = 3;
/// … and be so much likelier, as a log-likelihood ratio, than at the share that a rule may match: 400 times.
const RATIO: f64 = 6.0;
/// Windows whose handshakes are compared.
const SPAN: u32 = WINDOWS_PER_SECOND;
/// Windows from the rules' beginning until those count: handshakes that were under way have come to an end.
const SETTLED: u32 = 3 + SPAN;
/// Windows from then on in which a fall is blamed on them.
const BLAMED: u32 = 6 * WINDOWS_PER_SECOND;
/// Handshakes of the second before the rules, below which a fall is chance.
const LEAST: u64 = 50;
/// The share of them that may be lost …
const LOST: f64 = 0.05;
/// … beside so many deviations of a Poisson process.
const DEVIATIONS: f64 = 4.0;

/// Handshakes that completed within the last second, by window.
#[derive(Clone, Debug, Default)]
pub struct Completions(VecDeque<u64>);

impl Completions {
    /// Takes a window; nothing where nobody sees them.
    pub fn window(&mut self, completed: Option<u64>) {
        let Some(completed) = completed else { return self.0.clear() };
        self.0.push_back(completed);
        if self.0.len() > SPAN as usize {
            self.0.pop_front();
        }
    }

    /// Their sum; nothing before a whole second was seen.
    pub fn second(&self) -> Option<u64> {
        (self.0.len() == SPAN as usize).then(|| self.0.iter().sum())
    }
}

/// What is known of the harm that an incident's rules do.
#[derive(Clone, Debug, Default)]
pub struct Harm {
    proven: VecDeque<MatchVector>,
    /// Handshakes of the second before rules began to drop, and windows since.
    before: Option<(u64, u32)>,
}

impl Harm {
    /// Takes customers' packets.
    pub fn take<'a>(&mut self, samples: impl Iterator<Item = &'a Sampled>) {
        self.proven.extend(samples.filter(|sampled| sampled.proven).map(|sampled| sampled.packet));
        let surplus = self.proven.len().saturating_sub(PROVEN);
        self.proven.drain(..surplus);
    }

    /// Rules begin to drop; so many handshakes completed in the second before.
    pub fn begins(&mut self, completed: Option<u64>) {
        self.before = completed.map(|completed| (completed, 0));
    }

    /// Why something that matches packets hurts customers, if it does.
    pub fn of(&self, matches: impl Fn(&MatchVector) -> bool) -> Option<String> {
        let hits = self.proven.iter().filter(|packet| matches(packet)).count();
        let all = self.proven.len();
        let harms = hits >= HITS && likelihood_ratio(hits as u64, all as u64) >= RATIO;
        harms.then(|| format!("it matches {hits} of {all} packets of customers who are known to take part"))
    }

    /// Takes a window of an attack that does not fall, of which hardly anything escapes the rules: why these are what keeps customers
    /// out, if they are.
    pub fn window(&mut self, completed: Option<u64>, alone: bool) -> Option<String> {
        let (before, windows) = self.before.as_mut()?;
        // Whatever else keeps connections from coming about, what is seen then says nothing of the rules.
        *windows = if alone { *windows + 1 } else { 0 };
        let blamed = (SETTLED..=SETTLED + BLAMED).contains(windows) && *before >= LEAST;
        let (before, after) = (*before as f64, completed.filter(|_| blamed)? as f64);
        let fallen = after < (1.0 - LOST) * before - DEVIATIONS * before.sqrt();
        fallen.then(|| format!("{after:.0} handshakes completed in a second, {before:.0} in the one before the rules"))
    }
}

#[cfg(test)]
mod tests {
    //! Rules that do harm, and floods that do.
    use super::*;
    use weir_abi::Addr;

    fn sampled(byte: u8, proven: bool) -> Sampled {
        let mut packet = MatchVector::default();
        packet[0] = byte;
        Sampled { packet, source: Addr::default(), weight: 1, proven }
    }

    #[test]
    fn a_rule_that_matches_customers_is_told() {
        let mut harm = Harm::default();
        let customers = (0..200u8).map(|i| sampled(i % 40, true)).collect::<Vec<_>>();
        harm.take(customers.iter().chain(&vec![sampled(99, false); 1000]));
        assert_eq!(harm.of(|packet| packet[0] == 99), None, "nobody proved that these are customers");
        let why = harm.of(|packet| packet[0] == 7).unwrap();
        assert_eq!(why, "it matches 5 of 200 packets of customers who are known to take part");
        assert_eq!(harm.of(|packet| packet[0] == 77), None);
        let mut few = Harm::default();
        few.take([sampled(1, true), sampled(1, true)].iter());
        assert_eq!(few.of(|_| true), None, "two may be chance");
    }

    #[test]
    fn connections_that_no_longer_come_about_are_blamed_on_rules_that_act_alone() {
        let second = |completed: u64| Some(completed);
        let told = |after: u64, alone: bool| {
            let mut harm = Harm::default();
            harm.begins(second(200));
            (0..100).find_map(|window| harm.window(second(after), alone).map(|why| (window, why)))
        };
        let (window, why) = told(100, true).unwrap();
        assert_eq!(
            (window, why.as_str()),
            (12, "100 handshakes completed in a second, 200 in the one before the rules")
        );
        assert_eq!(told(150, true), None, "within four deviations of one in twenty less");
        assert_eq!(told(100, false), None, "much of the attack escapes the rules, and may be what hurts");
        let mut blind = Harm::default();
        blind.begins(None);
        assert_eq!(blind.window(second(0), true), None);
    }
}
