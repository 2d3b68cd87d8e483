//! From signatures to rules over a policy: each rule of each open incident, with a number that it keeps. Incidents of several
//! targets that came to the same rule share it: rules are few.

use std::collections::BTreeMap;

use weir_abi::limit::TARGET_UNIT_SHIFT;
use weir_policy::limits::{self, Cell, Rate, Unit};
use weir_policy::overlay::{Asked, FIRST, TargetClosing, TargetLimit, TargetRule, TargetShare, TargetStrays};
use weir_policy::rules::{Match, Mode};

use crate::engine::Engine;

/// What a person said of an incident's rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is to drop, whatever else.
    Approved,
    /// It is not to be in force.
    Rejected,
}

/// What incidents ask for, as it was laid last.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    laid: Asked,
    named: u32,
}

impl Layer {
    /// What is to be in force now, with a kernel that counts so many ticks per second.
    pub fn lay(&mut self, engine: &Engine, tick_hz: u32) -> &Asked {
        self.ruled(engine, tick_hz, |_, _| None)
    }

    /// The same, with what people said of the rules of incidents, by the incident's number.
    pub fn ruled(&mut self, engine: &Engine, tick_hz: u32, said: impl Fn(u64, &Match) -> Option<Word>) -> &Asked {
        let rules = self.rules(engine, said);
        self.laid = Asked {
            rules,
            strays: strays(engine, tick_hz),
            limited: limited(engine, tick_hz),
            shared: shared(engine, tick_hz),
            challenged: engine.challenged().collect(),
            closed: engine.closing().map(|(target, _, feed_shift)| TargetClosing { target, feed_shift }).collect(),
        };
        &self.laid
    }

    /// Rules of incidents drop or count; those that may not drop limit where a limit is in force, which may be for a whole kind of packets as well.
    fn rules(&mut self, engine: &Engine, said: impl Fn(u64, &Match) -> Option<Word>) -> Vec<TargetRule> {
        let limits = engine.limited().collect::<Vec<_>>();
        let mut wanted: Vec<TargetRule> = Vec::new();
        for (target, incident, signed, drops) in engine.rules_of_incidents() {
            let limited =
                || limits.iter().any(|(of, _, limit)| *of == target && limit.matches.contains(&signed.matches));
            let mode = match (said(incident, &signed.matches), drops) {
                (Some(Word::Rejected), _) => continue,
                (Some(Word::Approved), _) => Mode::Insist,
                (None, true) => Mode::Enforce,
                (None, false) if limited() => Mode::Limit,
                (None, false) => Mode::Shadow,
            };
            want(&mut wanted, &signed.matches, mode, target);
        }
        for (target, incident, limit) in &limits {
            // Of an incident's own rules people may have said what else is to become.
            let others = limit.matches.iter().filter(|matches| said(*incident, matches).is_none());
            others.for_each(|matches| want(&mut wanted, matches, Mode::Limit, *target));
        }
        self.number(&mut wanted);
        wanted
    }

    /// A rule keeps its number, and with it what it counted, also when it goes from counting to dropping and back.
    fn number(&mut self, wanted: &mut [TargetRule]) {
        let mut free = self.laid.rules.iter().collect::<Vec<_>>();
        for exact in [true, false] {
            for rule in wanted.iter_mut().filter(|rule| rule.id == 0) {
                let same = |laid: &&TargetRule| laid.matches == rule.matches && (laid.mode == rule.mode || !exact);
                if let Some(at) = free.iter().position(same) {
                    rule.id = free.swap_remove(at).id;
                }
            }
        }
        for rule in wanted.iter_mut().filter(|rule| rule.id == 0) {
            self.named = self.named.wrapping_add(1) & (FIRST - 1);
            rule.id = FIRST | self.named;
        }
    }

    /// What was laid last.
    pub fn laid(&self) -> &Asked {
        &self.laid
    }
}

/// Wants a rule in force for a target more.
fn want(wanted: &mut Vec<TargetRule>, matches: &Match, mode: Mode, target: u32) {
    match wanted.iter_mut().find(|rule| rule.mode == mode && rule.matches == *matches) {
        Some(shared) if shared.targets.contains(&target) => {}
        Some(shared) => shared.targets.push(target),
        None => wanted.push(TargetRule { id: 0, matches: matches.clone(), mode, targets: vec![target] }),
    }
}

/// What targets are to take of what limiting rules match, all kinds together.
fn limited(engine: &Engine, tick_hz: u32) -> Vec<TargetLimit> {
    let mut sums = BTreeMap::<u32, u64>::new();
    for (target, _, limit) in engine.limited() {
        let sum = sums.entry(target).or_default();
        *sum = sum.saturating_add(limit.packets);
    }
    let cost = |packets: u64| (u64::from(tick_hz) << TARGET_UNIT_SHIFT) / packets.max(1);
    sums.into_iter().map(|(target, packets)| TargetLimit { target, cost: cost(packets).max(1) }).collect()
}

/// Seconds of its share that a source may use up at once, and connections in any case: a browser opens six.
const BURST: u64 = 1;
const PAGE: u64 = 6;

/// What each source may open.
fn shared(engine: &Engine, tick_hz: u32) -> Vec<TargetShare> {
    let limit = |per_second: u64| {
        let rate = Rate::per_second(per_second, per_second.saturating_mul(BURST).max(PAGE));
        // What sources' cells cannot count is more than one source's.
        limits::compile(&rate, Cell::Source, Unit::Packets, tick_hz).ok().map(|compiled| compiled.limit)
    };
    engine.shared().filter_map(|(target, _, n)| Some(TargetShare { target, limit: limit(n)? })).collect()
}

/// What targets are to take of packets of no known connection.
fn strays(engine: &Engine, tick_hz: u32) -> Vec<TargetStrays> {
    let limit = |per_second| {
        let rate = Rate::per_second(per_second, per_second);
        // A rate of this size and a burst of a second can always be counted.
        limits::compile(&rate, Cell::Target, Unit::Packets, tick_hz).ok().map(|compiled| compiled.limit)
    };
    engine.held().filter_map(|(target, strays)| Some(TargetStrays { target, limit: limit(strays)? })).collect()
}

#[cfg(test)]
mod tests {
    //! Numbers stay with their rules.
    use super::*;

    #[test]
    fn a_rule_that_stops_dropping_keeps_its_number() {
        let rule = |mode, text: &str, target| TargetRule {
            id: 0,
            matches: text.parse().unwrap(),
            mode,
            targets: vec![target],
        };
        let mut layer = Layer::default();
        let mut first = vec![rule(Mode::Shadow, "tcp and ttl 7", 1), rule(Mode::Enforce, "udp and sport 53", 1)];
        layer.number(&mut first);
        let ids = [first[0].id, first[1].id];
        assert_eq!(ids, [FIRST | 1, FIRST | 2]);
        layer.laid.rules = first;
        // The first one drops now, and counts at another target.
        let mut second = vec![rule(Mode::Shadow, "tcp and ttl 7", 2), rule(Mode::Enforce, "tcp and ttl 7", 1)];
        second.push(rule(Mode::Shadow, "udp and sport 53", 1));
        layer.number(&mut second);
        assert_eq!(second.iter().map(|rule| rule.id).collect::<Vec<_>>(), [ids[0], FIRST | 3, ids[1]]);
    }
}
