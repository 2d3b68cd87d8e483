//! Set cover: the best rule, what it covers taken out, the next one; then what is not needed goes again.

use weir_policy::rules::{Match, MatchVector, Term};

use super::beam::{self, Conjunction};
use super::sample::{Candidate, held};
use super::{Settings, Signature, Signed, Use};
use super::{candidates, prior};
use crate::bits::Bits;
use crate::bound::share_upper;

/// A rule on its way: its terms and whom they hold for.
#[derive(Clone, Debug)]
struct Found {
    terms: Vec<(u8, Term)>,
    attack: Bits,
    benign: Bits,
}

impl Found {
    fn told(&self) -> u8 {
        self.terms.iter().fold(0, |all, (_, term)| all | prior::told(term))
    }

    fn collateral(&self) -> f64 {
        let seen = self.benign.count();
        prior::bounded(self.told(), seen, share_upper(seen, self.benign.len()))
    }
}

/// Several rules: the benign packets that any of them matches, and what is known of all of them beforehand.
#[derive(Clone)]
struct Union {
    benign: Bits,
    told: u8,
}

impl Union {
    fn new(benign: usize) -> Self {
        Self { benign: Bits::none(benign), told: u8::MAX }
    }

    fn with(&self, one: &Found) -> Self {
        Self { benign: self.benign.or(&one.benign), told: self.told & one.told() }
    }

    fn collateral(&self) -> f64 {
        let seen = self.benign.count();
        prior::bounded(self.told, seen, share_upper(seen, self.benign.len()))
    }
}

/// The signature of an attack. `share`: how much of the samples is thought to be the attack's, 0 to 1; the rest is customers'
/// traffic that came at the same time.
pub fn synthesize(attack: &[MatchVector], benign: &[MatchVector], share: f64, settings: &Settings) -> Signature {
    if attack.is_empty() {
        return Signature::default();
    }
    // A kind of customers that the reservoir does not know can be as many of the samples as customers are, and no more: a rule
    // that covers more is about the attack.
    let settings = &Settings { support: settings.support.max(1.0 - share), ..*settings };
    let mut found: Vec<Found> = Vec::new();
    let mut left = Bits::all(attack.len());
    let mut together = Union::new(benign.len());
    while left.count() as f64 > settings.support * attack.len() as f64 && found.len() < settings.rules {
        let Some(next) = next(attack, benign, &left, settings) else { break };
        // Each rule may pass alone and all of them together not.
        let union = together.with(&next);
        if union.collateral() > settings.limit_below {
            break;
        }
        together = union;
        left = left.without(&next.attack);
        found.push(next);
    }
    prune(&mut found, attack.len());
    sign(&found, attack.len(), benign.len(), share, settings)
}

/// The next rule for what is left, closed; nothing when none is good enough.
fn next(attack: &[MatchVector], benign: &[MatchVector], left: &Bits, settings: &Settings) -> Option<Found> {
    let least = (settings.support * attack.len() as f64).ceil() as usize;
    let terms = candidates::of(attack, left, least, settings.values);
    let candidates = candidates::evaluated(terms, attack, benign);
    let best = beam::best(&candidates, left, settings.drop_below, settings)
        .or_else(|| beam::best(&candidates, left, settings.limit_below, settings))?;
    let found = close(&best, &candidates, attack, benign, settings);
    let cover = found.attack.count() as f64 / attack.len() as f64;
    (cover / found.collateral() >= settings.lift).then_some(found)
}

/// Adds every term that holds for nearly all that the conjunction matches: it loses next to nothing of the attack, and benign
/// packets that nobody has seen yet have all of these to fit by accident.
fn close(
    one: &Conjunction,
    candidates: &[Candidate],
    attack: &[MatchVector],
    benign: &[MatchVector],
    settings: &Settings,
) -> Found {
    let chosen = one.terms.iter().filter_map(|i| candidates.get(*i));
    let mut terms = chosen.clone().map(|c| (c.kind, c.term.clone())).collect::<Vec<_>>();
    // Of the whole attack, also what rules before this one cover.
    let all = |pick: fn(&Candidate) -> &Bits, len| chosen.clone().fold(Bits::all(len), |bits, c| bits.and(pick(c)));
    let (mut hit, mut harm) = (all(|c| &c.attack, attack.len()), all(|c| &c.benign, benign.len()));
    let least = (settings.closure * hit.count() as f64).ceil() as usize;
    for (kind, term) in candidates::of(attack, &hit, least, 1) {
        if terms.iter().any(|(there, _)| *there == kind) {
            continue;
        }
        let narrower = hit.and(&held(&term, attack));
        if narrower.count() >= least {
            hit = narrower;
            harm = harm.and(&held(&term, benign));
            terms.push((kind, term));
        }
    }
    terms.sort_by_key(|(kind, _)| *kind);
    Found { terms: without_implied(terms), attack: hit, benign: harm }
}

/// A range says nothing beside an exact value of the same field.
fn without_implied(terms: Vec<(u8, Term)>) -> Vec<(u8, Term)> {
    let exact = |kind: u8| terms.iter().any(|(k, _)| *k == kind);
    let implied = |kind: u8| kind == 3 && exact(2) || kind == 5 && exact(4) || kind == 13 && exact(14);
    terms.iter().filter(|(kind, _)| !implied(*kind)).cloned().collect()
}

/// Takes out rules without which less than 1 % is lost, the last ones first.
fn prune(found: &mut Vec<Found>, attack: usize) {
    const LOSS: f64 = 0.01;
    let mut i = found.len();
    while i > 0 {
        i -= 1;
        let others = found.iter().enumerate().filter(|(j, _)| *j != i);
        let others = others.fold(Bits::none(attack), |bits, (_, other)| bits.or(&other.attack));
        let Some(one) = found.get(i) else { continue };
        if (one.attack.without(&others).count() as f64) < LOSS * attack as f64 {
            found.remove(i);
        }
    }
}

fn sign(found: &[Found], attack: usize, benign: usize, share: f64, settings: &Settings) -> Signature {
    // Each rule may be harmless alone and all of them together not: what one of them adds must leave room for dropping.
    let mut dropped = Union::new(benign);
    let rules = found.iter().map(|one| {
        let collateral = one.collateral();
        let with = dropped.with(one);
        let may = if with.collateral() <= settings.drop_below { Use::Drop } else { Use::Limit };
        if may == Use::Drop {
            dropped = with;
        }
        Signed {
            matches: Match { terms: one.terms.iter().map(|(_, term)| term.clone()).collect() },
            coverage: one.attack.count() as f64 / attack as f64,
            benign: one.benign.count(),
            collateral,
            may,
        }
    });
    let coverage =
        found.iter().fold(Bits::none(attack), |bits, one| bits.or(&one.attack)).count() as f64 / attack as f64;
    let collateral = if found.is_empty() {
        0.0
    } else {
        found.iter().fold(Union::new(benign), |all, one| all.with(one)).collateral()
    };
    Signature {
        rules: rules.collect(),
        coverage,
        collateral,
        accepted: !found.is_empty() && coverage >= settings.accept * share,
    }
}
