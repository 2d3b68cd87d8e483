//! What a watch learned, to be kept, and back.

use serde::{Deserialize, Serialize};

use super::open::{Asleep, Dormant, Open};
use super::{State, Watch};
use crate::baseline::Fast;
use crate::detector::shape::Shapes;

/// What outlives the engine. The last windows, which are not believed yet, and what is suspected do not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    packets: Fast,
    shapes: Shapes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asleep: Option<Asleep>,
}

impl Watch {
    /// What was learned. The rules of an incident that is open are kept as if it were over.
    pub fn learned(&self) -> Learned {
        let open = self.open.clone().and_then(Open::sleep);
        let asleep = open.as_ref().or(self.dormant.as_ref()).map(Dormant::asleep);
        Learned { packets: self.usual.packets, shapes: self.usual.shapes.clone(), asleep }
    }

    /// Takes over what was learned so many windows ago; rates only where they are `fresh`.
    pub fn restore(&mut self, learned: &Learned, away: u64, fresh: bool) {
        if fresh {
            self.usual.packets = learned.packets;
        }
        self.usual.shapes = learned.shapes.clone();
        self.dormant = learned.asleep.as_ref().and_then(|asleep| Dormant::woken(asleep, away));
    }

    /// What is usual of its rate.
    pub fn rate(&self) -> &Fast {
        &self.usual.packets
    }

    /// Rules that sleep.
    pub fn asleep(&self) -> usize {
        self.dormant.as_ref().map_or(0, Dormant::rules)
    }

    /// Nothing was suspected since this was asked last, and no incident is open.
    pub fn was_calm(&mut self) -> bool {
        let disturbed = std::mem::take(&mut self.disturbed);
        !disturbed && self.open.as_ref().is_none_or(|open| open.life.state == State::Ended)
    }
}
