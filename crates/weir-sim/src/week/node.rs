//! A node with services: their windows to the engine, its answers back to them.

use weir_abi::FEATURE_SLOTS;
use weir_detect::baseline::WINDOWS_PER_SECOND;
use weir_detect::engine::{Engine, Row, Settings};
use weir_detect::record::Incidents;
use weir_detect::signature::Use;
use weir_detect::watch::Step;

use super::sent::{Fared, InForce, Sent};
use super::service::Service;

/// Samples per second that a node aims at.
const SAMPLES_PER_S: f64 = 1000.0;

/// One service's place on a node.
#[derive(Clone, Debug)]
struct Place {
    service: Service,
    slots: [u64; FEATURE_SLOTS],
    in_force: InForce,
    /// Strays that may still come within this second.
    room: u64,
    customers: Fared,
    others: Fared,
}

impl Place {
    /// Strays beyond what they are held to are dropped, customers' and others' alike.
    fn hold(&mut self, customers: u64, others: u64) {
        if self.in_force.held.is_none() || customers + others == 0 {
            return;
        }
        let through = (customers + others).min(self.room);
        self.room -= through;
        let of_customers = customers * through / (customers + others);
        self.customers.held += customers - of_customers;
        self.others.held += others - (through - of_customers);
    }
}

/// The node.
#[derive(Clone)]
pub struct Node {
    engine: Engine,
    incidents: Incidents,
    places: Vec<Place>,
    number: u64,
    stride: u64,
    /// Packets of the second that runs.
    packets: u64,
    /// Windows in which rules that drop, or a limit, were in force for some service.
    acted: u64,
}

impl Node {
    /// A node that knows nothing.
    pub fn new(services: Vec<Service>, settings: Settings) -> Self {
        let place = |service| Place {
            service,
            slots: [0; FEATURE_SLOTS],
            in_force: InForce::default(),
            room: 0,
            customers: Fared::default(),
            others: Fared::default(),
        };
        let mut node = Self {
            engine: Engine::new(settings),
            incidents: Incidents::default(),
            places: services.into_iter().map(place).collect(),
            number: 0,
            stride: 1024,
            packets: 0,
            acted: 0,
        };
        let _ = node.engine.window(0, &node.rows());
        node
    }

    /// The services, by target number from 1.
    pub fn services(&self) -> impl Iterator<Item = (u32, &Service)> {
        (1..).zip(self.places.iter().map(|place| &place.service))
    }

    /// How a service's customers fared so far.
    pub fn customers(&self, target: u32) -> Fared {
        self.place(target).map(|place| place.customers).unwrap_or_default()
    }

    /// How what others sent to a service fared.
    pub fn others(&self, target: u32) -> Fared {
        self.place(target).map(|place| place.others).unwrap_or_default()
    }

    fn place(&self, target: u32) -> Option<&Place> {
        self.places.get((target as usize).checked_sub(1)?)
    }

    /// What was noticed so far.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// The window that comes next.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Windows in which something was in force for some service.
    pub fn acted(&self) -> u64 {
        self.acted
    }

    /// A window of what customers send, and of what others send beside them: `beside` is called for each service.
    pub fn window(&mut self, mut beside: impl FnMut(u64, u32, &mut Sent)) {
        let second = self.number.is_multiple_of(WINDOWS_PER_SECOND.into());
        for (target, place) in (1..).zip(&mut self.places) {
            if second {
                place.room = place.in_force.held.unwrap_or(0);
            }
            let Place { service, slots, in_force, customers, others, .. } = place;
            let before = customers.packets;
            let (engine, stride) = (&mut self.engine, self.stride);
            let mut sent = Sent { engine, target, slots, in_force, stride, fared: customers, strays: 0 };
            service.window(self.number, &mut sent);
            let own = std::mem::take(&mut sent.strays);
            sent.fared = others;
            beside(self.number, target, &mut sent);
            let foreign = sent.strays;
            self.packets += place.customers.packets - before;
            place.hold(own, foreign);
        }
        let events = self.engine.window(self.number, &self.rows());
        if !events.is_empty() {
            let changed =
                events.iter().any(|e| matches!(e.step, Step::Signed { .. } | Step::Held { .. } | Step::Now(_)));
            events.into_iter().for_each(|event| self.incidents.take(event));
            if changed {
                self.lay();
            }
        }
        self.number += 1;
        self.acted += u64::from(self.places.iter().any(|place| place.in_force.acts()));
        if second {
            self.adapt();
        }
    }

    fn rows(&self) -> Vec<Row> {
        let row = |(target, place): (u32, &Place)| {
            let network = Some(1);
            Row { seen: true, challenge: true, share: true, network, ..Row::new(target, place.slots) }
        };
        (1..).zip(&self.places).map(row).collect()
    }

    fn lay(&mut self) {
        for (target, place) in (1..).zip(&mut self.places) {
            let rules = self.engine.signatures().filter(|(of, ..)| *of == target).map(|(.., rules)| rules.clone());
            let held = self.engine.held().find(|(of, _)| *of == target).map(|(_, held)| held);
            place.in_force = InForce { rules: rules.collect(), held };
        }
    }

    /// One sample in so many packets that there are about as many as a node wants: sparser at once, denser step by step.
    fn adapt(&mut self) {
        let rate = std::mem::take(&mut self.packets) as f64;
        let wanted = (rate / SAMPLES_PER_S).ceil().max(1.0) as u64;
        self.stride = wanted.next_power_of_two().max(self.stride / 2).max(1);
    }
}

impl InForce {
    /// Whether anything is dropped at all.
    pub fn acts(&self) -> bool {
        self.held.is_some()
            || self.rules.iter().flat_map(|signature| &signature.rules).any(|rule| rule.may == Use::Drop)
    }
}
