//! The engine: windows of counters and sampled packets in, events out. Each kind of packets of each target is watched apart.

mod carpet;
mod group;
mod hours;
mod known;
mod memory;
mod opening;
mod target;
mod together;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use weir_abi::FEATURE_SLOTS;

use crate::detector::harm::Suffering;
use crate::incident::{Life, State};
use crate::signature::{self, Signature, Signed};
use crate::vector::{Vector, Window};
use crate::watch::{Limited, Offered, Sampled, Step, Watch};
use carpet::Carpet;
use group::Group;
pub use known::{Known, KnownKind};
pub use memory::{Learned, Memory, VERSION};
use opening::Opening;
use target::Target;
use together::Together;
use waiting::Waiting;

/// What does not change while it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Windows of calm until a rate can be called unusual.
    pub warm_up: u64,
    /// Samples of one window, of one kind, that are kept at most.
    pub window_samples: usize,
    /// Samples of an attack that are looked at, at most.
    pub samples: usize,
    /// Samples that are enough.
    pub enough: usize,
    /// How signatures are made.
    pub signature: signature::Settings,
    /// Seed of every choice.
    pub seed: u64,
}

impl Default for Settings {
    /// A minute to learn, 512 samples, 64 of which are enough.
    fn default() -> Self {
        Self {
            warm_up: 600,
            window_samples: 256,
            samples: 512,
            enough: 64,
            signature: signature::Settings::default(),
            seed: 0,
        }
    }
}

/// Something that happened to a target's packets of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The incident, from 1.
    pub incident: u64,
    /// The target.
    pub target: u32,
    /// The kind of packets.
    pub vector: Vector,
    /// The window in which it happened.
    pub window: u64,
    /// What.
    pub step: Step,
}

/// A target's counters at the end of a window.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The target.
    pub target: u32,
    /// Its feature slots, as they stand.
    pub slots: [u64; FEATURE_SLOTS],
    /// Whether what it sends is seen, so that the facts about connections among the slots mean something.
    pub seen: bool,
    /// Whether its SYNs may be challenged while it is attacked.
    pub challenge: bool,
    /// Whether each source may be held to so many new connections meanwhile: the policy has no such limit.
    pub share: bool,
    /// The network of its addresses, any number for each: an attack may be spread over the targets of one.
    pub network: Option<u64>,
    /// What its service suffers, where somebody sees that.
    pub suffers: Option<Suffering>,
}

impl Row {
    /// A target of which nothing but its counters is known.
    pub const fn new(target: u32, slots: [u64; FEATURE_SLOTS]) -> Self {
        Self { target, slots, seen: false, challenge: false, share: false, network: None, suffers: None }
    }
}

/// The rules that a step puts in force.
fn offer(vector: Vector, step: &Step) -> Option<Offered> {
    match step {
        Step::Signed { signature, .. } => Some(Offered { vector, signature: signature.clone(), targets: 1 }),
        _ => None,
    }
}

/// Benign packets of all targets together: 48 MiB. Targets that have most give up half when there are more.
const BENIGN: usize = 2 << 20;
/// Weeks of rates, one for each kind of packets of each target, of all targets together: about 20 MiB. Those that come later have none.
const WEEKS: usize = 1024;
/// No target gives up more than down to this many.
const LEAST: usize = 1000;

/// The engine.
#[derive(Clone)]
pub struct Engine {
    settings: Settings,
    targets: BTreeMap<u32, Target>,
    /// Targets that are watched together. Boxed: each leaves the map while it is judged.
    groups: BTreeMap<Place, Box<Group>>,
    /// Incidents of several targets.
    carpets: Vec<Carpet>,
    incidents: u64,
    changed: bool,
    /// The hour that runs, where the caller has a clock.
    hour: Option<u64>,
    /// Weeks that were begun.
    weeks: usize,
}

/// Whose packets a watch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A target's.
    Target(u32),
    /// Those of all targets of a network.
    Network(u64),
    /// Those of all targets.
    Node,
}

/// What a watch says.
struct Said {
    place: Place,
    vector: Vector,
    step: Step,
}

