//! The engine: windows of counters and sampled packets in, events out. Each kind of packets of each target is watched apart.

use std::collections::{BTreeMap, VecDeque};

use weir_abi::{FEATURE_SLOTS, Feature};

use crate::baseline::WINDOWS_PER_SECOND;
use crate::detector::handshake::Handshakes;
use crate::detector::strays::Strays;
use crate::reservoir::{MOST, Reservoir};
use crate::signature::{self, Signature};
use crate::vector::{Vector, Window};
use crate::watch::{Sampled, Seen, Step, Watch};

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
}

/// Windows for which a question waits for its answer: ten seconds.
const ASKED_WINDOWS: usize = 10 * WINDOWS_PER_SECOND as usize;
/// Benign packets of all targets together: 48 MiB. Targets that have most give up half when there are more.
const BENIGN: usize = 2 << 20;
/// No target gives up more than down to this many.
const LEAST: usize = 1000;

#[derive(Clone)]
struct Target {
    before: Option<[u64; FEATURE_SLOTS]>,
    /// The windows of the last second, and their sum.
    second: (VecDeque<Window>, Window),
    watches: [Watch; Vector::ALL.len()],
    /// Questions of the last ten seconds, by window, and their sum.
    asked: (VecDeque<u64>, u64),
    handshakes: Handshakes,
    strays: Strays,
    benign: Reservoir,
}

impl Target {
    /// Questions that it asked within the ten seconds that end with a window.
    fn last_asked(&mut self, window: &Window) -> u64 {
        let now = window.feature(Feature::Asked);
        let (windows, sum) = &mut self.asked;
        if *sum == 0 && now == 0 {
            windows.clear();
            return 0;
        }
        windows.push_back(now);
        *sum += now;
        if windows.len() > ASKED_WINDOWS
            && let Some(old) = windows.pop_front()
        {
            *sum -= old;
        }
        *sum
    }

    /// What came within the second that ends with a window.
    fn last_second(&mut self, window: Window) -> Window {
        let (windows, sum) = &mut self.second;
        // Silence after silence needs no memory.
        if windows.is_empty() && window.total() == 0 {
            return window;
        }
        sum.add(&window);
        windows.push_back(window);
        if windows.len() > WINDOWS_PER_SECOND as usize
            && let Some(old) = windows.pop_front()
        {
            sum.take(&old);
        }
        let sum = *sum;
        if sum.total() == 0 {
            windows.clear();
        }
        sum
    }
}

/// The engine.
#[derive(Clone)]
pub struct Engine {
    settings: Settings,
    targets: BTreeMap<u32, Target>,
    incidents: u64,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, targets: BTreeMap::new(), incidents: 0 }
    }

    /// From now on a rate can be called unusual after so many windows of calm: someone vouches for what was learned.
    pub fn trust(&mut self, warm_up: u64) {
        self.settings.warm_up = warm_up;
    }

    /// Takes a packet of a target, if it is wanted: `look` is called only then.
    pub fn sample(&mut self, target: u32, vector: Vector, look: impl FnOnce() -> Sampled) {
        let watch = self.target(target).watches.get_mut(vector as usize);
        match watch {
            Some(watch) if watch.wants() => watch.sample(look()),
            Some(watch) => watch.pass(),
            None => {}
        }
    }

    /// A number that now stands for another target: nothing of the old one is known of it.
    pub fn forget(&mut self, target: u32) {
        self.targets.remove(&target);
    }

    /// Ends a window.
    pub fn window(&mut self, number: u64, rows: &[Row]) -> Vec<Event> {
        self.windows(number, 1, rows)
    }

    /// Ends so many windows at once, since nobody looked in between: each is taken to have had its share.
    pub fn windows(&mut self, number: u64, lasted: u64, rows: &[Row]) -> Vec<Event> {
        let settings = self.settings;
        let mut events = Vec::new();
        for row in rows {
            let mut incidents = self.incidents;
            let state = self.target(row.target);
            // Counters that were there before the engine began are nobody's window.
            let window = state.before.map_or_else(Window::default, |before| Window::since(&row.slots, &before));
            let window = window.of_many(lasted);
            state.before = Some(row.slots);
            let second = state.last_second(window);
            let asked = row.seen.then(|| state.last_asked(&window));
            let handshakes = if row.seen { state.handshakes.window(&window) } else { None };
            let strays = if row.seen { state.strays.window(&window) } else { None };
            for (vector, watch) in Vector::ALL.into_iter().zip(&mut state.watches) {
                let seen = Seen {
                    vector,
                    window: &window,
                    second: &second,
                    asked,
                    handshakes: handshakes.as_ref(),
                    strays: strays.as_ref(),
                };
                for step in watch.window(seen, &mut state.benign, &settings) {
                    if watch.named() == 0 {
                        incidents += 1;
                        watch.name(incidents);
                    }
                    events.push(Event { incident: watch.named(), target: row.target, vector, window: number, step });
                }
            }
            self.incidents = incidents;
        }
        self.stay_small();
        events
    }

    fn stay_small(&mut self) {
        let size = |target: &Target| target.benign.packets().len();
        let mut all: usize = self.targets.values().map(size).sum();
        while all > BENIGN {
            let Some(largest) = self.targets.values_mut().max_by_key(|target| size(target)) else { return };
            let before = size(largest);
            largest.benign.halve(LEAST);
            if size(largest) == before {
                return;
            }
            all -= before - size(largest);
        }
    }

    /// What is matched now, by target: the signatures of incidents that are not over.
    pub fn signatures(&self) -> impl Iterator<Item = (u32, Vector, &Signature)> {
        self.targets.iter().flat_map(|(id, state)| {
            let watches = Vector::ALL.into_iter().zip(&state.watches);
            watches.filter_map(|(vector, watch)| Some((*id, vector, watch.signature()?)))
        })
    }

    /// What targets' strays are held to, packets per second.
    pub fn held(&self) -> impl Iterator<Item = (u32, u64)> {
        let least = |state: &Target| state.watches.iter().filter_map(Watch::held).min();
        self.targets.iter().filter_map(move |(id, state)| Some((*id, least(state)?)))
    }

    fn target(&mut self, id: u32) -> &mut Target {
        let settings = self.settings;
        self.targets.entry(id).or_insert_with(|| Target {
            before: None,
            second: Default::default(),
            asked: Default::default(),
            handshakes: Handshakes::default(),
            strays: Strays::default(),
            watches: std::array::from_fn(|_| Watch::new(settings.window_samples)),
            benign: Reservoir::new(MOST, settings.seed ^ u64::from(id)),
        })
    }
}
