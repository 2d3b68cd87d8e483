//! The file: `detection.redb` in the state directory, of bounded size and age. Every write is a transaction that is on the disk, or
//! never was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use weir_api::local::IncidentRow;
use weir_api::spec::Moment;

use super::Batch;
use super::learned::{Remembered, Targets};

/// The file within the state directory.
const FILE: &str = "detection.redb";
/// The form of what is in it. One that is not known is not read.
const FORMAT: u64 = 1;
/// Incidents that are kept.
pub const MOST_INCIDENTS: usize = 1000;
/// How long incidents that are over are kept: 90 days.
pub const MOST_AGE: Duration = Duration::from_secs(90 * 24 * 3600);
/// Bytes of incidents that are kept.
const MOST_BYTES: usize = 8 << 20;
/// Pages kept in memory: it is written in small pieces and read once.
const CACHE: usize = 1 << 20;
/// After a crash incidents' numbers go on here: more of them than this do not begin while one write is under way.
const GAP: u64 = 1000;

/// `format`, `next_incident`, `closed`.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Incidents by number, as JSON.
const INCIDENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("incidents");

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error(transparent)]
    Redb(#[from] redb::Error),
    #[error("it is of format {0}, and this version of weir knows {FORMAT}")]
    Format(u64),
}

/// What was in it.
#[derive(Debug)]
pub(super) struct Kept {
    /// The newest first.
    pub incidents: Vec<IncidentRow>,
    pub next: u64,
    pub learned: BTreeMap<String, Remembered>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { incidents: Vec::new(), next: 1, learned: BTreeMap::new() }
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct StoreFile {
    database: Database,
    opened: SystemTime,
    /// Size of each incident's text, and when it was over.
    known: BTreeMap<u64, (usize, Option<SystemTime>)>,
    targets: Targets,
}

impl StoreFile {
    /// Opens it, or begins anew: a file that is damaged or of another version is moved aside.
    pub fn open(state_dir: &Path, now: SystemTime) -> (Option<Self>, Kept, Vec<String>) {
        let path = state_dir.join(FILE);
        let mut notes = Vec::new();
        let first = Self::try_open(&path, now, &mut notes);
        let error = match first {
            Ok((file, kept)) => return (Some(file), kept, notes),
            Err(error) => error,
        };
        let shown = path.display();
        if !is_damaged(&error) {
            notes.push(format!("cannot use {shown}: {error}: nothing that is noticed is kept over a restart"));
            return (None, Kept::default(), notes);
        }
        let again = aside(&path).map_err(|e| FileError::from(redb::Error::from(e))).and_then(|aside| {
            notes.push(format!(
                "cannot read {shown}: {error}; it is now {}, and what was noticed and learned begins anew",
                aside.display()
            ));
            Self::try_open(&path, now, &mut notes)
        });
        match again {
            Ok((file, kept)) => (Some(file), kept, notes),
            Err(e) => {
                notes.push(format!("cannot use {shown}: {e}: nothing that is noticed is kept over a restart"));
                (None, Kept::default(), notes)
            }
        }
    }

    fn try_open(path: &Path, now: SystemTime, notes: &mut Vec<String>) -> Result<(Self, Kept), FileError> {
        // Only a check of every page tells damage from data; the file is small.
        let database = Builder::new().set_cache_size(CACHE).set_check_integrity_on_open(true).create(path);
        let mut file = Self {
            database: database.map_err(redb::Error::from)?,
            opened: now,
            known: BTreeMap::new(),
            targets: Targets::default(),
        };
        match file.format()? {
            None | Some(FORMAT) => {}
            Some(other) => return Err(FileError::Format(other)),
        }
        let kept = file.read(now, notes)?;
        Ok((file, kept))
    }

