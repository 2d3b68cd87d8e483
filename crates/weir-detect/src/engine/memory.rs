//! What was learned of a target, in a form that can be kept and given to another engine: data alone, and ages in windows.
//!
//! Three pieces, since they change at different paces: [`Learned`] with every window, the benign packets ever more slowly, the weeks
//! once in an hour. What an open incident has for rules is kept as if it were over: if the attack still goes on when they come back,
//! they wake in its first window. What is suspected is not learned, so that nothing of an attack is kept as usual.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_abi::rules::FIELDS;
use weir_policy::rules::MatchVector;

use super::Engine;
use crate::baseline::WINDOWS_PER_SECOND;
use crate::detector::handshake::Handshakes;
use crate::detector::openers::Openers;
use crate::detector::strays::Strays;
use crate::detector::waits::Waits;
use crate::slow::{Running, Slow};
use crate::vector::Vector;
use crate::watch::Learned as OfKind;

/// The form of all three. It changes with what they hold, and with what the bytes of a match vector mean.
pub const VERSION: u32 = 1;
/// After so many windows, an hour, the mean of a minute says nothing of now: rates are learned anew.
const STALE: u64 = 3600 * WINDOWS_PER_SECOND as u64;

/// What changes with every window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    version: u32,
    handshakes: Handshakes,
    strays: Strays,
    #[serde(default)]
    waits: Waits,
    #[serde(default)]
    openers: Openers,
    /// By the label of the kind of packets.
    kinds: BTreeMap<String, Kind>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kind {
    #[serde(flatten)]
    learned: OfKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hour: Option<Running>,
}

/// All that is kept of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// What changes with every window.
    pub learned: Learned,
    /// [`Engine::benign`].
    pub benign: Vec<u8>,
    /// [`Engine::weeks`].
    pub weeks: Vec<u8>,
}

impl Learned {
    /// Whether this version of the engine understands it.
    pub fn is_current(&self) -> bool {
        self.version == VERSION
    }
}

impl Engine {
    /// What was learned of a target; nothing where it never had a window.
    pub fn learned(&self, target: u32) -> Option<Learned> {
        let state = self.targets.get(&target)?;
        let kinds = Vector::ALL.into_iter().zip(&state.watches).map(|(vector, watch)| {
            let hour = state.hours.slow(vector).map(Slow::running);
            (vector.label().to_owned(), Kind { learned: watch.learned(), hour })
        });
        let (handshakes, strays) = (state.handshakes.clone(), state.strays);
        let (waits, openers) = (state.waiting.waits.learned(), state.opening.openers.learned());
        Some(Learned { version: VERSION, handshakes, strays, waits, openers, kinds: kinds.collect() })
    }

    /// Benign packets that a target's choice was made from, ever: how much it has changed.
    pub fn benign_seen(&self, target: u32) -> u64 {
        self.targets.get(&target).map_or(0, |state| state.benign.seen())
    }

    /// Benign packets of a target, an even choice of so many at most: the version, the length of each, and their bytes.
    pub fn benign(&self, target: u32, most: usize) -> Vec<u8> {
        let mut out = vec![VERSION as u8, FIELDS as u8];
        if let Some(state) = self.targets.get(&target) {
            let packets = state.benign.packets();
            let kept = packets.len().min(most);
            let chosen = (0..kept).filter_map(|i| packets.get(i * packets.len() / kept));
            chosen.for_each(|packet| out.extend(packet));
        }
        out
    }

    /// A target's weeks, without the hour that runs: the version, and for each kind its number, the length in bytes (4), and the bytes.
    pub fn weeks(&self, target: u32) -> Vec<u8> {
        let mut out = vec![VERSION as u8];
        for vector in Vector::ALL {
            let Some(slow) = self.targets.get(&target).and_then(|state| state.hours.slow(vector)) else { continue };
            let week = slow.to_bytes();
            out.push(vector as u8);
            out.extend((week.len() as u32).to_le_bytes());
            out.extend(week);
        }
        out
    }

    /// All that is kept of a target, with so many benign packets at most.
    pub fn memory(&self, target: u32, most: usize) -> Option<Memory> {
        let learned = self.learned(target)?;
        Some(Memory { learned, benign: self.benign(target, most), weeks: self.weeks(target) })
    }

    /// Gives a target what was learned of it by an engine that ended so many windows ago. Says which pieces are not understood: they
    /// begin anew.
    pub fn restore(&mut self, target: u32, memory: &Memory, away: u64) -> Vec<&'static str> {
        let Memory { learned, benign, weeks } = memory;
        if !learned.is_current() {
            return vec!["all of it"];
        }
        let mut unknown = Vec::new();
        let (benign, weeks) = (packets_of(benign), weeks_of(weeks));
        unknown.extend(benign.is_none().then_some("benign packets"));
        unknown.extend(weeks.is_none().then_some("rates by the hour"));
        let mut weeks = weeks.unwrap_or_default();
        self.forget(target);
        let mut room = super::WEEKS.saturating_sub(self.weeks);
        let state = self.target(target);
        state.handshakes = learned.handshakes.clone();
        state.strays = learned.strays;
        state.waiting.waits = learned.waits.clone();
        state.opening.openers = learned.openers.clone();
        benign.unwrap_or_default().into_iter().for_each(|packet| state.benign.add(packet));
        for ((vector, watch), hours) in Vector::ALL.into_iter().zip(&mut state.watches).zip(&mut state.hours.kinds) {
            let Some(kind) = learned.kinds.get(vector.label()) else { continue };
            watch.restore(&kind.learned, away, away < STALE);
            if let (Some(running), Some(week), true) = (&kind.hour, weeks.remove(&(vector as u8)), room > 0) {
                *hours = Slow::from_parts(running.clone(), week).map(Box::new);
                room -= usize::from(hours.is_some());
            }
        }
        self.weeks += state.hours.begun();
        unknown
    }
}

fn packets_of(bytes: &[u8]) -> Option<Vec<MatchVector>> {
    let rest = bytes.strip_prefix(&[VERSION as u8, FIELDS as u8])?;
    let (packets, left) = rest.as_chunks::<FIELDS>();
    left.is_empty().then(|| packets.to_vec())
}

fn weeks_of(bytes: &[u8]) -> Option<BTreeMap<u8, &[u8]>> {
    let mut rest = bytes.strip_prefix(&[VERSION as u8])?;
    let mut weeks = BTreeMap::new();
    while let Some((vector, tail)) = rest.split_first() {
        let (length, tail) = tail.split_first_chunk::<4>()?;
        let (week, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        weeks.insert(*vector, week);
        rest = tail;
    }
    Some(weeks)
}

#[cfg(test)]
mod tests {
    //! The meaning of the bytes.
    use weir_abi::rules::field;

    /// Where this fails, what was kept would be misread: raise [`super::VERSION`], then change it here.
    #[test]
    fn a_match_vector_is_what_it_was_when_the_version_was_set() {
        use field::*;
        let layout = [PROTOCOL, TTL, TOS, LENGTH, IP_FACTS, SOURCE_PORT, DESTINATION_PORT, TCP_FLAGS, WINDOW];
        assert_eq!(layout, [0, 1, 2, 3, 5, 6, 8, 10, 11]);
        assert_eq!([DATA_OFFSET, L4_FACTS, OPTION_LAYOUT, PAYLOAD, super::FIELDS], [13, 14, 15, 16, 24]);
        assert_eq!(super::VERSION, 1);
    }
}
