//! What is known of a target, for people.

use super::Engine;
use crate::baseline::WINDOWS_PER_SECOND;
use crate::slow::Hourly;
use crate::vector::Vector;

/// What is known of one kind of packets. Rates are packets per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownKind {
    /// The kind.
    pub vector: Vector,
    /// The mean of the last minute of calm.
    pub mean: f64,
    /// The standard deviation of windows about it.
    pub deviation: f64,
    /// Windows of calm that were learned.
    pub windows: u64,
    /// What is usual at this hour of the week.
    pub hourly: Option<Hourly>,
    /// Hours for which it was seen by the hour of the week.
    pub hours: u64,
    /// Rules of an incident that is over, which would wake with it.
    pub asleep: usize,
}

/// What is known of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// By kind of packets.
    pub kinds: Vec<KnownKind>,
    /// Benign packets that rules are tried on.
    pub benign: usize,
    /// Connections in which a client waits, and how many usually do.
    pub waiting: (f64, f64),
    /// Connections per second that the busiest source opens in calm times.
    pub busiest_source: f64,
    /// Windows of calm from which on a rate is judged.
    pub warm_up: u64,
    /// Benign packets from which on a rule that matches none of them may drop.
    pub needed: usize,
}

impl Engine {
    /// What is known of a target; nothing where it never had a window.
    pub fn known(&self, target: u32) -> Option<Known> {
        let state = self.targets.get(&target)?;
        let per_second = f64::from(WINDOWS_PER_SECOND);
        let kinds = Vector::ALL.into_iter().zip(&state.watches).map(|(vector, watch)| {
            let (packets, slow) = (watch.rate(), state.hours.slow(vector));
            KnownKind {
                vector,
                mean: packets.mean() * per_second,
                deviation: packets.deviation() * per_second,
                windows: packets.windows(),
                hourly: state.hours.usual(vector),
                hours: slow.map_or(0, |slow| slow.age()),
                asleep: watch.asleep(),
            }
        });
        let drop_below = self.settings.signature.drop_below;
        Some(Known {
            kinds: kinds.collect(),
            benign: state.benign.packets().len(),
            waiting: (state.waiting.waits.level(), state.waiting.waits.usual()),
            busiest_source: state.opening.openers.busiest(),
            warm_up: self.settings.warm_up,
            needed: (crate::bound::poisson_upper(0) / drop_below).ceil() as usize,
        })
    }
}
