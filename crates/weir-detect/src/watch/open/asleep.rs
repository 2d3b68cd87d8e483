//! Rules that sleep, in a form that can be kept: their text, and what they were worth.

use serde::{Deserialize, Serialize};

use super::{Dormant, SLEEP};
use crate::incident::Life;
use crate::signature::{Signature, Signed, Use};

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rule {
    rule: String,
    coverage: f64,
    benign: usize,
    collateral: f64,
    drops: bool,
}

/// The rules of an incident that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asleep {
    /// The incident that they are of.
    #[serde(default)]
    id: u64,
    rules: Vec<Rule>,
    coverage: f64,
    collateral: f64,
    onset: f64,
    relapses: u32,
    age: u64,
}

impl Dormant {
    /// To be kept.
    pub fn asleep(&self) -> Asleep {
        let rules = self.signature.rules.iter().map(|signed| Rule {
            rule: signed.matches.to_string(),
            coverage: signed.coverage,
            benign: signed.benign,
            collateral: signed.collateral,
            drops: signed.may == Use::Drop,
        });
        Asleep {
            id: self.id,
            rules: rules.collect(),
            coverage: self.signature.coverage,
            collateral: self.signature.collateral,
            onset: self.life.onset,
            relapses: self.life.relapses(),
            age: self.age,
        }
    }

    /// Back after so many windows; nothing of what has slept for too long, or is not understood.
    pub fn woken(asleep: &Asleep, away: u64) -> Option<Self> {
        let age = asleep.age.saturating_add(away);
        let rules = asleep.rules.iter().map(|rule| {
            Some(Signed {
                matches: rule.rule.parse().ok()?,
                coverage: rule.coverage,
                benign: rule.benign,
                collateral: rule.collateral,
                may: if rule.drops { Use::Drop } else { Use::Limit },
            })
        });
        let rules = rules.collect::<Option<Vec<_>>>()?;
        let (coverage, collateral) = (asleep.coverage, asleep.collateral);
        let signature = Signature { rules, coverage, collateral, accepted: true };
        let life = Life::returning(asleep.onset, asleep.relapses);
        (age < SLEEP && !signature.rules.is_empty()).then_some(Self { id: asleep.id, signature, life, age })
    }

    /// How many there are.
    pub fn rules(&self) -> usize {
        self.signature.rules.len()
    }
}