/// What is known of a window beside its packets.
struct About<'a> {
    /// What the target sends is seen.
    seen: bool,
    /// Its SYNs may be challenged.
    challenge: bool,
    /// They are.
    challenged: bool,
    /// What the service suffers.
    suffers: Option<Suffering>,
    /// It is a window of several targets.
    together: Option<&'a Together>,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            targets: BTreeMap::new(),
            groups: BTreeMap::new(),
            carpets: Vec::new(),
            incidents: 0,
            changed: false,
            hour: None,
            weeks: 0,
        }
    }

    /// From now on a rate can be called unusual after so many windows of calm: someone vouches for what was learned.
    pub fn trust(&mut self, warm_up: u64) {
        self.settings.warm_up = warm_up;
    }

    /// Which hour runs, counted without gaps from any hour on. Without it nothing is known by the hour of the week.
    pub fn hour(&mut self, hour: u64) {
        self.hour = Some(hour);
    }

    /// Incidents are numbered from here on, after those of an engine before this one.
    pub fn number_from(&mut self, first: u64) {
        self.incidents = self.incidents.max(first.saturating_sub(1));
    }

    /// Takes a packet of a target, if it is wanted: `look` is called only then.
    pub fn sample(&mut self, target: u32, vector: Vector, look: impl FnOnce() -> Sampled) {
        let state = self.target(target);
        let network = state.network.map(Place::Network);
        let Some(watch) = state.watches.get_mut(vector as usize) else { return };
        let mut look = Some(look);
        let mut taken = None;
        if watch.wants() {
            taken = look.take().map(|look| look());
            taken.into_iter().for_each(|sampled| watch.sample(sampled));
        } else {
            watch.pass();
        }
        if vector == Vector::Syn {
            taken.iter().for_each(|sampled| state.opening.openers.sample(sampled.source, sampled.weight));
        }
        if self.groups.is_empty() {
            return;
        }
        for place in network.into_iter().chain([Place::Node]) {
            let Some(even) = self.groups.get_mut(&place).and_then(|group| group.sampled(vector)) else { continue };
            if !even.wants() {
                even.pass();
                continue;
            }
            taken = taken.or_else(|| look.take().map(|look| look()));
            taken.into_iter().for_each(|sampled| even.add((target, sampled)));
        }
    }

    /// A number that now stands for another target: nothing of the old one is known of it.
    pub fn forget(&mut self, target: u32) {
        if let Some(gone) = self.targets.remove(&target) {
            self.weeks -= gone.hours.begun();
        }
        self.groups.values_mut().for_each(|group| group.forget(target));
        self.carpets.iter_mut().for_each(|carpet| carpet.forget(target));
    }

    fn watch(&self, place: Place, vector: Vector) -> Option<&Watch> {
        let state = match place {
            Place::Target(target) => self.targets.get(&target)?,
            _ => &self.groups.get(&place)?.all,
        };
        state.watches.get(vector as usize)
    }

    fn watch_mut(&mut self, place: Place, vector: Vector) -> Option<&mut Watch> {
        let state = match place {
            Place::Target(target) => self.targets.get_mut(&target)?,
            _ => &mut self.groups.get_mut(&place)?.all,
        };
        state.watches.get_mut(vector as usize)
    }

    /// Targets where what several are attacked by is felt.
    fn felt(&self, place: Place, vector: Vector) -> Vec<u32> {
        let scopes = self.groups.get(&place).into_iter().flat_map(|group| group.scopes());
        scopes.filter(|(of, ..)| *of == vector).flat_map(|(_, scope, _)| scope.felt().iter().copied()).collect()
    }

    /// Ends a window.
    pub fn window(&mut self, number: u64, rows: &[Row]) -> Vec<Event> {
        self.windows(number, 1, rows)
    }

    /// Ends so many windows at once, since nobody looked in between: each is taken to have had its share.
    pub fn windows(&mut self, number: u64, lasted: u64, rows: &[Row]) -> Vec<Event> {
        let (settings, hour, mut weeks) = (self.settings, self.hour, self.weeks);
        let challenged = self.challenged().collect::<BTreeSet<_>>();
        let mut offered = self.offers();
        let mut said = Vec::new();
        let mut apart = Vec::new();
        let mut came = Vec::new();
        for row in rows {
            let state = self.target(row.target);
            // Counters that were there before the engine began are nobody's window.
            let window = state.before.map_or_else(Window::default, |before| Window::since(&row.slots, &before));
            let steps = state.wait(&window, row.seen, lasted, &settings);
            apart.extend(steps.into_iter().map(|step| (row.target, Vector::Slow, step)));
            let window = window.of_many(lasted);
            state.before = Some(row.slots);
            (state.network, state.challenge) = (row.network, row.challenge);
            let about = About {
                seen: row.seen,
                challenge: row.challenge,
                challenged: challenged.contains(&row.target),
                suffers: row.suffers,
                together: None,
            };
            let window = if about.challenged { window.without_answers(state.challenges(&window)) } else { window };
            for (vector, step) in state.window(window, &about, &offered, &settings) {
                offered.extend(offer(vector, &step));
                said.push(Said { place: Place::Target(row.target), vector, step });
            }
            let steps = state.opened(&window, row, &settings);
            apart.extend(steps.into_iter().map(|step| (row.target, Vector::Connections, step)));
            if let Some(hour) = hour
                && state.hours.passed(lasted)
            {
                let second = state.second.1;
                for (vector, watch) in Vector::ALL.into_iter().zip(&mut state.watches) {
                    let calm = watch.was_calm();
                    weeks += usize::from(state.hours.second(hour, vector, &second, calm, weeks < WEEKS));
                }
            }
            came.push((row.target, row.seen, window));
        }
        self.weeks = weeks;
        if came.len() >= group::TARGETS {
            self.together(&came, &offered, &mut said);
        }
        let steps = said.iter().map(|one| &one.step).chain(apart.iter().map(|(.., step)| step));
        self.changed |= steps.into_iter().any(Step::changes_tables);
        let mut events = self.tell(number, said);
        events.extend(
            apart.into_iter().filter_map(|(target, vector, step)| self.tell_apart(number, target, vector, step)),
        );
        self.stay_small();
        events
    }

    /// What is said of a target's connections, which no watch is over.
    fn tell_apart(&mut self, window: u64, target: u32, vector: Vector, step: Step) -> Option<Event> {
        let state = self.targets.get_mut(&target)?;
        let id = if vector == Vector::Slow { &mut state.waiting.id } else { &mut state.opening.id };
        if *id == 0 {
            self.incidents += 1;
            *id = self.incidents;
        }
        let incident = *id;
        if step == Step::Now(State::Ended) {
            *id = 0;
        }
        Some(Event { incident, target, vector, window, step })
    }

    /// Whether what is to be in force has changed since this was asked last.
    pub fn changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Rules that are in force somewhere, by how many targets.
    fn offers(&self) -> Vec<Offered> {
        let mut offers: Vec<Offered> = Vec::new();
        for (_, vector, signature) in self.signatures() {
            match offers.iter_mut().find(|offer| offer.vector == vector && offer.signature.rules == signature.rules) {
                Some(same) => same.targets += 1,
                None => offers.push(Offered { vector, signature: signature.clone(), targets: 1 }),
            }
        }
        offers
    }

    fn stay_small(&mut self) {
        let size = |target: &Target| target.benign.packets().len();
        let groups = self.groups.values().map(|group| &group.all);
        let mut all: usize = self.targets.values().chain(groups).map(size).sum();
        while all > BENIGN {
            let groups = self.groups.values_mut().map(|group| &mut group.all);
            let Some(largest) = self.targets.values_mut().chain(groups).max_by_key(|one| size(one)) else { return };
            let before = size(largest);
            largest.benign.halve(LEAST);
            if size(largest) == before {
                return;
            }
            all -= before - size(largest);
        }
    }

    /// Whether nothing goes on at a target, and its last window was no cause for doubt.
    pub fn is_calm(&self, target: u32) -> bool {
        self.targets.get(&target).is_none_or(Target::is_calm)
    }

    /// What is matched now, by target: the signatures of incidents that are not over.
    pub fn signatures(&self) -> impl Iterator<Item = (u32, Vector, &Signature)> {
        let own = self.targets.iter().flat_map(|(id, state)| {
            let watches = Vector::ALL.into_iter().zip(&state.watches);
            watches.filter_map(|(vector, watch)| Some((*id, vector, watch.signature()?)))
        });
        let scopes = self.groups.values().flat_map(|group| group.scopes());
        let shared = scopes.filter_map(|(vector, scope, watch)| Some((vector, scope, watch.signature()?)));
        own.chain(shared.flat_map(|(vector, scope, signature)| scope.ruled().map(move |id| (id, vector, signature))))
    }

    /// The rules of incidents that are not over, by target, and whether each drops; one that does not counts.
    pub fn rules(&self) -> impl Iterator<Item = (u32, &Signed, bool)> {
        self.rules_of_incidents().map(|(target, _, rule, drops)| (target, rule, drops))
    }

    /// The same with the number of the incident behind the target; several targets may share one.
    pub fn rules_of_incidents(&self) -> impl Iterator<Item = (u32, u64, &Signed, bool)> {
        let own = self.targets.iter().flat_map(|(id, state)| {
            let rules = state.watches.iter().flat_map(|watch| watch.rules().map(|rule| (watch.named(), rule)));
            rules.map(|(incident, (rule, drops))| (*id, incident, rule, drops))
        });
        let shared = self.groups.values().flat_map(|group| group.scopes()).flat_map(|(_, scope, watch)| {
            let rules = watch.rules();
            rules.flat_map(move |(rule, drops)| scope.ruled().map(move |id| (id, watch.named(), rule, drops)))
        });
        own.chain(shared)
    }

    /// The life of an incident that is not over; of several watches that have a part in it the one that lasts longest.
    pub fn life(&self, incident: u64) -> Option<&Life> {
        let mine = self.watches().filter(|watch| watch.named() == incident).filter_map(Watch::life);
        let waiting = self.targets.values().map(|state| &state.waiting).filter(|waiting| waiting.id == incident);
        let opening = self.targets.values().map(|state| &state.opening).filter(|opening| opening.id == incident);
        let all = mine.chain(waiting.filter_map(Waiting::life)).chain(opening.filter_map(Opening::life));
        all.max_by_key(|life| (life.state != State::Watching, life.left()))
    }

    /// In how many windows the rules of an incident that is over, which wake when the attack returns, are forgotten.
    pub fn sleeping(&self, incident: u64) -> Option<u64> {
        let mine = self.watches().filter_map(Watch::sleeping).filter(|(id, _)| *id == incident);
        mine.map(|(_, left)| left).max()
    }

    /// What an incident holds the strays of its targets to, packets per second.
    pub fn holding(&self, incident: u64) -> impl Iterator<Item = (u32, u64)> {
        let of = move |state: &Target| {
            let mine = state.watches.iter().filter(|watch| watch.named() == incident);
            mine.filter_map(Watch::held).min()
        };
        self.targets.iter().filter_map(move |(id, state)| Some((*id, of(state)?)))
    }

    /// What an incident holds packets to whose sources do not come regularly.
    pub fn limiting(&self, incident: u64) -> impl Iterator<Item = (u32, Limited)> {
        self.limited().filter(move |(_, of, _)| *of == incident).map(|(target, _, limited)| (target, limited))
    }

    fn watches(&self) -> impl Iterator<Item = &Watch> {
        let groups = self.groups.values().map(|group| &group.all);
        self.targets.values().chain(groups).flat_map(|state| &state.watches)
    }

    /// What targets' strays are held to, packets per second.
    pub fn held(&self) -> impl Iterator<Item = (u32, u64)> {
        let least = |state: &Target| state.watches.iter().filter_map(Watch::held).min();
        self.targets.iter().filter_map(move |(id, state)| Some((*id, least(state)?)))
    }

    /// What targets' packets are held to whose sources do not come regularly, with the incidents that this is of.
    pub fn limited(&self) -> impl Iterator<Item = (u32, u64, Limited)> {
        self.targets.iter().flat_map(|(id, state)| {
            state.watches.iter().filter_map(|watch| Some((*id, watch.named(), watch.limited()?)))
        })
    }

    /// Connections per second that each source may open, by target, with the incidents that this is of.
    pub fn shared(&self) -> impl Iterator<Item = (u32, u64, u64)> {
        self.targets.iter().filter_map(|(id, state)| Some((*id, state.opening.id, state.opening.limit()?)))
    }

    /// Targets whose sources are held to a few connections that they keep waiting, with the incidents that this is of and how often those few are
    /// doubled.
    pub fn closing(&self) -> impl Iterator<Item = (u32, u64, u16)> {
        self.targets.iter().filter_map(|(id, state)| Some((*id, state.waiting.id, state.waiting.closing()?)))
    }

    /// Targets whose SYNs are to be challenged, each once.
    pub fn challenged(&self) -> impl Iterator<Item = u32> {
        let shared = self.groups.values().flat_map(|group| group.scopes()).filter(|(.., watch)| watch.challenged());
        let shared = shared.flat_map(|(_, scope, _)| scope.felt().iter().copied()).collect::<BTreeSet<_>>();
        let is = move |id: &u32, state: &Target| state.is_challenged() || state.challenge && shared.contains(id);
        self.targets.iter().filter(move |(id, state)| is(id, state)).map(|(id, _)| *id)
    }

    fn target(&mut self, id: u32) -> &mut Target {
        let settings = self.settings;
        self.targets.entry(id).or_insert_with(|| Target::new(&settings, id))
    }
}
