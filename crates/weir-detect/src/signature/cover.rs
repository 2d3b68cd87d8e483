//! Set cover: the best rule, what it covers taken out, the next one; then what is not needed goes again.

use weir_policy::rules::{Match, MatchVector, Term};

use super::beam;
use super::kinds::{self, KINDS};
use super::pool::Pool;
use super::prior;
use super::{Settings, Signature, Signed, Use};
use crate::bits::Bits;
use crate::bound::share_upper;

/// Of the 32 ranges of TTLs, more are everywhere.
const PATHS: usize = 12;

/// A rule on its way: its terms and whom they hold for.
#[derive(Clone, Debug)]
struct Found {
    ids: Vec<usize>,
    terms: Vec<Term>,
    attack: Bits,
    benign: Bits,
}

impl Found {
    /// Of terms in a pool.
    fn new(mut ids: Vec<usize>, pool: &Pool) -> Self {
        ids.sort_by_key(|id| pool.get(*id).map(|candidate| candidate.kind));
        let (attack, benign) = all(ids.iter(), pool);
        let terms = ids.iter().filter_map(|id| pool.get(*id)).map(|candidate| candidate.term.clone()).collect();
        Self { ids, terms, attack, benign }
    }

    fn told(&self) -> u8 {
        self.terms.iter().fold(0, |all, term| all | prior::told(term))
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
    let customers = 1.0 - share;
    let settings =
        &Settings { support: settings.support.max(customers), sibling: settings.sibling.max(customers), ..*settings };
    let mut pool = Pool::new(attack, benign);
    let mut found: Vec<Found> = Vec::new();
    let mut left = Bits::all(attack.len());
    let mut together = Union::new(benign.len());
    while left.count() >= settings.least(attack.len()) && found.len() < settings.rules {
        let Some(next) = next(&mut pool, &left, settings) else { break };
        // Each rule may pass alone and all of them together not.
        let union = together.with(&next);
        if union.collateral() > settings.limit_below {
            break;
        }
        together = union;
        left = left.without(&next.attack);
        found.push(next);
    }
    for one in &mut found {
        widen(one, &mut pool, settings);
        narrow(one, &mut pool);
    }
    let mut found = permitted(found, benign.len(), settings);
    spare(&mut found, settings.accept * share * attack.len() as f64);
    prune(&mut found, attack.len());
    sign(&found, attack.len(), benign.len(), share, settings)
}

/// The signature of what no customer's stack sends, however small a part of all that is: no benign packet hides in it, so that nothing else
/// need be known of it.
pub fn of_improper(attack: &[MatchVector], benign: &[MatchVector], settings: &Settings) -> Signature {
    let mut signature = synthesize(&prior::improper(attack, benign), benign, 1.0, settings);
    for rule in &mut signature.rules {
        let matched = attack.iter().filter(|packet| rule.matches.holds(packet)).count();
        rule.coverage = matched as f64 / attack.len().max(1) as f64;
    }
    // The first ones may have been taken for benign, so that the bound decides.
    signature.without(|rule| rule.may != Use::Drop || !prior::is_improper(rule.told()), attack, settings.support)
}

/// What each rule may do. Each may be harmless alone and all of them together not: what one of them adds must leave room for dropping.
fn permitted(found: Vec<Found>, benign: usize, settings: &Settings) -> Vec<(Found, Use)> {
    let mut dropped = Union::new(benign);
    let may = |one: Found| {
        let with = dropped.with(&one);
        if with.collateral() > settings.drop_below {
            return (one, Use::Limit);
        }
        dropped = with;
        (one, Use::Drop)
    };
    found.into_iter().map(may).collect()
}

/// Rules that may drop and match too little of the attack are not about the attack: most of it cannot be told from customers, and
/// what can be told may be a kind of customers that was seldom seen. None of them drops then.
fn spare(found: &mut [(Found, Use)], enough: f64) {
    let Some((first, _)) = found.first() else { return };
    let none = Bits::none(first.attack.len());
    let dropping = found.iter().filter(|(_, may)| *may == Use::Drop);
    if (dropping.fold(none, |bits, (one, _)| bits.or(&one.attack)).count() as f64) < enough {
        found.iter_mut().for_each(|(_, may)| *may = Use::Limit);
    }
}

/// The next rule for what is left, closed; nothing when none is good enough.
fn next(pool: &mut Pool, left: &Bits, settings: &Settings) -> Option<Found> {
    let attack = pool.attack() as f64;
    let least = settings.least(pool.attack());
    let ids = pool.of(left, least, settings.values);
    let candidates = ids.iter().filter_map(|id| pool.get(*id)).collect::<Vec<_>>();
    let best = beam::best(&candidates, left, pool.benign(), settings);
    let best = best.drops.or(best.limits)?;
    let chosen = ids.iter().enumerate().filter(|(at, _)| best.has(*at)).map(|(_, id)| *id).collect();
    let found = close(chosen, pool, settings);
    let cover = found.attack.count() as f64 / attack;
    (cover / found.collateral() >= settings.lift).then_some(found)
}

/// Adds every term that holds for nearly all that the conjunction matches: it loses next to nothing of the attack, and benign
/// packets that nobody has seen yet have all of these to fit by accident.
fn close(mut chosen: Vec<usize>, pool: &mut Pool, settings: &Settings) -> Found {
    // Of the whole attack, also what rules before this one cover.
    let (mut attack, _) = all(chosen.iter(), pool);
    let least = (settings.closure * attack.count() as f64).ceil() as usize;
    for id in pool.of(&attack, least, 1) {
        let kind = |id: &usize| pool.get(*id).map(|candidate| candidate.kind);
        if chosen.iter().any(|there| kind(there) == kind(&id)) {
            continue;
        }
        let Some(candidate) = pool.get(id) else { continue };
        let narrower = attack.and(&candidate.attack);
        if narrower.count() >= least {
            attack = narrower;
            chosen.push(id);
        }
    }
    Found::new(without_implied(chosen, pool), pool)
}

/// Whom all of some terms hold for.
fn all<'a>(ids: impl Iterator<Item = &'a usize>, pool: &Pool) -> (Bits, Bits) {
    let none = (Bits::all(pool.attack()), Bits::all(pool.benign()));
    let terms = ids.filter_map(|id| pool.get(*id));
    terms.fold(none, |(attack, benign), term| (attack.and(&term.attack), benign.and(&term.benign)))
}

