//! A target's kinds of packets by the hour of the week. A kind that never came has no week.

use crate::baseline::WINDOWS_PER_SECOND;
use crate::slow::{Hourly, Slow};
use crate::vector::{Vector, Window};

/// The weeks.
#[derive(Clone, Debug, Default)]
pub(super) struct Hours {
    pub kinds: [Option<Box<Slow>>; Vector::ALL.len()],
    /// Windows since the last whole second.
    windows: u64,
}

impl Hours {
    /// What is usual of a kind in the hour that runs.
    pub fn usual(&self, vector: Vector) -> Option<Hourly> {
        self.slow(vector)?.usual()
    }

    /// All that is known of a kind.
    pub fn slow(&self, vector: Vector) -> Option<&Slow> {
        self.kinds.get(vector as usize)?.as_deref()
    }

    /// Windows have passed; whether a second is full.
    pub fn passed(&mut self, windows: u64) -> bool {
        self.windows += windows;
        let full = self.windows >= u64::from(WINDOWS_PER_SECOND);
        if full {
            self.windows = 0;
        }
        full
    }

    /// Weeks that were begun.
    pub fn begun(&self) -> usize {
        self.kinds.iter().flatten().count()
    }

    /// Takes what came of a kind within a second. A week begins only where there is room; whether one did.
    pub fn second(&mut self, hour: u64, vector: Vector, second: &Window, calm: bool, room: bool) -> bool {
        let Some(kind) = self.kinds.get_mut(vector as usize) else { return false };
        let packets = second.packets(vector);
        let begins = kind.is_none() && packets > 0 && room;
        if begins {
            *kind = Some(Box::new(Slow::new(hour)));
        }
        if let Some(slow) = kind {
            slow.second(hour, packets as f64, calm);
        }
        begins
    }
}
