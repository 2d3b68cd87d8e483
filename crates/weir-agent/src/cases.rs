//! What the agent keeps of an incident beside what detection says of it: its steps with their times, the names of its rules, the
//! peak, and what the target lost meanwhile. A case lasts as long as its incident is remembered.

mod rule;
mod timeline;
mod toll;

use std::collections::BTreeMap;
use std::time::SystemTime;

use weir_abi::{Counter, Reason};
use weir_detect::incident::State;
use weir_detect::lay::Word;
use weir_detect::signature::Signature;
use weir_detect::vector::Vector;
use weir_policy::rules::Match;

use crate::explain::RuleName;

pub(crate) use rule::CaseRule;
pub(crate) use timeline::{Kind, Timeline};
pub(crate) use toll::{Known, Toll};

/// A reading of what ever counted: target, whether it only would have happened, reason.
pub(crate) type Counts = [(u32, bool, Reason, Counter)];

/// One incident's case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The target.
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
    /// What the target lost.
    pub toll: Toll,
    /// The incident is not over.
    pub open: bool,
    /// An answer was in the kernel.
    pub answered: bool,
}

/// Rules of one incident that are remembered; the oldest that are not in force are forgotten first.
const RULES: usize = 64;

impl Case {
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

/// The cases of all incidents that are remembered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cases(BTreeMap<u64, Case>);

impl Cases {
    /// The case of an incident; the first time it begins now, with what was counted so far.
    pub fn open(&mut self, id: u64, about: (u32, Vector), at: SystemTime, toll: impl FnOnce() -> Toll) -> &mut Case {
        let (target, vector) = about;
        self.0.entry(id).or_insert_with(|| Case {
            since: at,
            target,
            vector,
            peak: 0.0,
            steps: Timeline::default(),
            rules: Vec::new(),
            written: 0,
            toll: toll(),
            open: true,
            answered: false,
        })
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<&Case> {
        self.0.get(&id)
    }

    /// One of them, to be added to.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut Case> {
        self.0.get_mut(&id)
    }

    /// What a person said of a rule of an incident.
    pub fn said(&self, id: u64, matches: &Match) -> Option<Word> {
        self.get(id)?.rules.iter().find(|rule| rule.signed.matches == *matches)?.said()
    }

    /// All of them.
    pub fn all(&mut self) -> impl Iterator<Item = (u64, &mut Case)> {
        self.0.iter_mut().map(|(id, case)| (*id, case))
    }

    /// Those whose incident is not over.
    pub fn open_ones(&mut self) -> impl Iterator<Item = (u64, &mut Case)> {
        self.all().filter(|(_, case)| case.open)
    }

    /// An incident's answer is in the kernel; told once.
    pub fn answered(&mut self, id: u64, at: SystemTime) {
        if let Some(case) = self.0.get_mut(&id).filter(|case| !case.answered) {
            case.answered = true;
            case.steps.add(at, Kind::State(State::Mitigating), "the answer is in the kernel".to_owned());
        }
    }

    /// A target is gone, and with it what went on about it.
    pub fn gone(&mut self, target: u32, at: SystemTime) {
        for (_, case) in self.open_ones().filter(|(_, case)| case.target == target) {
            case.steps.add(at, Kind::State(State::Ended), "the policy has no such target any more".to_owned());
            case.open = false;
        }
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
        self.0.iter().flat_map(of).collect()
    }

    /// Forgets those of incidents that are not remembered.
    pub fn keep(&mut self, remembered: impl Fn(u64) -> bool) {
        self.0.retain(|id, _| remembered(*id));
    }
}