    fn format(&self) -> Result<Option<u64>, redb::Error> {
        match self.database.begin_read()?.open_table(META) {
            Ok(meta) => Ok(meta.get("format")?.map(|value| value.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// When it was opened.
    pub fn opened(&self) -> SystemTime {
        self.opened
    }

    /// Reads what there is, and says that it is in use.
    fn read(&mut self, now: SystemTime, notes: &mut Vec<String>) -> Result<Kept, redb::Error> {
        let write = self.database.begin_write()?;
        let mut kept = Kept::default();
        {
            let mut meta = write.open_table(META)?;
            let get = |key| -> Result<Option<u64>, redb::Error> { Ok(meta.get(key)?.map(|value| value.value())) };
            let (next, closed) = (get("next_incident")?.unwrap_or(1), get("closed")?.unwrap_or(1) == 1);
            let mut table = write.open_table(INCIDENTS)?;
            let mut changed = Vec::new();
            for entry in table.iter()? {
                let (id, text) = entry?;
                match serde_json::from_slice::<IncidentRow>(text.value()) {
                    Ok(mut row) => {
                        if cut_short(&mut row, now) {
                            changed.push((id.value(), text_of(&row)?));
                        }
                        self.known.insert(id.value(), (text.value().len(), row.ended.map(Moment::to_system)));
                        kept.incidents.push(row);
                    }
                    Err(e) => {
                        notes.push(format!("incident {} is kept in a form that is not understood: {e}", id.value()))
                    }
                }
            }
            for (id, text) in changed {
                table.insert(id, text.as_slice())?;
            }
            kept.incidents.reverse();
            kept.next = next.max(kept.incidents.first().map_or(1, |row| row.id + 1));
            // An agent that was killed may have given numbers that it had no time to write down.
            if !closed {
                kept.next = (kept.next - 1).div_ceil(GAP).max(1) * GAP + 1;
            }
            for (key, value) in [("format", FORMAT), ("next_incident", kept.next), ("closed", 0)] {
                meta.insert(key, value)?;
            }
            self.prune(&mut table, now)?;
            kept.incidents.retain(|row| self.known.contains_key(&row.id));
        }
        kept.learned = self.targets.read(&write, now, notes)?;
        write.commit()?;
        Ok(kept)
    }

    /// Writes a batch. When it returns, it is on the disk.
    pub fn write(&mut self, batch: &Batch, now: SystemTime) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(INCIDENTS)?;
            for (id, row) in &batch.incidents {
                let text = text_of(row)?;
                table.insert(id, text.as_slice())?;
                self.known.insert(*id, (text.len(), row.ended.map(Moment::to_system)));
            }
            self.prune(&mut table, now)?;
            let mut meta = write.open_table(META)?;
            if batch.next > 0 {
                meta.insert("next_incident", batch.next)?;
            }
        }
        self.targets.write(&write, batch, now)?;
        write.commit()?;
        Ok(())
    }

    /// Removes what is too old, and the oldest where there is too much.
    fn prune(&mut self, table: &mut redb::Table<'_, u64, &[u8]>, now: SystemTime) -> Result<(), redb::Error> {
        let old =
            |end: &Option<SystemTime>| end.is_some_and(|end| now.duration_since(end).is_ok_and(|age| age > MOST_AGE));
        let mut gone: Vec<u64> = self.known.iter().filter(|(_, (_, end))| old(end)).map(|(id, _)| *id).collect();
        self.known.retain(|_, (_, end)| !old(end));
        let mut bytes: usize = self.known.values().map(|(size, _)| size).sum();
        while self.known.len() > MOST_INCIDENTS || bytes > MOST_BYTES {
            let Some((id, (size, _))) = self.known.pop_first() else { break };
            bytes -= size;
            gone.push(id);
        }
        for id in gone {
            table.remove(id)?;
        }
        Ok(())
    }

    /// Says that nothing was left unwritten, gives back room, and closes it.
    pub fn close(mut self) -> Result<(), redb::Error> {
        let write = self.database.begin_write()?;
        write.open_table(META)?.insert("closed", 1)?;
        write.commit()?;
        self.database.compact()?;
        self.database.close()?;
        Ok(())
    }
}

fn text_of(row: &IncidentRow) -> Result<Vec<u8>, std::io::Error> {
    Ok(serde_json::to_vec(row)?)
}

/// An incident that an agent before this one left open. Whether it was marked.
fn cut_short(row: &mut IncidentRow, now: SystemTime) -> bool {
    if row.ended.is_some() {
        return false;
    }
    row.state = "Ended".to_owned();
    row.ended = Some(Moment::from_system(now));
    row.cut_short = Some(
        "the agent stopped while it was open; what it had in force stayed until the next agent started, \
         and what went on then is an incident of its own"
            .to_owned(),
    );
    // Nothing counts for them any more.
    row.signatures.iter_mut().for_each(|rule| rule.matched_packets = None);
    true
}

/// Whether the file itself is at fault, and not the way to it.
fn is_damaged(error: &FileError) -> bool {
    match error {
        FileError::Format(_) => true,
        FileError::Redb(error) => match error {
            redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::RepairAborted
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_) => true,
            redb::Error::Io(e) => {
                matches!(e.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
            }
            _ => false,
        },
    }
}

/// Moves a file aside; one that was moved before gives way.
fn aside(path: &Path) -> std::io::Result<PathBuf> {
    let bad = path.with_extension("redb.bad");
    fs::rename(path, &bad)?;
    Ok(bad)
}
