//! Runtime blocks and exceptions: made through the API, kept in the state directory as YAML `Block` objects, so that they
//! survive restarts and can be read and moved into the policy directory by hand.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use weir_api::object::Resource;
use weir_api::spec::{BlockAction, BlockSpec, Cidr, Moment};
use weir_api::{Kind, Object, yaml};

/// The file within the state directory.
const FILE: &str = "runtime.yaml";

/// More runtime entries than this are refused: lists belong into a `SourceSet`.
pub const MAX_ENTRIES: usize = 65_536;

/// One entry; there is one per prefix, and the last word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Deny or allow.
    pub action: BlockAction,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires: Option<Moment>,
}

/// The entries and their file.
#[derive(Debug)]
pub struct Entries {
    file: PathBuf,
    rows: BTreeMap<Cidr, Entry>,
}

/// Why the entries could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum EntriesError {
    /// Reading or writing the file failed.
    #[error("cannot {what} {path}: {source}; check that the state directory exists and is writable (--state-dir)")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// An entry does not go into YAML.
    #[error("cannot write an entry as YAML: {0}")]
    Yaml(String),
    /// Too many.
    #[error("there are {MAX_ENTRIES} runtime entries already: put lists into a SourceSet of the policy directory")]
    Full,
}

impl Entries {
    /// Reads the entries of the state directory. What cannot be understood is told, set aside as `runtime.yaml.bad`, and
    /// does not keep the agent from starting.
    pub fn load(state_dir: &Path, now: SystemTime) -> Result<(Self, Vec<String>), EntriesError> {
        let file = state_dir.join(FILE);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(EntriesError::Io { what: "read", path: file, source }),
        };
        let (objects, problems) = yaml::parse(&file.display().to_string(), &text);
        let mut notes: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let mut rows = BTreeMap::new();
        for parsed in objects {
            if let Object::Block(block) = parsed.object {
                let BlockSpec { cidr, action, reason, expires } = block.spec;
                rows.insert(cidr, Entry { action, reason, expires });
            }
        }
        if !notes.is_empty() {
            let aside = state_dir.join(format!("{FILE}.bad"));
            if std::fs::copy(&file, &aside).is_ok() {
                notes.push(format!("kept a copy of the file as {}", aside.display()));
            }
        }
        let mut entries = Self { file, rows };
        entries.expire(now);
        Ok((entries, notes))
    }

    /// All entries, sorted by prefix.
    pub fn rows(&self) -> &BTreeMap<Cidr, Entry> {
        &self.rows
    }

    /// Sets or clears an entry, and returns what was there. [`Self::save`] makes it last.
    pub fn set(&mut self, cidr: Cidr, entry: Option<Entry>) -> Result<Option<Entry>, EntriesError> {
        match entry {
            Some(_) if self.rows.len() >= MAX_ENTRIES && !self.rows.contains_key(&cidr) => Err(EntriesError::Full),
            Some(entry) => Ok(self.rows.insert(cidr, entry)),
            None => Ok(self.rows.remove(&cidr)),
        }
    }

    /// Drops what has ended, and says what; the kernel stopped minding it by itself. [`Self::save`] makes it last.
    pub fn expire(&mut self, now: SystemTime) -> Vec<Cidr> {
        let now = Moment::from_system(now);
        let over = |entry: &Entry| entry.expires.is_some_and(|end| end <= now);
        let ended: Vec<Cidr> = self.rows.iter().filter(|(_, entry)| over(entry)).map(|(cidr, _)| *cidr).collect();
        self.rows.retain(|_, entry| !over(entry));
        ended
    }

    /// Writes the file: to a new one first, so that a crash leaves the old or the new.
    pub fn save(&self) -> Result<(), EntriesError> {
        let mut text = String::from(
            "# Written by weir: runtime blocks and exceptions. Change them with weir block, unblock, allow.\n",
        );
        for (cidr, entry) in &self.rows {
            let name = format!("runtime-{}", cidr.to_string().replace(['/', ':'], "-"));
            let spec =
                BlockSpec { cidr: *cidr, action: entry.action, reason: entry.reason.clone(), expires: entry.expires };
            text.push_str("---\n");
            text.push_str(&yaml::write(&Resource::new(Kind::Block, name, spec)).map_err(EntriesError::Yaml)?);
        }
        replace(&self.file, text.as_bytes()).map_err(|source| EntriesError::Io {
            what: "write",
            path: self.file.clone(),
            source,
        })
    }
}

/// Replaces a file's contents in one step.
pub(crate) fn replace(file: &Path, contents: &[u8]) -> std::io::Result<()> {
    let new = file.with_extension("new");
    let mut out = std::fs::File::create(&new)?;
    out.write_all(contents)?;
    out.sync_data()?;
    std::fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn entry(action: BlockAction, seconds: Option<u64>) -> Entry {
        let expires = seconds.map(|s| Moment::from_system(START + Duration::from_secs(s)));
        Entry { action, reason: "it's a \"test\": # yes\nsecond line".into(), expires }
    }

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn survive_a_restart_until_they_end() {
        let dir = tempfile::tempdir().unwrap();
        let (mut entries, notes) = Entries::load(dir.path(), START).unwrap();
        assert!(notes.is_empty());
        entries.set(cidr("203.0.113.7"), Some(entry(BlockAction::Deny, Some(60)))).unwrap();
        entries.set(cidr("2001:db8::/32"), Some(entry(BlockAction::Allow, None))).unwrap();
        entries.set(cidr("198.51.100.0/24"), Some(entry(BlockAction::Deny, Some(600)))).unwrap();
        assert!(entries.set(cidr("198.51.100.0/24"), None).unwrap().is_some());
        entries.save().unwrap();

        let at = |seconds| Entries::load(dir.path(), START + Duration::from_secs(seconds)).unwrap();
        let (again, notes) = at(59);
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(again.rows(), entries.rows());
        let (later, _) = at(60);
        assert_eq!(later.rows().keys().map(ToString::to_string).collect::<Vec<_>>(), ["2001:db8::/32"]);
    }

    #[test]
    fn a_broken_file_is_told_and_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "kind: [\n").unwrap();
        let (entries, notes) = Entries::load(dir.path(), START).unwrap();
        assert!(entries.rows().is_empty());
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(dir.path().join("runtime.yaml.bad").exists());
    }

    #[test]
    fn a_missing_directory_is_told_when_saving() {
        let dir = tempfile::tempdir().unwrap();
        let (entries, _) = Entries::load(&dir.path().join("missing"), START).unwrap();
        let error = entries.save().unwrap_err().to_string();
        assert!(error.contains("--state-dir"), "{error}");
    }
}
