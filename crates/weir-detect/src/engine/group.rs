//! Targets of one network, or of the whole node, watched together: an attack that is spread over them may be too small at each.
//!
//! What comes for a target that is under attack by itself is not counted here: its own watch has it. A rule that is found here is put in
//! force at targets where it was seen to match, and only once these are three.

use std::collections::{BTreeMap, BTreeSet};

use super::Target;
use crate::detector::mix::{self, Mix};
use crate::even::Even;
use crate::signature::Signature;
use crate::vector::Vector;
use crate::watch::{Sampled, Watch};

/// An attack on several targets is one on so many at least.
pub const TARGETS: usize = 3;
/// It is spread when these share it about evenly: three of which one has twice what another has count for two and a half.
const SPREAD: f64 = 2.5;
/// A target is a part of it with this share of what each has on average.
const PART: f64 = 0.25;
/// Samples of a window, of one kind.
const SAMPLES: usize = 256;

/// What is watched together.
#[derive(Clone)]
pub struct Group {
    /// As if all were one target.
    pub all: Target,
    sampled: [Even<(u32, Sampled)>; Vector::ALL.len()],
    mixes: [Mix; Vector::ALL.len()],
    /// Where the attack on each kind of packets is felt, and where its rules were seen to match and may do so.
    scopes: [Scope; Vector::ALL.len()],
}

/// Where an attack is.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    felt: BTreeSet<u32>,
    /// Whether the target's own benign packets allow the rules.
    matched: BTreeMap<u32, bool>,
}

impl Scope {
    /// Targets where it is felt.
    pub fn felt(&self) -> &BTreeSet<u32> {
        &self.felt
    }

    /// Targets that the rules are for.
    pub fn ruled(&self) -> impl Iterator<Item = u32> {
        let enough = self.matched.len() >= TARGETS;
        self.matched.iter().filter(move |(_, allowed)| enough && **allowed).map(|(target, _)| *target)
    }

    /// It is felt there.
    pub fn feels(&mut self, targets: impl Iterator<Item = u32>) {
        self.felt.extend(targets);
    }

    /// A target that is no more.
    pub fn forget(&mut self, target: u32) {
        self.felt.remove(&target);
        self.matched.remove(&target);
    }

    /// Takes a window: samples with their targets, the rules, and whether a target's own benign packets allow these. Says whether the
    /// rules are for others now.
    pub fn matched(
        &mut self,
        sampled: &[(u32, Sampled)],
        signature: &Signature,
        allowed: impl Fn(u32) -> bool,
    ) -> bool {
        let before = self.ruled().count();
        for (target, sampled) in sampled {
            if !self.matched.contains_key(target) && !sampled.proven && signature.drops(&sampled.packet) {
                self.matched.insert(*target, allowed(*target));
            }
        }
        self.felt.extend(self.matched.keys());
        self.ruled().count() != before
    }

    /// The rules are others now.
    pub fn renew(&mut self) {
        self.matched.clear();
    }
}

/// What comes for each target above what is usual there.
#[derive(Clone, Debug, Default)]
pub struct Excess(Vec<(u32, f64)>);

impl Excess {
    /// Adds a target's, if there is any.
    pub fn add(&mut self, target: u32, above: f64) {
        if above > 0.0 {
            self.0.push((target, above));
        }
    }

    fn sum(&self) -> f64 {
        self.0.iter().map(|(_, above)| above).sum()
    }

    /// Whether several targets share it.
    pub fn is_spread(&self) -> bool {
        self.0.len() >= TARGETS && self.targets() >= SPREAD
    }

    /// How many targets share it, those with little counted less (Simpson's index, turned round).
    fn targets(&self) -> f64 {
        let squares: f64 = self.0.iter().map(|(_, above)| above * above).sum();
        if squares == 0.0 { 0.0 } else { self.sum() * self.sum() / squares }
    }

    /// Those that are a part of it.
    pub fn parts(&self) -> impl Iterator<Item = u32> {
        let least = PART * self.sum() / self.targets().max(1.0);
        self.0.iter().filter(move |(_, above)| *above >= least).map(|(target, _)| *target)
    }
}

impl Group {
    /// A group of which nothing is known.
    pub fn new(all: Target) -> Self {
        Self {
            all,
            sampled: std::array::from_fn(|_| Even::new(SAMPLES)),
            mixes: Default::default(),
            scopes: Default::default(),
        }
    }

