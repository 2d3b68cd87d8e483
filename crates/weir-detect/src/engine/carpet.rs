//! Carpet bombing: an attack on several targets at once is one incident. Either their own watches notice it, each by itself, or the watch
//! over all of them does, and where both do they say one thing.

use std::collections::BTreeSet;

use weir_policy::rules::Match;

use super::group::TARGETS;
use super::{Engine, Event, Place, Said};
use crate::baseline::WINDOWS_PER_SECOND;
use crate::incident::State;
use crate::vector::Vector;
use crate::watch::{Label, Limited, Step};

/// Attacks on one kind of packets that begin within so many windows are one.
const TOGETHER: u64 = 10 * WINDOWS_PER_SECOND as u64;

/// One incident of several targets.
#[derive(Clone, Debug)]
pub struct Carpet {
    id: u64,
    vector: Vector,
    /// Whose watches have a part in it.
    places: BTreeSet<Place>,
    /// The targets that were told.
    told: BTreeSet<u32>,
    state: State,
    challenged: bool,
    /// What was told to be limited.
    limited: Vec<Match>,
    /// Steps that are told once, whoever takes them.
    said: BTreeSet<&'static str>,
}

impl Carpet {
    /// A target that is no more.
    pub fn forget(&mut self, target: u32) {
        self.told.remove(&target);
        self.places.remove(&Place::Target(target));
    }

    /// Whether what one of its watches says is to be told: what is said of all is told by [`Engine::sum_up`].
    fn tells(&mut self, step: &Step) -> bool {
        match step {
            Step::Now(_) | Step::Released(_) | Step::Challenged { .. } | Step::Limited { .. } => false,
            Step::Began { .. } => self.said.insert("began"),
            Step::Unsigned { .. } => self.said.insert("unsigned"),
            Step::Corroborated { .. } => self.said.insert("corroborated"),
            Step::Armed => self.said.insert("armed"),
            _ => true,
        }
    }
}

impl Engine {
    /// Gives incidents their numbers and makes one of those that belong together.
    pub(super) fn tell(&mut self, number: u64, said: Vec<Said>) -> Vec<Event> {
        let mut events = Vec::new();
        for vector in Vector::ALL {
            let began =
                |one: &&Said| one.vector == vector && matches!(one.step, Step::Began { label: Label::Attack, .. });
            let new = said.iter().filter(began).map(|one| one.place).collect::<Vec<_>>();
            if !new.is_empty() {
                self.gather(number, vector, new, &mut events);
            }
        }
        for Said { place, vector, step } in said {
            let Some(id) = self.named(place, vector) else { continue };
            let target = self.seat(place, vector);
            let mut carpets = std::mem::take(&mut self.carpets);
            let carpet = carpets.iter_mut().find(|carpet| carpet.id == id);
            let first = matches!(step, Step::Began { .. });
            let (tells, targets) = match carpet {
                None => (true, None),
                Some(carpet) => {
                    let tells = carpet.tells(&step);
                    (tells, if tells && first { self.grown(carpet) } else { None })
                }
            };
            self.carpets = carpets;
            if tells {
                events.push(Event { incident: id, target, vector, window: number, step });
            }
            if let Some(targets) = targets {
                events.push(Event { incident: id, target, vector, window: number, step: Step::Spread { targets } });
            }
        }
        self.sum_up(number, &mut events);
        events
    }

    /// Attacks of one kind that begin now: they are a part of what goes on already, or make a carpet with others.
    fn gather(&mut self, number: u64, vector: Vector, new: Vec<Place>, events: &mut Vec<Event>) {
        let spread = |place: &Place| !matches!(place, Place::Target(_));
        let at = match self.carpets.iter().position(|carpet| carpet.vector == vector) {
            Some(at) => at,
            None => {
                // One that a single target's watch has told is not a part of what is spread over others.
                let near = Some(self.recent(vector)).filter(|near| near.len() >= TARGETS).unwrap_or_default();
                if near.is_empty() && !new.iter().any(spread) {
                    return;
                }
                let oldest = near.iter().filter_map(|place| self.watch(*place, vector)).map(|watch| watch.named());
                let id = oldest.filter(|id| *id != 0).min().unwrap_or_else(|| {
                    self.incidents += 1;
                    self.incidents
                });
                let said = if near.iter().any(|place| !new.contains(place)) {
                    BTreeSet::from(["began"])
                } else {
                    BTreeSet::new()
                };
                let (places, told, state) = (near.into_iter().collect(), BTreeSet::new(), State::Detecting);
                let (challenged, limited) = (false, Vec::new());
                self.carpets.push(Carpet { id, vector, places, told, state, challenged, limited, said });
                self.carpets.len() - 1
            }
        };
        let Some(carpet) = self.carpets.get_mut(at) else { return };
        carpet.places.extend(new);
        let (id, places) = (carpet.id, carpet.places.clone());
        for place in places {
            let target = self.seat(place, vector);
            let Some(watch) = self.watch_mut(place, vector) else { continue };
            let before = watch.named();
            watch.name(id);
            if before != 0 && before != id {
                events.push(Event {
                    incident: before,
                    target,
                    vector,
                    window: number,
                    step: Step::Joined { into: id },
                });
            }
        }
    }

