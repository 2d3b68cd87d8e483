//! What the agent keeps of an incident beside what detection says of it: its steps with their times, the names of its rules, the
//! peak, and what the target lost meanwhile. A case lasts as long as its incident is remembered.

mod packets;
mod rule;
mod timeline;
mod toll;
mod tolls;

use std::collections::BTreeMap;
use std::time::SystemTime;

use weir_abi::{Counter, Reason, Verdict};
use weir_detect::incident::State;
use weir_detect::lay::Word;
use weir_detect::signature::Signature;
use weir_detect::vector::Vector;
use weir_policy::rules::Match;

use crate::explain::RuleName;

pub(crate) use packets::{BEFORE, Packets, Seen};
pub(crate) use rule::CaseRule;
pub(crate) use timeline::{Kind, Timeline};
pub(crate) use toll::{Known, Toll};
pub(crate) use tolls::Tolls;

/// A reading of what ever counted: target, whether it only would have happened, reason.
pub(crate) type Counts = [(u32, bool, Reason, Counter)];

/// One incident's case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The target; of several the first.
    pub target: u32,
    /// The kind of packets.
    pub vector: Vector,
    /// When it began to be told.
    pub since: SystemTime,
    /// The most packets of a window, per second.
    pub peak: f64,
    /// What happened.
    pub steps: Timeline,
    /// The rules in the order in which they were written, those that gave way included.
    pub rules: Vec<CaseRule>,
    /// Rules that were written.
    written: u32,
    /// What its targets lost.
    pub tolls: Tolls,
    /// Its packets that were sampled.
    pub packets: Packets,
    /// The attack is not felt at the moment: what passes are customers.
    pub calm: bool,
    /// The incident is not over.
    pub open: bool,
    /// An answer was in the kernel.
    pub answered: bool,
}

/// Rules of one incident that are remembered; the oldest that are not in force are forgotten first.
const RULES: usize = 64;

impl Case {
    /// Takes over what is known of an incident that is a part of this one; returns its rules that are new here, and what they were called.
    fn join(&mut self, id: u64, part: Self) -> Vec<(String, CaseRule)> {
        self.since = self.since.min(part.since);
        self.peak = self.peak.max(part.peak);
        self.answered |= part.answered;
        self.tolls.join(part.tolls);
        let mut new = Vec::new();
        for mut rule in part.rules {
            if let Some(known) = self.rules.iter_mut().find(|known| known.signed.matches == rule.signed.matches) {
                known.ruling = known.ruling.or(rule.ruling);
                continue;
            }
            self.written += 1;
            let before = rule.name(id);
            rule.number = self.written;
            new.push((before, rule));
        }
        self.rules.extend(new.iter().map(|(_, rule)| rule.clone()));
        new
    }

    /// Takes the incident's rules as they are now; returns those that are new.
    pub fn wrote(&mut self, signature: &Signature, at: SystemTime) -> Vec<CaseRule> {
        let mut new = Vec::new();
        for signed in &signature.rules {
            match self.rules.iter_mut().find(|rule| rule.signed.matches == signed.matches) {
                Some(known) => known.signed = signed.clone(),
                None => {
                    self.written += 1;
                    new.push(CaseRule::new(self.written, signed.clone(), at));
                }
            }
        }
        self.rules.extend(new.iter().cloned());
        while self.rules.len() > RULES
            && let Some(oldest) = self.rules.iter().position(|rule| !rule.in_force)
        {
            self.rules.remove(oldest);
        }
        new
    }
}

/// Packets of all incidents together: 16 MiB.
const PACKETS: usize = (16 << 20) / size_of::<Seen>();

/// The cases of all incidents that are remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cases {
    cases: BTreeMap<u64, Case>,
    /// Those whose incident is not over: there is one of a kind at a time.
    open: BTreeMap<(u32, Vector), u64>,
    /// Packets that all of them keep.
    packets: usize,
}

