//! What was learned of each target, by its name: three tables, since the pieces change at different paces.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use weir_api::spec::Moment;
use weir_detect::engine::{Learned, Memory};

use super::Batch;

/// By name, as JSON.
const LEARNED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("learned");
/// Benign packets by name.
const BENIGN: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("benign");
/// Rates by the hour of the week, by name.
const WEEKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("weeks");
/// Bytes that are kept of all targets together; those that were seen last stay.
const MOST_BYTES: usize = 64 << 20;
/// Targets that are kept.
const MOST_TARGETS: usize = 4096;
/// How long something is kept of a target that is not there any more: 30 days.
const MOST_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What changes with every window, and when it was so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// When this was so.
    pub saved: Moment,
    /// Since when the target is watched.
    pub since: Moment,
    /// What was learned.
    pub learned: Learned,
}

/// What is to be kept of a target; a piece that is missing stays as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Pieces {
    /// What changes with every window.
    pub saved: Saved,
    /// Benign packets.
    pub benign: Option<Vec<u8>>,
    /// Rates by the hour of the week.
    pub weeks: Option<Vec<u8>>,
}

impl Pieces {
    /// Bytes of the large ones.
    pub fn bytes(&self) -> usize {
        let of = |piece: &Option<Vec<u8>>| piece.as_ref().map_or(0, Vec::len);
        of(&self.benign) + of(&self.weeks)
    }

    /// Takes over what is newer.
    pub fn replace(&mut self, newer: Pieces) {
        self.saved = newer.saved;
        self.benign = newer.benign.or(self.benign.take());
        self.weeks = newer.weeks.or(self.weeks.take());
    }
}

/// What an agent before this one learned of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// When that was so.
    pub saved: SystemTime,
    /// Since when the target is watched.
    pub since: SystemTime,
    /// What it is.
    pub memory: Memory,
}

/// Sizes of what is in the tables, and when each target was saved.
#[derive(Debug, Default)]
pub(super) struct Targets(BTreeMap<String, ([usize; 3], SystemTime)>);

impl Targets {
    /// Reads everything.
    pub fn read(
        &mut self,
        write: &WriteTransaction,
        now: SystemTime,
        notes: &mut Vec<String>,
    ) -> Result<BTreeMap<String, Remembered>, redb::Error> {
        let mut found = BTreeMap::new();
        {
            let (learned, benign, weeks) =
                (write.open_table(LEARNED)?, write.open_table(BENIGN)?, write.open_table(WEEKS)?);
            for entry in learned.iter()? {
                let (name, text) = entry?;
                let name = name.value().to_owned();
                let piece = |table: &redb::Table<'_, &str, &[u8]>| -> Result<Vec<u8>, redb::Error> {
                    Ok(table.get(name.as_str())?.map(|bytes| bytes.value().to_vec()).unwrap_or_default())
                };
                let (benign, weeks) = (piece(&benign)?, piece(&weeks)?);
                let sizes = [text.value().len(), benign.len(), weeks.len()];
                let saved = match serde_json::from_slice::<Saved>(text.value()) {
                    Ok(Saved { saved, since, learned }) if learned.is_current() => {
                        let memory = Memory { learned, benign, weeks };
                        let (saved, since) = (saved.to_system(), since.to_system());
                        found.insert(name.clone(), Remembered { saved, since, memory });
                        saved
                    }
                    Ok(_) => {
                        notes.push(format!("what was learned of {name} is of another version: it is learned anew"));
                        SystemTime::UNIX_EPOCH
                    }
                    Err(e) => {
                        notes.push(format!("what was learned of {name} is not understood: {e}: it is learned anew"));
                        SystemTime::UNIX_EPOCH
                    }
                };
                self.0.insert(name, (sizes, saved));
            }
        }
        self.prune(write, now)?;
        found.retain(|name, _| self.0.contains_key(name));
        Ok(found)
    }

    /// Writes what a batch has.
    pub fn write(&mut self, write: &WriteTransaction, batch: &Batch, now: SystemTime) -> Result<(), redb::Error> {
        if batch.targets.is_empty() {
            return Ok(());
        }
        {
            let (mut learned, mut benign, mut weeks) =
                (write.open_table(LEARNED)?, write.open_table(BENIGN)?, write.open_table(WEEKS)?);
            for (name, pieces) in &batch.targets {
                let text = serde_json::to_vec(&pieces.saved).map_err(std::io::Error::from)?;
                let (sizes, saved) = self.0.entry(name.clone()).or_insert(([0; 3], now));
                *saved = pieces.saved.saved.to_system();
                learned.insert(name.as_str(), text.as_slice())?;
                sizes[0] = text.len();
                for (table, piece, size) in [(&mut benign, &pieces.benign, 1), (&mut weeks, &pieces.weeks, 2)] {
                    if let Some(bytes) = piece {
                        table.insert(name.as_str(), bytes.as_slice())?;
                        sizes[size] = bytes.len();
                    }
                }
            }
        }
        self.prune(write, now)
    }

    /// Removes what is too old, and what was saved first where there is too much.
    fn prune(&mut self, write: &WriteTransaction, now: SystemTime) -> Result<(), redb::Error> {
        let old = |saved: &SystemTime| now.duration_since(*saved).is_ok_and(|age| age > MOST_AGE);
        let mut gone =
            self.0.iter().filter(|(_, (_, saved))| old(saved)).map(|(name, _)| name.clone()).collect::<Vec<_>>();
        self.0.retain(|_, (_, saved)| !old(saved));
        let mut bytes: usize = self.0.values().map(|(sizes, _)| sizes.iter().sum::<usize>()).sum();
        while bytes > MOST_BYTES || self.0.len() > MOST_TARGETS {
            let Some(oldest) = self.0.iter().min_by_key(|(_, (_, saved))| *saved).map(|(name, _)| name.clone()) else {
                break;
            };
            bytes -= self.0.remove(&oldest).map_or(0, |(sizes, _)| sizes.iter().sum());
            gone.push(oldest);
        }
        for table in [LEARNED, BENIGN, WEEKS] {
            let mut table = write.open_table(table)?;
            for name in &gone {
                table.remove(name.as_str())?;
            }
        }
        Ok(())
    }
}