    /// Targets whose own watches noticed an attack on a kind of packets just now or not long ago.
    fn recent(&self, vector: Vector) -> Vec<Place> {
        let attacked = |place: &Place| {
            let attack = self.watch(*place, vector).and_then(|watch| watch.attack());
            attack.is_some_and(|(state, age)| state != State::Ended && age <= TOGETHER)
        };
        self.targets.keys().map(|target| Place::Target(*target)).filter(attacked).collect()
    }

    /// What carpets are as a whole: their targets, where they stand, whether SYNs are challenged, what is limited. Those that are over go.
    fn sum_up(&mut self, number: u64, events: &mut Vec<Event>) {
        let mut carpets = std::mem::take(&mut self.carpets);
        for carpet in &mut carpets {
            let (incident, vector) = (carpet.id, carpet.vector);
            carpet.places.retain(|place| self.watch(*place, vector).is_some_and(|watch| watch.named() == incident));
            let first = carpet.told.first().copied();
            let target = first.or_else(|| carpet.places.first().map(|place| self.seat(*place, vector))).unwrap_or(0);
            let mut tell = |step| events.push(Event { incident, target, vector, window: number, step });
            if let Some(targets) = self.grown(carpet) {
                tell(Step::Spread { targets });
            }
            let challenged = self.any(carpet, |watch| watch.challenged());
            if challenged != carpet.challenged {
                carpet.challenged = challenged;
                tell(Step::Challenged { on: challenged });
            }
            let limit = self.limited_by(carpet);
            let limited = limit.as_ref().map(|limit| limit.matches.clone()).unwrap_or_default();
            // What ends at one target only is not told.
            if limited.is_empty() != carpet.limited.is_empty()
                || limited.iter().any(|one| !carpet.limited.contains(one))
            {
                carpet.limited = limited;
                tell(Step::Limited { limit });
            }
            let states = carpet.places.iter().filter_map(|place| Some(self.watch(*place, vector)?.attack()?.0));
            let state = states.min_by_key(|state| urgency(*state)).unwrap_or(State::Ended);
            // That something is in force was said by what is.
            let said = state == State::Mitigating && carpet.state == State::Detecting;
            if state != carpet.state && !said {
                tell(Step::Now(state));
            }
            carpet.state = state;
        }
        carpets.retain(|carpet| carpet.state != State::Ended);
        self.carpets = carpets;
    }

    /// All that is limited at any target of a carpet, and the widest of the limits.
    fn limited_by(&self, carpet: &Carpet) -> Option<Limited> {
        let limits = carpet.places.iter().filter_map(|place| self.watch(*place, carpet.vector)?.limited());
        limits.reduce(|mut all, one| {
            all.packets = all.packets.max(one.packets);
            all.matches
                .extend(one.matches.into_iter().filter(|matches| !all.matches.contains(matches)).collect::<Vec<_>>());
            all
        })
    }

    fn any(&self, carpet: &Carpet, is: impl Fn(&crate::watch::Watch) -> bool) -> bool {
        carpet.places.iter().any(|place| self.watch(*place, carpet.vector).is_some_and(&is))
    }

    /// All targets of a carpet, if they are more than were told.
    fn grown(&self, carpet: &mut Carpet) -> Option<Vec<u32>> {
        let before = carpet.told.len();
        for place in &carpet.places {
            match place {
                Place::Target(target) => drop(carpet.told.insert(*target)),
                _ => carpet.told.extend(self.felt(*place, carpet.vector)),
            }
        }
        (carpet.told.len() > before).then(|| carpet.told.iter().copied().collect())
    }

    /// The number of a place's incident; a new one gets one.
    fn named(&mut self, place: Place, vector: Vector) -> Option<u64> {
        let next = self.incidents + 1;
        let watch = self.watch_mut(place, vector)?;
        if watch.named() == 0 {
            watch.name(next);
            self.incidents = next;
            return Some(next);
        }
        Some(watch.named())
    }

    /// The target that an event names.
    fn seat(&self, place: Place, vector: Vector) -> u32 {
        match place {
            Place::Target(target) => target,
            _ => self.felt(place, vector).into_iter().next().unwrap_or(0),
        }
    }
}

/// The state of a whole is that of the part which is worst off.
fn urgency(state: State) -> u8 {
    match state {
        State::Mitigating => 0,
        State::Detecting => 1,
        State::Watching => 2,
        State::Ended => 3,
    }
}