impl Cases {
    /// The case of an incident; the first time it begins now, with what was counted so far.
    pub fn open(&mut self, id: u64, about: (u32, Vector), at: SystemTime, toll: impl FnOnce() -> Toll) -> &mut Case {
        let (target, vector) = about;
        self.open.insert(about, id);
        let case = self.cases.entry(id).or_insert_with(|| Case {
            since: at,
            target,
            vector,
            peak: 0.0,
            steps: Timeline::default(),
            rules: Vec::new(),
            written: 0,
            tolls: Tolls::default(),
            packets: Packets::default(),
            calm: false,
            open: true,
            answered: false,
        });
        case.tolls.begin(target, toll);
        case
    }

    /// An incident covers this target too.
    pub fn spread(&mut self, id: u64, target: u32, toll: impl FnOnce() -> Toll) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        case.tolls.begin(target, toll);
        self.open.entry((target, case.vector)).or_insert(id);
    }

    /// An incident is a part of another, which takes over its rules, with numbers of its own, and what people said of them.
    pub fn join(&mut self, part: u64, whole: u64, at: SystemTime) {
        let Some(mut joined) = self.cases.remove(&part) else { return };
        let packets = std::mem::take(&mut joined.packets);
        let Some(case) = self.cases.get_mut(&whole) else {
            self.packets -= packets.len();
            return self.open.retain(|_, open| *open != part);
        };
        self.open.values_mut().filter(|open| **open == part).for_each(|open| *open = whole);
        case.steps.add(at, Kind::Spread, format!("incident {part} is a part of it"));
        for (before, rule) in case.join(part, joined) {
            let text = format!("rule {}, which was {before}: {}", rule.name(whole), rule.text);
            case.steps.add(at, Kind::Rules, text);
        }
        if case.packets.len() == 0 && !case.packets.given_up {
            case.packets = packets;
        } else {
            self.packets -= packets.len();
        }
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<&Case> {
        self.cases.get(&id)
    }

    /// One of them, to be added to.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut Case> {
        self.cases.get_mut(&id)
    }

    /// What a person said of a rule of an incident.
    pub fn said(&self, id: u64, matches: &Match) -> Option<Word> {
        self.get(id)?.rules.iter().find(|rule| rule.signed.matches == *matches)?.said()
    }

    /// All of them.
    pub fn all(&mut self) -> impl Iterator<Item = (u64, &mut Case)> {
        self.cases.iter_mut().map(|(id, case)| (*id, case))
    }

    /// Those whose incident is not over.
    pub fn open_ones(&mut self) -> impl Iterator<Item = (u64, &mut Case)> {
        self.all().filter(|(_, case)| case.open)
    }

    /// An incident is over.
    pub fn close(&mut self, id: u64) {
        if let Some(case) = self.cases.get_mut(&id) {
            case.open = false;
            self.open.retain(|_, open| *open != id);
        }
    }

    /// An incident's answer is in the kernel; told once.
    pub fn answered(&mut self, id: u64, at: SystemTime) {
        if let Some(case) = self.cases.get_mut(&id).filter(|case| !case.answered) {
            case.answered = true;
            case.steps.add(at, Kind::State(State::Mitigating), "the answer is in the kernel".to_owned());
        }
    }

    /// A target is gone, and with it what went on about it.
    pub fn gone(&mut self, target: u32, at: SystemTime) {
        for (_, case) in self.open_ones().filter(|(_, case)| case.tolls.has(target)) {
            case.tolls.gone(target);
            if let Some(other) = case.tolls.targets().next() {
                case.target = other;
                continue;
            }
            case.steps.add(at, Kind::State(State::Ended), "the policy has no such target any more".to_owned());
            case.open = false;
        }
        self.open.retain(|(of, _), _| *of != target);
    }

    /// What the rules of incidents are called, by their owners' numbers in tables and samples. Of several incidents that share one, the
    /// newest.
    pub fn names(&self) -> BTreeMap<u32, RuleName> {
        let of = |(id, case): (&u64, &Case)| {
            let id = *id;
            let name = move |rule: &CaseRule| RuleName { incident: id, id: rule.name(id), text: rule.text.clone() };
            let named = case.rules.iter().flat_map(move |rule| rule.owners().map(move |owner| (owner, name(rule))));
            named.collect::<Vec<_>>()
        };
        self.cases.iter().flat_map(of).collect()
    }

    /// Takes a sampled packet into the open incident of its kind.
    pub fn sampled(&mut self, target: u32, vector: Vector, packet: Seen) {
        let passed = packet.1.verdict == Verdict::Pass as u8;
        let Some(case) = self.open.get(&(target, vector)).and_then(|id| self.cases.get_mut(id)) else { return };
        // What passes between two pulses would push out what passed in them.
        if case.calm && passed {
            return;
        }
        let before = case.packets.len();
        case.packets.add(packet);
        self.packets += case.packets.len() - before;
        self.stay_small();
    }

    /// Gives an incident what came just before it, and its own first packets that came before it was noticed. Both are in order.
    pub fn gathered(&mut self, id: u64, before: Vec<Seen>, own: Vec<Seen>) {
        let Some(case) = self.cases.get_mut(&id).filter(|case| case.packets.len() == 0) else { return };
        case.packets.before(before.into_iter());
        own.into_iter().for_each(|packet| case.packets.add(packet));
        self.packets += case.packets.len();
        self.stay_small();
    }

    /// Bytes of the packets that are kept.
    pub fn packet_bytes(&self) -> usize {
        self.packets * size_of::<Seen>()
    }

    /// The oldest incident that is over gives its packets up first; where none is, the oldest that goes on.
    fn stay_small(&mut self) {
        while self.packets > PACKETS {
            let with = |open: bool| self.cases.iter().find(|(_, c)| c.open == open && c.packets.len() > 0);
            let Some(oldest) = with(false).or_else(|| with(true)).map(|(id, _)| *id) else { return };
            if let Some(case) = self.cases.get_mut(&oldest) {
                self.packets -= case.packets.len();
                case.packets.give_up();
            }
        }
    }

    /// Forgets those of incidents that are not remembered.
    pub fn keep(&mut self, remembered: impl Fn(u64) -> bool) {
        self.cases.retain(|id, _| remembered(*id));
        self.packets = self.cases.values().map(|case| case.packets.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    //! More packets than there is room for.
    use super::*;
    use crate::fake::sample;
    use weir_abi::Sample;

    fn packet() -> Seen {
        (SystemTime::UNIX_EPOCH, Sample { verdict: Verdict::Drop as u8, ..sample(0, &[]) })
    }

    #[test]
    fn the_oldest_that_are_over_give_their_packets_up_first() {
        let mut cases = Cases::default();
        let mut each = 0;
        for id in 1..=400 {
            cases.open(id, (id as u32, Vector::Syn), SystemTime::UNIX_EPOCH, Toll::default);
            (0..500).for_each(|_| cases.sampled(id as u32, Vector::Syn, packet()));
            each = cases.get(id).unwrap().packets.len();
            assert!(cases.packet_bytes() <= 16 << 20);
            // Every other one goes on.
            if id % 2 == 1 {
                cases.close(id);
            }
        }
        let has = |cases: &Cases, id| cases.get(id).unwrap().packets.len() > 0;
        let kept: Vec<u64> = (1..=400).filter(|id| has(&cases, *id)).collect();
        assert_eq!(kept.len(), PACKETS / each);
        // All of the even ones had room, and of the odd ones only the youngest.
        assert!((1..=400).filter(|id| id % 2 == 0).skip(200usize.saturating_sub(kept.len())).all(|id| has(&cases, id)));
        assert!(!has(&cases, 1) && cases.get(1).unwrap().packets.given_up);
        cases.keep(|id| id != 400);
        assert_eq!(cases.packet_bytes(), (kept.len() - 1) * each * size_of::<Seen>());
    }
}
