//! A window of several targets together: of each network that has at least three of them, and of the node.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{Excess, Group, Scope, TARGETS};
use super::{About, Engine, Place, Said, Target};
use crate::detector::Score;
use crate::incident::State;
use crate::vector::{Vector, Window};
use crate::watch::{Crowd, Offered, Sampled, Step};

/// Kinds of packets.
const KINDS: usize = Vector::ALL.len();
/// Networks that are watched at most: those with most targets.
const NETWORKS: usize = 64;

/// A target's window: its number, whether what it sends is seen, what came.
pub type Came = (u32, bool, Window);

/// What is known of several targets' window, by kind of packets.
pub struct Together {
    /// What there is more than usual is spread over them.
    spread: [bool; KINDS],
    /// What their packets look like.
    shapes: [Option<Score>; KINDS],
    /// Some of them are attacked by themselves, and not in it.
    others: bool,
}

impl Together {
    /// Of one kind.
    pub fn of(&self, vector: Vector) -> Crowd {
        Crowd {
            spread: self.spread.get(vector as usize).copied().unwrap_or(false),
            shape: self.shapes.get(vector as usize).cloned().flatten(),
            others: self.others,
        }
    }
}

/// What came for those that are not attacked by themselves.
#[derive(Default)]
struct Sum {
    window: Window,
    excess: [Excess; KINDS],
    /// Those that are.
    apart: BTreeSet<u32>,
    /// What one of them sends is not seen.
    blind: bool,
    /// SYNs of some of them may be challenged.
    challenge: bool,
}

/// Samples of one kind with their targets, and how far they are from what these usually get.
#[derive(Default)]
struct Taken {
    samples: Vec<(u32, Sampled)>,
    distance: Option<(f64, usize)>,
}

impl Engine {
    /// Judges what came for the targets of each network, and of the node.
    pub(super) fn together(&mut self, came: &[Came], offered: &[Offered], said: &mut Vec<Said>) {
        let mut networks: BTreeMap<u64, usize> = BTreeMap::new();
        for (target, ..) in came {
            let network = self.targets.get(target).and_then(|state| state.network);
            network.into_iter().for_each(|network| *networks.entry(network).or_default() += 1);
        }
        let mut networks = networks.into_iter().filter(|(_, targets)| *targets >= TARGETS).collect::<Vec<_>>();
        networks.sort_by_key(|(_, targets)| std::cmp::Reverse(*targets));
        networks.truncate(NETWORKS);
        let places = networks.into_iter().map(|(network, _)| Place::Network(network));
        let places = places.chain([Place::Node]).collect::<Vec<_>>();
        self.groups.retain(|place, _| places.contains(place));
        for place in places {
            let mut group = match self.groups.remove(&place) {
                Some(group) => group,
                None => Box::new(Group::new(Target::new(&self.settings, u32::MAX))),
            };
            self.group(place, &mut group, came, offered, said);
            self.groups.insert(place, group);
        }
    }

    fn group(&mut self, place: Place, group: &mut Group, came: &[Came], offered: &[Offered], said: &mut Vec<Said>) {
        let settings = self.settings;
        let sum = self.sum(place, came);
        let taken = Vector::ALL.map(|vector| self.taken(group, vector, &sum.apart));
        let shape = |vector: Vector| group.mix(vector)?.score(taken.get(vector as usize)?.distance?);
        let shapes = Vector::ALL.map(shape);
        let together =
            Together { spread: sum.excess.each_ref().map(Excess::is_spread), shapes, others: !sum.apart.is_empty() };
        let challenged = group.all.is_challenged();
        let about =
            About { seen: !sum.blind, challenge: sum.challenge, challenged, suffers: None, together: Some(&together) };
        let steps = group.all.window(sum.window, &about, offered, &settings);
        for (vector, (taken, excess)) in Vector::ALL.into_iter().zip(taken.iter().zip(&sum.excess)) {
            group.learn(vector, taken.distance.filter(|_| sum.apart.is_empty()));
            let renewed = steps.iter().any(|(of, step)| *of == vector && matches!(step, Step::Signed { .. }));
            self.scope(group, vector, taken, excess, renewed);
        }
        // What is more than usual at all of them, and no attack, each of them tells by itself.
        let attack = |vector: &Vector| group.watch(*vector).is_some_and(|watch| watch.attack().is_some());
        let steps = steps.into_iter().filter(|(vector, _)| attack(vector));
        said.extend(steps.map(|(vector, step)| Said { place, vector, step }));
    }

    fn sum(&self, place: Place, came: &[Came]) -> Sum {
        let mut sum = Sum::default();
        for (target, seen, window) in came {
            let Some(state) = self.targets.get(target) else { continue };
            if place != Place::Node && state.network.map(Place::Network) != Some(place) {
                continue;
            }
            if self.is_apart(place, *target, state) {
                sum.apart.insert(*target);
                continue;
            }
            sum.window.add(window);
            sum.blind |= !seen;
            sum.challenge |= state.challenge;
            for ((excess, watch), count) in sum.excess.iter_mut().zip(&state.watches).zip(window.by_vector()) {
                excess.add(*target, count as f64 - watch.usual());
            }
        }
        sum
    }

    /// Whether a target is attacked by itself, or, for the node, as a part of its network.
    fn is_apart(&self, place: Place, target: u32, state: &Target) -> bool {
        let own = state.watches.iter().any(|watch| watch.attack().is_some_and(|(state, _)| state != State::Ended));
        let network = state.network.filter(|_| place == Place::Node).map(Place::Network);
        let network = network.and_then(|network| self.groups.get(&network));
        let felt = |group: &Group| {
            let mut attacks = group.scopes().filter(|(_, _, watch)| watch.attack().is_some());
            attacks.any(|(_, scope, _)| scope.felt().contains(&target))
        };
        own || network.is_some_and(|group| felt(group))
    }

    /// The window's samples of one kind go to the group's watch, and are kept with their targets.
    fn taken(&self, group: &mut Group, vector: Vector, apart: &BTreeSet<u32>) -> Taken {
        let mut samples = group.take(vector);
        samples.retain(|(target, _)| !apart.contains(target));
        let distance = group.distance(&samples, &self.targets, vector);
        if let Some(watch) = group.all.watches.get_mut(vector as usize) {
            samples.iter().for_each(|(_, sampled)| watch.sample(*sampled));
        }
        Taken { samples, distance }
    }

    /// Where the attack is now, and where its rules are for.
    fn scope(&mut self, group: &mut Group, vector: Vector, taken: &Taken, excess: &Excess, renewed: bool) {
        let Some(watch) = group.watch(vector) else { return };
        let (attack, signature) = (watch.attack(), watch.signature().cloned());
        let Some(scope) = group.scope(vector) else { return };
        if attack.is_none() {
            *scope = Scope::default();
            return;
        }
        if excess.is_spread() {
            scope.feels(excess.parts());
        }
        if renewed {
            scope.renew();
        }
        let Some(signature) = signature else { return };
        let below = self.settings.signature.drop_below;
        let allowed = |target: u32| {
            let benign = self.targets.get(&target).map_or(&[][..], |state| state.benign.packets());
            signature.fits(benign, below)
        };
        let changed = scope.matched(&taken.samples, &signature, allowed);
        self.changed |= changed;
    }
}
