//! What the days came to.

use weir_detect::record::Incident;
use weir_detect::signature::Use;
use weir_detect::watch::Label;

use super::node::Node;
use super::{Fared, Plan, WINDOWS_PER_DAY};

/// Incidents in which anything is done that there may be per service and day.
pub const BAR: f64 = 0.05;

/// An incident that was none.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The service's role and its number on all nodes, from 0.
    pub service: (&'static str, u64),
    /// Days since the beginning.
    pub day: f64,
    /// `ATTACK` or `SURGE`.
    pub label: &'static str,
    /// What operators would call it.
    pub vector: String,
    /// Something was done: rules, limits, a challenge.
    pub enforced: bool,
    /// What the detectors saw.
    pub evidence: Vec<String>,
    /// The rules that were in force.
    pub rules: Vec<String>,
    /// What strays were held to, packets per second.
    pub strays: Option<u64>,
}

/// The sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Hours.
    pub hours: u64,
    /// Services.
    pub services: u64,
    /// Seed.
    pub seed: u64,
    /// Incidents by what they were called.
    pub surges: u64,
    /// See [`Self::surges`].
    pub attacks: u64,
    /// Incidents in which something was done: rules, limits, a challenge.
    pub enforced: u64,
    /// Customers' packets, and those of them that were dropped.
    pub customers: Fared,
    /// All that was told, by time.
    pub told: Vec<Told>,
}

impl Judged {
    pub(super) fn of(plan: &Plan, nodes: &[Node]) -> Self {
        let mut judged = Self {
            hours: plan.hours,
            services: plan.services,
            seed: plan.seed,
            surges: 0,
            attacks: 0,
            enforced: 0,
            customers: Fared::default(),
            told: Vec::new(),
        };
        let mut first = 0;
        for node in nodes {
            for (target, service) in node.services() {
                let number = first + u64::from(target) - 1;
                let fared = node.customers(target);
                judged.customers.packets += fared.packets;
                judged.customers.dropped += fared.dropped;
                judged.customers.held += fared.held;
                let own = node.incidents().iter().filter(|incident| incident.target == target);
                judged.told.extend(own.map(|incident| Told::new(incident, (service.role.label(), number))));
            }
            first += node.services().count() as u64;
        }
        judged.told.sort_by(|a, b| a.day.total_cmp(&b.day).then(a.service.1.cmp(&b.service.1)));
        let count = |pick: fn(&&Told) -> bool| judged.told.iter().filter(pick).count() as u64;
        judged.surges = count(|told| told.label == Label::Surge.label());
        judged.attacks = count(|told| told.label == Label::Attack.label());
        judged.enforced = count(|told| told.enforced);
        judged
    }

    /// A number of incidents per service and day.
    pub fn per_service_day(&self, incidents: u64) -> f64 {
        incidents as f64 / (self.hours * self.services).max(1) as f64 * 24.0
    }

    /// Whether so few were enforced as must be.
    pub fn met(&self) -> bool {
        self.per_service_day(self.enforced) <= BAR
    }
}

impl Told {
    fn new(incident: &Incident, service: (&'static str, u64)) -> Self {
        let dropping = incident.signature.rules.iter().filter(|rule| rule.may == Use::Drop);
        let rules = dropping.map(|rule| rule.matches.to_string()).collect::<Vec<_>>();
        Self {
            service,
            day: incident.detected as f64 / WINDOWS_PER_DAY as f64,
            label: incident.label.label(),
            vector: incident.name().into_owned(),
            // A challenge, shares of sources, closed connections: whatever is done.
            enforced: incident.mitigated.is_some(),
            evidence: incident.evidence.clone(),
            rules,
            strays: incident.strays,
        }
    }
}
