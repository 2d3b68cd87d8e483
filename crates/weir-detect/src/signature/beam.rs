//! The search for the best conjunction: a beam of the most promising ones grows by a term in each round.

use super::pool::Candidate;
use super::{Settings, prior};
use crate::bits::Bits;
use crate::bound::share_upper;

/// Terms that one search looks at, at most: as many as a set of them has bits.
const TERMS: usize = u128::BITS as usize;

/// A conjunction of candidates.
#[derive(Clone, Debug)]
pub struct Conjunction {
    /// Their places among those that were searched, one bit each.
    pub terms: u128,
    /// Of the attack's packets that were left, how many it matches.
    attack: Bits,
    /// The benign packets that it matches.
    benign: Bits,
    /// How many they are.
    hits: usize,
    /// What is known of it beforehand.
    told: u8,
    /// Higher is better.
    score: f64,
}

impl Conjunction {
    /// The share of benign packets that it matches at most.
    pub fn collateral(&self) -> f64 {
        harm(self.hits, self.benign.len(), self.told)
    }

    /// The kinds of its terms, a bit each.
    fn kinds(&self, candidates: &[&Candidate]) -> u32 {
        let own = candidates.iter().enumerate().filter(|(at, _)| self.has(*at));
        own.fold(0, |kinds, (_, one)| kinds | 1 << one.kind)
    }

    /// Whether the candidate at a place is one of its terms.
    pub fn has(&self, at: usize) -> bool {
        at < TERMS && self.terms >> at & 1 != 0
    }
}

/// The share of benign packets that a conjunction matches at most, which matches so many of so many.
fn harm(hits: usize, benign: usize, told: u8) -> f64 {
    prior::bounded(told, hits, share_upper(hits, benign))
}

/// The best conjunctions for what is left of the attack: one whose bound lets it drop, and one that may limit at least.
#[derive(Clone, Debug, Default)]
pub struct Best {
    /// Its bound is at most [`Settings::drop_below`].
    pub drops: Option<Conjunction>,
    /// Its bound is at most [`Settings::limit_below`].
    pub limits: Option<Conjunction>,
}

/// Searches.
pub fn best(candidates: &[&Candidate], left: &Bits, benign: usize, settings: &Settings) -> Best {
    let candidates = candidates.get(..TERMS.min(candidates.len())).unwrap_or_default();
    let least = settings.least(left.len());
    let mut best = Best::default();
    let mut beam = vec![Conjunction {
        terms: 0,
        attack: left.clone(),
        benign: Bits::all(benign),
        hits: benign,
        told: 0,
        score: f64::NEG_INFINITY,
    }];
    for _ in 0..settings.depth {
        let mut grown: Vec<Growth> = Vec::new();
        for (parent, one) in beam.iter().enumerate() {
            let kinds = one.kinds(candidates);
            let terms = candidates.iter().enumerate().filter(|(_, added)| kinds >> added.kind & 1 == 0);
            grown.extend(terms.filter_map(|(at, added)| Growth::of(one, parent, at, added, least)));
        }
        // The same terms in another order are the same conjunction.
        grown.sort_by_key(|growth| growth.terms);
        grown.dedup_by_key(|growth| growth.terms);
        grown.iter_mut().for_each(|growth| growth.judge(&beam, candidates, settings));
        grown.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.terms.cmp(&b.terms)));
        grown.truncate(settings.beam);
        let next = grown.into_iter().filter_map(|growth| growth.grown(&beam, candidates)).collect::<Vec<_>>();
        if next.is_empty() {
            break;
        }
        for (most, best) in [(settings.drop_below, &mut best.drops), (settings.limit_below, &mut best.limits)] {
            if let Some(fit) = next.iter().find(|c| c.collateral() <= most)
                && best.as_ref().is_none_or(|best| fit.score > best.score)
            {
                *best = Some(fit.clone());
            }
        }
        beam = next;
    }
    best
}

/// A conjunction that could be: counted before it is made, since most are not kept.
struct Growth {
    terms: u128,
    parent: usize,
    added: usize,
    /// Of the attack's packets that are left, how many it matches.
    attack: usize,
    /// Of the benign ones.
    hits: usize,
    score: f64,
}

impl Growth {
    /// One term more, of a kind that it has none of, if it still matches enough.
    fn of(one: &Conjunction, parent: usize, added: usize, candidate: &Candidate, least: usize) -> Option<Self> {
        let attack = one.attack.common(&candidate.attack);
        if attack < least.max(1) {
            return None;
        }
        Some(Self { terms: one.terms | 1 << added, parent, added, attack, hits: 0, score: f64::NEG_INFINITY })
    }

    fn judge(&mut self, beam: &[Conjunction], candidates: &[&Candidate], settings: &Settings) {
        let (Some(one), Some(candidate)) = (beam.get(self.parent), candidates.get(self.added)) else { return };
        self.hits = if one.hits == 0 { 0 } else { one.benign.common(&candidate.benign) };
        let harm = harm(self.hits, one.benign.len(), one.told | candidate.told);
        self.score = self.attack as f64 / one.attack.len() as f64 - settings.lambda * harm;
    }

    fn grown(self, beam: &[Conjunction], candidates: &[&Candidate]) -> Option<Conjunction> {
        let (one, candidate) = (beam.get(self.parent)?, candidates.get(self.added)?);
        let (attack, benign) = (one.attack.and(&candidate.attack), one.benign.and(&candidate.benign));
        let told = one.told | candidate.told;
        Some(Conjunction { terms: self.terms, attack, benign, hits: self.hits, told, score: self.score })
    }
}
