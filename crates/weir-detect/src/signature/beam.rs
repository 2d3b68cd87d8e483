//! The search for the best conjunction: a beam of the most promising ones grows by a term in each round.

use super::sample::Candidate;
use super::{Settings, prior};
use crate::bits::Bits;
use crate::bound::share_upper;

/// A conjunction of candidates, by their numbers.
#[derive(Clone, Debug)]
pub struct Conjunction {
    /// Ascending.
    pub terms: Vec<usize>,
    /// The attack's packets that it matches.
    pub attack: Bits,
    /// The benign packets that it matches.
    pub benign: Bits,
    /// What is known of it beforehand.
    pub told: u8,
    /// Higher is better.
    pub score: f64,
}

impl Conjunction {
    /// The share of benign packets that it matches at most.
    pub fn collateral(&self) -> f64 {
        harm(self.benign.count(), self.benign.len(), self.told)
    }
}

/// The share of benign packets that a conjunction matches at most, which matches so many of so many.
fn harm(hits: usize, benign: usize, told: u8) -> f64 {
    prior::bounded(told, hits, share_upper(hits, benign))
}

/// The best conjunction for what is left of the attack, whose bound is at most `most`.
pub fn best(candidates: &[Candidate], left: &Bits, most: f64, settings: &Settings) -> Option<Conjunction> {
    let least = (settings.support * left.len() as f64).ceil() as usize;
    let mut best: Option<Conjunction> = None;
    let mut beam = vec![Conjunction {
        terms: Vec::new(),
        attack: left.clone(),
        benign: candidates.first().map_or_else(|| Bits::none(0), |c| Bits::all(c.benign.len())),
        told: 0,
        score: f64::NEG_INFINITY,
    }];
    for _ in 0..settings.depth {
        let mut grown: Vec<Growth> = Vec::new();
        for (parent, one) in beam.iter().enumerate() {
            let terms = candidates.iter().enumerate();
            grown.extend(terms.filter_map(|(i, c)| Growth::of(one, parent, i, c, candidates, least, settings)));
        }
        grown.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.terms.cmp(&b.terms)));
        grown.dedup_by(|a, b| a.terms == b.terms);
        grown.truncate(settings.beam);
        let next = grown.into_iter().filter_map(|growth| growth.grown(&beam, candidates)).collect::<Vec<_>>();
        if next.is_empty() {
            break;
        }
        if let Some(fit) = next.iter().find(|c| c.collateral() <= most)
            && best.as_ref().is_none_or(|best| fit.score > best.score)
        {
            best = Some(fit.clone());
        }
        beam = next;
    }
    best
}

/// A conjunction that could be: counted before it is made, since most are not kept.
struct Growth {
    terms: Vec<usize>,
    parent: usize,
    added: usize,
    score: f64,
}

impl Growth {
    /// One term more, if that is another one and still matches enough.
    fn of(
        one: &Conjunction,
        parent: usize,
        added: usize,
        candidate: &Candidate,
        candidates: &[Candidate],
        least: usize,
        settings: &Settings,
    ) -> Option<Self> {
        let same = |i: &usize| *i == added || candidates.get(*i).is_some_and(|c| c.kind == candidate.kind);
        if one.terms.iter().any(same) {
            return None;
        }
        let hits = one.attack.common(&candidate.attack);
        if hits < least.max(1) {
            return None;
        }
        let harm = harm(one.benign.common(&candidate.benign), one.benign.len(), one.told | candidate.told);
        let mut terms = one.terms.clone();
        terms.push(added);
        terms.sort_unstable();
        Some(Self { terms, parent, added, score: hits as f64 / one.attack.len() as f64 - settings.lambda * harm })
    }

    fn grown(self, beam: &[Conjunction], candidates: &[Candidate]) -> Option<Conjunction> {
        let (one, candidate) = (beam.get(self.parent)?, candidates.get(self.added)?);
        let (attack, benign) = (one.attack.and(&candidate.attack), one.benign.and(&candidate.benign));
        Some(Conjunction { terms: self.terms, attack, benign, told: one.told | candidate.told, score: self.score })
    }
}
