//! An incident that is open, and the rules of one that is over, which wake when it comes back.

use std::collections::VecDeque;

use weir_policy::rules::MatchVector;

use super::{Label, Sampled, Step};
use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::detector::hygiene::{self, likelihood_ratio};
use crate::detector::{CAP, Family, Score};
use crate::engine::Settings;
use crate::incident::Life;
use crate::signature::{Signature, synthesize};
use crate::sources::Sources;

/// Samples that are enough when an attack is too slow for more.
const FEW: usize = 16;
/// Windows after which few samples are enough.
const PATIENCE: u32 = 3;
/// After so many attempts a second passes before each.
const EAGER: u32 = 5;
/// Windows in a row in which so much is not matched that the attack must have changed.
const CHANGED: u32 = 3;
/// Of the onset: what is not matched, if the attack has changed.
const UNMATCHED: f64 = 0.2;
/// Windows for which rules sleep: a day.
const SLEEP: u64 = 24 * 3600 * WINDOWS_PER_SECOND as u64;
/// Of the onset: what must match for rules to wake.
const WAKES: f64 = 0.1;

/// An open incident.
#[derive(Clone, Debug)]
pub struct Open {
    pub id: u64,
    pub label: Label,
    pub life: Life,
    pub signature: Option<Signature>,
    /// What the target's strays are held to, packets per second.
    pub held: Option<u64>,
    /// What was seen is enough for rules that drop.
    pub may_drop: bool,
    /// The newest samples; once there is a signature, of what it does not match.
    samples: VecDeque<Sampled>,
    /// Samples since the last attempt.
    fresh: usize,
    attempts: u32,
    windows: u32,
    /// Of the last window's samples, the share that no rule matches.
    unmatched: f64,
    escaped: u32,
}

impl Open {
    pub fn new(id: u64, label: Label, above: f64) -> Self {
        Self {
            id,
            label,
            life: Life::new(above),
            signature: None,
            held: None,
            may_drop: false,
            samples: VecDeque::new(),
            fresh: 0,
            attempts: 0,
            windows: 0,
            unmatched: 1.0,
            escaped: 0,
        }
    }

    /// Holds the target's strays to so many per second.
    pub fn hold(&mut self, strays: u64) {
        self.held = Some(strays);
        self.life.answered();
    }

    /// Takes samples of the attack.
    pub fn collect(&mut self, samples: Vec<Sampled>, settings: &Settings) {
        let weight = |samples: &mut dyn Iterator<Item = &Sampled>| samples.map(|s| u64::from(s.weight)).sum::<u64>();
        let all = weight(&mut samples.iter());
        let signature = self.signature.as_ref();
        let left = samples.into_iter().filter(|s| signature.is_none_or(|sig| !sig.drops(&s.packet)));
        let before = self.samples.len();
        self.samples.extend(left);
        let new = self.samples.len() - before;
        self.fresh += new;
        let unmatched = weight(&mut self.samples.iter().skip(before));
        self.unmatched = if all == 0 { 0.0 } else { unmatched as f64 / all as f64 };
        while self.samples.len() > settings.samples {
            self.samples.pop_front();
        }
    }

    /// Takes over the rules of an incident that was over.
    pub fn wake(&mut self, dormant: Option<Dormant>) {
        if let Some(dormant) = dormant {
            self.life.relapse_of(&dormant.life);
            self.signature = Some(dormant.signature);
        }
    }

    /// What is left of it for the next time.
    pub fn sleep(self) -> Option<Dormant> {
        Some(Dormant { signature: self.signature?, life: self.life, age: 0 })
    }

    /// Writes rules when it is time.
    pub fn answer(&mut self, count: f64, usual: &Fast, benign: &[MatchVector], settings: &Settings) -> Option<Step> {
        self.windows += 1;
        if self.windows == 1
            && let Some(signature) = self.signature.clone()
        {
            self.life.answered();
            return Some(self.signed(signature));
        }
        let amiss = match self.signature {
            None => count,
            Some(_) => count * self.unmatched,
        };
        let above = (amiss - usual.mean()).max(0.0);
        if self.signature.is_some() {
            let escapes = above > UNMATCHED * self.life.onset && usual.z(amiss) > 5.0;
            self.escaped = if escapes { self.escaped + 1 } else { 0 };
            if self.escaped == 0 {
                self.samples.clear();
                self.fresh = 0;
            }
            if self.escaped < CHANGED {
                return None;
            }
        }
        if !self.is_time(settings) || above == 0.0 {
            return None;
        }
        self.attempts += 1;
        self.fresh = 0;
        let packets = self.samples.iter().map(|sampled| sampled.packet).collect::<Vec<_>>();
        let mut signature = synthesize(&packets, benign, above / amiss, &settings.signature);
        if !signature.accepted {
            return (self.attempts == 1).then_some(Step::Unsigned { coverage: signature.coverage });
        }
        if let Some(before) = &self.signature {
            signature = before.clone().and(signature, settings.signature.rules);
            signature.collateral = signature.harm(benign);
            // Old and new rules may be harmless apart and not together: the old ones stay alone.
            if signature.collateral > settings.signature.drop_below {
                return None;
            }
        }
        self.life.answered();
        self.escaped = 0;
        let step = self.signed(signature.clone());
        self.signature = Some(signature);
        self.samples.clear();
        Some(step)
    }

    fn is_time(&self, settings: &Settings) -> bool {
        let needed = if self.windows >= PATIENCE { FEW } else { settings.enough };
        let rested = self.attempts < EAGER || self.windows.is_multiple_of(WINDOWS_PER_SECOND);
        self.samples.len() >= needed && self.fresh >= needed && rested
    }

    fn signed(&self, signature: Signature) -> Step {
        Step::Signed { signature, sources: Sources::of(self.samples.iter().map(|sampled| sampled.source)) }
    }
}

/// Rules that sleep.
#[derive(Clone, Debug)]
pub struct Dormant {
    signature: Signature,
    life: Life,
    age: u64,
}

impl Dormant {
    /// A window more; whether they are forgotten.
    pub fn ages(&mut self) -> bool {
        self.age += 1;
        self.age >= SLEEP
    }

    /// Whether the attack is back: of customers hardly one packet matches.
    pub fn recognise(&self, samples: &[Sampled], count: f64) -> Option<Score> {
        let hits = samples.iter().filter(|sampled| self.signature.drops(&sampled.packet)).count();
        if hits == 0 {
            return None;
        }
        let share = hits as f64 / samples.len() as f64;
        let ratio = likelihood_ratio(hits as u64, samples.len() as u64);
        let alarm = hygiene::is_proof(ratio, hits as u64) && share * count > WAKES * self.life.onset;
        let value = if alarm { CAP } else { 0.0 };
        let evidence = format!("{hits} of {} samples fit the rules of an earlier incident", samples.len());
        Some(Score { detector: "known signature", family: Family::Hygiene, value, alarm, evidence })
    }
}
