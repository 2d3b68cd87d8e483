//! What was learned, to the store and back. Targets take turns, each once a minute, so that no window has much to copy.

use std::collections::BTreeMap;
use std::time::SystemTime;

use weir_api::spec::Moment;
use weir_detect::engine::Engine as Judge;
use weir_policy::image::TableImage;

use super::seconds::POLL;
use super::{Engine, Now};
use crate::store::{Pieces, Remembered, Saved};

/// Windows in which every target has its turn: a minute.
const ROUND: usize = 600;
/// Benign packets that are kept of a target: enough to prove that a rule may drop, and a third more.
const BENIGN: usize = 8000;
/// Benign packets that are kept of all of them.
const ALL_BENIGN: usize = 1_500_000;
/// Targets that are gone and not forgotten yet.
const GONE: usize = 16;
/// Benign packets are written again when they were chosen from so many more, in percent.
const GROWN: u64 = 10;

/// What is kept, and what was.
#[derive(Debug, Default)]
pub(super) struct Memories {
    /// Of targets that are not watched yet, or no more.
    remembered: BTreeMap<String, Remembered>,
    /// Since when each target is watched.
    since: BTreeMap<String, SystemTime>,
    /// What is on the disk: benign packets were chosen from so many, and the hour in which weeks were written.
    written: BTreeMap<String, (u64, u64)>,
    /// Whose turn it is.
    next: u32,
}

impl Memories {
    /// What an agent before this one left.
    pub fn new(remembered: BTreeMap<String, Remembered>) -> Self {
        Self { remembered, ..Self::default() }
    }

    /// Since when a target is watched.
    pub fn since(&self, name: &str) -> Option<SystemTime> {
        self.since.get(name).copied()
    }

    /// A target is gone: someone may have taken it out by mistake.
    pub fn gone(&mut self, id: u32, name: &str, judge: &Judge, now: Now) {
        let since = self.since.remove(name).unwrap_or(now.wall);
        self.written.remove(name);
        if let Some(memory) = judge.memory(id, BENIGN) {
            self.remembered.insert(name.to_owned(), Remembered { saved: now.wall, since, memory });
        }
    }

    /// Targets of a policy that was compiled anew: those that are new and known get back what was learned of them.
    pub fn came(&mut self, image: &TableImage, judge: &mut Judge, now: Now) {
        for (id, name) in (0u32..).zip(&image.names.targets).filter(|(id, name)| *id > 0 && !name.is_empty()) {
            if self.since.contains_key(name) {
                continue;
            }
            let Some(Remembered { saved, since, memory }) = self.remembered.remove(name) else {
                self.since.insert(name.clone(), now.wall);
                continue;
            };
            let away = now.wall.duration_since(saved).unwrap_or_default();
            for piece in judge.restore(id, &memory, (away.as_millis() / POLL.as_millis()) as u64) {
                tracing::warn!(target = name, piece, "what was learned earlier is not understood: it is learned anew");
            }
            tracing::info!(target = name, seconds_ago = away.as_secs(), "what was learned of a target is known again");
            self.since.insert(name.clone(), since);
        }
        while self.remembered.len() > GONE {
            self.remembered.pop_first();
        }
    }

    /// What is to be kept of a target now; `all`: whatever changed at all.
    fn pieces(&mut self, id: u32, name: &str, judge: &Judge, all: bool, now: Now) -> Option<Pieces> {
        let targets = self.since.len().max(1);
        let saved = Saved {
            saved: Moment::from_system(now.wall),
            since: Moment::from_system(self.since(name)?),
            learned: judge.learned(id)?,
        };
        let (seen, hour) = (judge.benign_seen(id), hour(now.wall));
        let written = self.written.entry(name.to_owned()).or_insert((0, 0));
        let grown = seen.saturating_sub(written.0);
        let (benign, weeks) = (grown > written.0 * GROWN / 100 || all && grown > 0, hour != written.1 || all);
        if benign {
            written.0 = seen;
        }
        if weeks {
            written.1 = hour;
        }
        Some(Pieces {
            saved,
            benign: benign.then(|| judge.benign(id, BENIGN.min(ALL_BENIGN / targets))),
            weeks: weeks.then(|| judge.weeks(id)),
        })
    }
}

impl Engine {
    /// Gives the store what was learned of the targets whose turn it is.
    pub(super) fn keep_learned(&mut self, now: Now) {
        let targets = self.datapath.image().policies.len() as u32;
        for _ in 0..(targets as usize).div_ceil(ROUND) {
            let next = self.detection.memories.next;
            self.detection.memories.next = if next + 1 >= targets { 1 } else { next + 1 };
            self.keep_target(next, false, now);
        }
    }

    /// The same for all of them, at the end.
    pub(super) fn keep_all_learned(&mut self, now: Now) {
        (1..self.datapath.image().policies.len() as u32).for_each(|id| self.keep_target(id, true, now));
    }

    fn keep_target(&mut self, id: u32, all: bool, now: Now) {
        let Some(name) = self.datapath.image().names.target(id).map(str::to_owned) else { return };
        let detection = &mut self.detection;
        if let Some(pieces) = detection.memories.pieces(id, &name, &detection.judge, all, now) {
            self.store.learned(name, pieces);
        }
    }
}

/// Hours since 1970.
pub(super) fn hour(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() / 3600
}
