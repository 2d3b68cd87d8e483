//! Days of services' traffic in virtual time, straight to the engine: windows of counters and the samples that a node would have
//! taken, without frames in between. How often does a service meet an incident that is none, and what does it cost customers?

mod arrivals;
mod chance;
mod customers;
mod judged;
mod life;
mod node;
mod sent;
mod service;
mod visitors;
mod waits;
mod worldcup;

use weir_detect::baseline::WINDOWS_PER_SECOND;
use weir_detect::engine::Settings;

pub use arrivals::{Arrivals, Hours, LEVELS, Level, Season};
pub use chance::Chance;
pub use customers::{Customers, Kind};
pub use judged::{BAR, Judged, Told};
pub use life::{Happening, Life, Now, What};
pub use node::Node;
pub use sent::{Fared, InForce, Sent};
pub use service::{Role, Service};
pub use worldcup::Minutes;

/// Windows in a minute.
pub const WINDOWS_PER_MINUTE: u64 = 60 * WINDOWS_PER_SECOND as u64;
/// Windows in an hour.
pub const WINDOWS_PER_HOUR: u64 = 60 * WINDOWS_PER_MINUTE;
/// Windows in a day.
pub const WINDOWS_PER_DAY: u64 = 24 * WINDOWS_PER_HOUR;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Hours.
    pub hours: u64,
    /// Services.
    pub services: u64,
    /// Whether anything happens apart from day and night.
    pub eventful: bool,
    /// Seed of everything.
    pub seed: u64,
}

/// Services on one node: nodes know nothing of each other, and are simulated at the same time.
const PER_NODE: u64 = 5;

impl Plan {
    /// The plan's services, by number.
    fn service(&self, number: u64) -> Service {
        let mut chance = Chance::new(self.seed ^ number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let pick = |of: usize| number as usize % of;
        let role = Role::ALL[pick(Role::ALL.len())];
        let level = LEVELS[pick(LEVELS.len())];
        let season = Season {
            swing: 0.5 + 0.5 * chance.share(),
            peak: 24.0 * chance.share(),
            weekend: 0.6 + 0.5 * chance.share(),
        };
        let life = if self.eventful {
            Life::of(self.hours.div_ceil(24), number % 4 == 1, &mut chance)
        } else {
            Life::default()
        };
        Service::new(role, level, Hours::Daily(season), life, chance.bits())
    }

    /// Lives through it. The answer does not depend on how many processors there are.
    pub fn judge(&self) -> Judged {
        let nodes = (0..self.services).step_by(PER_NODE as usize);
        let nodes = nodes.map(|first| {
            let all = (first..self.services.min(first + PER_NODE)).map(|number| self.service(number)).collect();
            Node::new(all, Settings { seed: self.seed, ..detection() })
        });
        let mut nodes = nodes.collect::<Vec<_>>();
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(nodes.len().max(1));
        let mut shares = (0..workers).map(|_| Vec::new()).collect::<Vec<_>>();
        nodes.iter_mut().enumerate().for_each(|(i, node)| shares[i % workers].push(node));
        std::thread::scope(|scope| {
            for share in shares {
                scope.spawn(|| share.into_iter().for_each(|node| self.live(node)));
            }
        });
        Judged::of(self, &nodes)
    }

    fn live(&self, node: &mut Node) {
        for _ in 0..self.hours * WINDOWS_PER_HOUR {
            node.window(|_, _, _| {});
        }
    }
}

/// Detection as the agent runs it: ten minutes to learn.
pub fn detection() -> Settings {
    Settings { warm_up: 10 * WINDOWS_PER_MINUTE, ..Settings::default() }
}