/// Takes siblings in: values beside a term's own that more of the attack has, and that no benign packet has which all other terms
/// hold for. They would be rules of their own, were each of them not too small for one.
fn widen(one: &mut Found, pool: &mut Pool, settings: &Settings) {
    let least = (settings.sibling * pool.attack() as f64).ceil() as usize;
    let mut ids = one.ids.clone();
    for at in 0..ids.len() {
        let others = ids.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, id)| id);
        let (attack, benign) = all(others, pool);
        if let Some(place) = ids.get_mut(at)
            && let Some(wider) = pool.wider(*place, &attack, &benign, least, settings.drop_below)
        {
            *place = wider;
        }
    }
    *one = Found::new(ids, pool);
}

/// Narrows a rule that says nothing of TTLs to those that its packets have, if that is not everywhere: an attack comes from where it comes, and
/// benign packets from elsewhere that look like it, of which none may be among those that were seen, are spared. What it is thought
/// to harm at most stays what it was.
fn narrow(one: &mut Found, pool: &mut Pool) {
    let kind = |id: &usize| pool.get(*id).map(|candidate| candidate.kind);
    if one.ids.iter().filter_map(kind).any(|kind| kind == kinds::TTLS || KINDS[kinds::TTLS].finer == Some(kind)) {
        return;
    }
    if let Some(id) = pool.paths(&one.attack, PATHS) {
        let ids = one.ids.iter().copied().chain([id]).collect();
        *one = Found { benign: one.benign.clone(), ..Found::new(ids, pool) };
    }
}

/// A range says nothing beside an exact value of the same field.
fn without_implied(chosen: Vec<usize>, pool: &Pool) -> Vec<usize> {
    let kinds = chosen.iter().filter_map(|id| pool.get(*id)).map(|candidate| candidate.kind).collect::<Vec<_>>();
    let finer = |id: &usize| KINDS.get(pool.get(*id)?.kind)?.finer;
    chosen.into_iter().filter(|id| finer(id).is_none_or(|kind| !kinds.contains(&kind))).collect()
}

/// Takes out rules without which less than 1 % is lost, the last ones first. One that may drop is not made good by one that may not.
fn prune(found: &mut Vec<(Found, Use)>, attack: usize) {
    const LOSS: f64 = 0.01;
    let mut i = found.len();
    while i > 0 {
        i -= 1;
        let Some((one, may)) = found.get(i) else { continue };
        let others = found.iter().enumerate().filter(|(j, (_, other))| *j != i && other >= may);
        let others = others.fold(Bits::none(attack), |bits, (_, (other, _))| bits.or(&other.attack));
        if (one.attack.without(&others).count() as f64) < LOSS * attack as f64 {
            found.remove(i);
        }
    }
}

fn sign(found: &[(Found, Use)], attack: usize, benign: usize, share: f64, settings: &Settings) -> Signature {
    let rules = found.iter().map(|(one, may)| Signed {
        matches: Match { terms: one.terms.clone() },
        coverage: one.attack.count() as f64 / attack as f64,
        benign: one.benign.count(),
        collateral: one.collateral(),
        may: *may,
    });
    let all = found.iter().fold(Bits::none(attack), |bits, (one, _)| bits.or(&one.attack));
    let coverage = all.count() as f64 / attack as f64;
    let collateral = if found.is_empty() {
        0.0
    } else {
        found.iter().fold(Union::new(benign), |all, (one, _)| all.with(one)).collateral()
    };
    Signature {
        rules: rules.collect(),
        coverage,
        collateral,
        accepted: !found.is_empty() && coverage >= settings.accept * share,
    }
}
