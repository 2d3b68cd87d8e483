//! What detection noticed and learned, kept over restarts: one file, written by a thread of its own.
//!
//! The engine's thread has milliseconds and may have a priority; a disk may take a second. So it never waits: what is to be kept goes
//! into a batch that the writer takes whole, and where the writer holds the batch just then, it stays with the engine for a window.
//! The newest state of an incident takes the place of one that was not written yet, so that a slow disk costs steps and not memory.

mod file;
mod learned;
mod writer;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use weir_api::local::IncidentRow;

use file::{Kept, StoreFile};
pub use file::{MOST_AGE, MOST_INCIDENTS};
pub use learned::{Pieces, Remembered, Saved};

/// How long a stop waits for the last write.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that wait at most.
const LARGE: usize = 4 << 20;

/// What the store went through, for the metrics.
#[derive(Debug, Default)]
pub struct Stats {
    written: AtomicU64,
    failed: AtomicU64,
}

impl Stats {
    /// Writes that are on the disk.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Writes that failed; what they were to keep is tried again.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// What is to be written.
#[derive(Debug, Default)]
struct Batch {
    /// The newest state of each.
    incidents: BTreeMap<u64, IncidentRow>,
    /// The number of the next incident; 0: as it was.
    next: u64,
    /// What was learned, by the target's name.
    targets: BTreeMap<String, Pieces>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.incidents.is_empty() && self.targets.is_empty()
    }

    /// So large that it is better written than kept in memory.
    fn is_large(&self) -> bool {
        self.targets.values().map(Pieces::bytes).sum::<usize>() > LARGE
    }

    fn target(&mut self, name: String, pieces: Pieces) {
        match self.targets.entry(name) {
            Entry::Vacant(place) => {
                place.insert(pieces);
            }
            Entry::Occupied(mut place) => place.get_mut().replace(pieces),
        }
    }

    /// Takes over what is newer.
    fn extend(&mut self, newer: Batch) {
        self.incidents.extend(newer.incidents);
        while self.incidents.len() > MOST_INCIDENTS {
            self.incidents.pop_first();
        }
        self.next = self.next.max(newer.next);
        newer.targets.into_iter().for_each(|(name, pieces)| self.target(name, pieces));
    }
}

/// What the two threads share.
#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something changed about it.
    changed: Condvar,
    stats: Arc<Stats>,
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    /// It is to be written at once.
    urgent: bool,
    /// Write what there is, and end.
    closing: bool,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to the file. Dropped, it writes what is left.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    /// What the writer does not have yet.
    own: Batch,
    thread: Option<JoinHandle<()>>,
}

/// What an agent before this one left.
#[derive(Debug, Default)]
pub struct Opened {
    /// Incidents, the newest first; none is open.
    pub incidents: Vec<IncidentRow>,
    /// The number that no incident had yet.
    pub next: u64,
    /// What was learned of each target, by its name.
    pub learned: BTreeMap<String, Remembered>,
    /// What a person should know about the file.
    pub notes: Vec<String>,
}

impl Store {
    /// Opens the file in the state directory and starts the writer. Where that is impossible a note says so, and nothing is kept.
    pub fn open(state_dir: &Path, now: SystemTime) -> (Self, Opened) {
        let shared = Arc::new(Shared::default());
        let (file, kept, mut notes) = StoreFile::open(state_dir, now);
        let started = file.map(|file| writer::start(file, Arc::clone(&shared))).transpose();
        let thread = started.unwrap_or_else(|e| {
            notes.push(format!("cannot start the thread that keeps incidents: {e}: nothing will be kept"));
            None
        });
        let Kept { incidents, next, learned } = kept;
        (Self { shared, own: Batch::default(), thread }, Opened { incidents, next, learned, notes })
    }

    /// What it went through.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.shared.stats)
    }

    /// Keeps an incident as it is now. [`Self::hand_over`] gives it to the writer.
    pub fn incident(&mut self, row: IncidentRow) {
        self.own.next = self.own.next.max(row.id + 1);
        self.own.incidents.insert(row.id, row);
    }

    /// Keeps what was learned of a target. It is not urgent.
    pub fn learned(&mut self, target: String, pieces: Pieces) {
        self.own.target(target, pieces);
    }

    /// Gives the writer what there is, without waiting for anything.
    pub fn hand_over(&mut self) {
        if self.own.is_empty() || self.thread.is_none() {
            return self.own = Batch::default();
        }
        let mut waiting = match self.shared.waiting.try_lock() {
            Ok(waiting) => waiting,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        waiting.urgent |= !self.own.incidents.is_empty();
        waiting.batch.extend(std::mem::take(&mut self.own));
        waiting.urgent |= waiting.batch.is_large();
        drop(waiting);
        self.shared.changed.notify_all();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let mut waiting = self.shared.lock();
        waiting.batch.extend(std::mem::take(&mut self.own));
        waiting.closing = true;
        self.shared.changed.notify_all();
        let open = |waiting: &mut Waiting| !waiting.closed;
        let waited = self.shared.changed.wait_timeout_while(waiting, PATIENCE, open);
        let (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let closed = waiting.closed;
        drop(waiting);
        if closed {
            // It has nothing left to do but to return.
            let _ = thread.join();
        } else {
            tracing::warn!("the disk does not answer: what was noticed last may not be kept");
        }
    }
}