    /// Where its attacks are.
    pub fn scopes(&self) -> impl Iterator<Item = (Vector, &Scope, &Watch)> {
        let both = self.scopes.iter().zip(&self.all.watches);
        Vector::ALL.into_iter().zip(both).map(|(vector, (scope, watch))| (vector, scope, watch))
    }

    /// Where its attack on a kind of packets is.
    pub fn scope(&mut self, vector: Vector) -> Option<&mut Scope> {
        self.scopes.get_mut(vector as usize)
    }

    /// A target that is no more.
    pub fn forget(&mut self, target: u32) {
        self.scopes.iter_mut().for_each(|scope| scope.forget(target));
    }

    /// Its watch over a kind of packets.
    pub fn watch(&self, vector: Vector) -> Option<&Watch> {
        self.all.watches.get(vector as usize)
    }

    /// The window's samples of a kind, which its watch gets as well.
    pub fn take(&mut self, vector: Vector) -> Vec<(u32, Sampled)> {
        self.sampled(vector).map(Even::take).unwrap_or_default()
    }

    /// The choice of a window's samples of a kind.
    pub fn sampled(&mut self, vector: Vector) -> Option<&mut Even<(u32, Sampled)>> {
        self.sampled.get_mut(vector as usize)
    }

    /// How far a window's samples are from what their targets usually get.
    pub fn distance(
        &self,
        samples: &[(u32, Sampled)],
        targets: &BTreeMap<u32, Target>,
        vector: Vector,
    ) -> Option<(f64, usize)> {
        let usual = |target: u32| targets.get(&target)?.watches.get(vector as usize)?.shape();
        mix::distance(samples.iter().map(|(target, sampled)| (*target, &sampled.packet)), usual)
    }

    /// How far calm windows were.
    pub fn mix(&self, vector: Vector) -> Option<&Mix> {
        self.mixes.get(vector as usize)
    }

    /// Learns how far a window was, if it was calm.
    pub fn learn(&mut self, vector: Vector, distance: Option<(f64, usize)>) {
        let calm = self.watch(vector).is_some_and(Watch::is_calm);
        if let (true, Some((distance, _)), Some(mix)) = (calm, distance, self.mixes.get_mut(vector as usize)) {
            mix.learn(distance);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Spread, and not.
    use super::*;

    fn excess(all: &[f64]) -> Excess {
        let mut excess = Excess::default();
        (1..).zip(all).for_each(|(target, above)| excess.add(target, *above));
        excess
    }

    #[test]
    fn one_large_share_is_one_targets_attack() {
        assert!(!excess(&[100.0, 3.0, 2.0, 4.0, 1.0]).is_spread());
        assert!(!excess(&[50.0, 60.0]).is_spread());
        let spread = excess(&[20.0, 30.0, 25.0, 1.0, -5.0]);
        assert!(spread.is_spread(), "{}", spread.targets());
        assert_eq!(spread.parts().collect::<Vec<_>>(), [1, 2, 3]);
        assert!(!excess(&[]).is_spread());
    }

    #[test]
    fn rules_are_for_targets_where_they_match_once_these_are_three() {
        let rule = |text: &str| crate::signature::Signed {
            matches: text.parse().unwrap(),
            coverage: 1.0,
            benign: 0,
            collateral: 1e-4,
            may: crate::signature::Use::Drop,
        };
        let signature = Signature { rules: vec![rule("ttl 9")], ..Signature::default() };
        let sampled = |target: u32, ttl: u8, proven: bool| {
            let mut packet = weir_policy::rules::MatchVector::default();
            packet[weir_abi::rules::field::TTL] = ttl;
            (target, Sampled { packet, source: Default::default(), weight: 1, proven })
        };
        let mut scope = Scope::default();
        let two = [sampled(1, 9, false), sampled(2, 9, false), sampled(3, 9, true), sampled(4, 8, false)];
        assert!(!scope.matched(&two, &signature, |_| true));
        assert_eq!(scope.ruled().count(), 0);
        assert!(scope.matched(&[sampled(5, 9, false), sampled(6, 9, false)], &signature, |target| target != 6));
        assert_eq!(scope.ruled().collect::<Vec<_>>(), [1, 2, 5], "6 has customers who look like that");
        scope.forget(1);
        assert_eq!(scope.felt().iter().copied().collect::<Vec<_>>(), [2, 5, 6]);
    }
}
