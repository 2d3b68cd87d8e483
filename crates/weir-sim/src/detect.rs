//! Detection over replayed packets: the packet path's counters and samples go to the engine every 100 ms of the captures' time,
//! and its rules come back into the tables.

mod found;
mod time;

use weir_abi::Addr;
use weir_abi::challenge::reply;
use weir_abi::policy::flag;
use weir_abi::target::NODE;
use weir_core::matching::vector;
use weir_core::{Outcome, learn, process};
use weir_detect::engine::{Engine, Row, Settings};
use weir_detect::lay::Layer;
use weir_detect::record::Incidents;
use weir_detect::vector::Vector;
use weir_detect::watch::{Sampled, proves};
use weir_policy::networks::networks;
use weir_policy::overlay::{may_share, overlay};
use weir_wire::{Bytes, Packet, Parsed, packet};

use crate::env::SimEnv;
pub use found::{Found, FoundRule, FoundSources};
use time::Windows;

/// Windows of calm that are enough once a baseline was replayed: whoever gives one vouches for it.
const VOUCHED: u64 = 30;

/// The engine and what it watches.
#[derive(Clone)]
pub struct Detecting {
    engine: Engine,
    incidents: Incidents,
    windows: Windows,
    rows: Vec<Row>,
    targets: u32,
    /// The network of each target.
    networks: Vec<Option<u64>>,
    layer: Layer,
    tick_hz: u32,
}

impl Detecting {
    /// Watches the targets of an environment whose clock has so many ticks per second.
    pub fn new(env: &SimEnv, settings: Settings, tick_hz: u32) -> Self {
        let targets = env.image().policies.len() as u32;
        let mut detecting = Self {
            engine: Engine::new(settings),
            incidents: Incidents::default(),
            windows: Windows::default(),
            rows: Vec::new(),
            targets,
            networks: networks(env.image()),
            layer: Layer::default(),
            tick_hz,
        };
        detecting.read(env);
        let _ = detecting.engine.window(0, &detecting.rows);
        detecting
    }

    /// Decides on a frame at a time of its capture. Windows that are over by then are judged before.
    pub fn frame(&mut self, env: &mut SimEnv, time_ns: u64, frame: &Bytes) -> Outcome {
        while let Some(window) = self.windows.over(time_ns) {
            self.end(env, window);
        }
        let cpu = env.cpu(0);
        // A capture holds both directions: what a target sends teaches its connections.
        let _ = learn(frame, &cpu);
        let outcome = process(frame, &cpu);
        let slot = cpu.slot();
        if outcome.target != NODE
            && let Some(slot) = slot
        {
            self.engine.sample(outcome.target, Vector::of_slot(slot), || sampled(frame, proves(outcome.reason())));
        }
        outcome
    }

    /// Ends what has begun: the last window, and a baseline.
    pub fn flush(&mut self, env: &mut SimEnv) {
        if let Some(window) = self.windows.last() {
            self.end(env, window);
        }
    }

    /// What follows is another capture: its clock begins where the last one's ended.
    pub fn next_capture(&mut self, env: &mut SimEnv) {
        self.flush(env);
        self.windows.rebase();
    }

    /// What was replayed so far is what is usual.
    pub fn trust(&mut self, env: &mut SimEnv) {
        self.next_capture(env);
        self.engine.trust(VOUCHED);
    }

    /// What was found since a window, with times in seconds from that window's beginning.
    pub fn found(&self, env: &SimEnv, since: u64) -> Vec<Found> {
        let new = self.incidents.iter().filter(|incident| incident.detected >= since);
        new.map(|incident| Found::new(incident, &env.image().names, since)).collect()
    }

    /// Whether any rule or limit of an incident is in force.
    pub fn is_acting(&self) -> bool {
        !self.layer.laid().is_empty()
    }

    /// The number of the window that comes next.
    pub fn window(&self) -> u64 {
        self.windows.next()
    }

    fn end(&mut self, env: &mut SimEnv, window: u64) {
        self.read(env);
        let events = self.engine.window(window, &self.rows);
        events.into_iter().for_each(|event| self.incidents.take(event));
        if self.engine.changed() {
            self.lay(env);
        }
    }

    fn read(&mut self, env: &SimEnv) {
        // Packets of a capture answer no challenge, unless the environment says that there is someone who does.
        let answers = env.config().reply != reply::NONE;
        let row = |target: u32| {
            let policy = env.image().policies.get(target as usize);
            let auto = policy.is_some_and(|policy| policy.has(flag::CHALLENGE_AUTO));
            let share = policy.is_some_and(may_share);
            let network = self.networks.get(target as usize).copied().flatten();
            Row { seen: true, challenge: answers && auto, share, network, ..Row::new(target, env.features(target)) }
        };
        self.rows.clear();
        self.rows.extend((1..self.targets).map(row));
    }

    /// Puts the open incidents' rules in force.
    fn lay(&mut self, env: &mut SimEnv) {
        let laid = overlay(env.image(), self.layer.lay(&self.engine, self.tick_hz));
        env.change(laid.diff);
    }
}

/// What the engine wants to know of a frame.
fn sampled(frame: &Bytes, proven: bool) -> Sampled {
    let (packet, source) = match parsed(frame) {
        Some(p) => (vector(frame, &p), Addr { hi: p.ip.src.0, lo: p.ip.src.1 }),
        // A frame that has a target was read before.
        None => (Default::default(), Addr::default()),
    };
    Sampled { packet, source, weight: 1, proven }
}

fn parsed(frame: &Bytes) -> Option<Packet> {
    match packet::parse(frame) {
        Parsed::Packet(p) => Some(p),
        _ => None,
    }
}
