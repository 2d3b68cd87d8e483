//! What a run writes down about itself, before it makes anything: who owns it and what will have to be removed.
//!
//! `/run/weir-lab/<id>/lock` is locked as long as the owner lives, however it ends; `state.json` beside it says what it made.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::name::LabId;

const HOME: &str = "/run/weir-lab";

/// The record of one run.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct State {
    /// The process that made it.
    pub pid: u32,
    /// For people: what the run is about.
    pub purpose: String,
    /// Network namespaces, by name.
    pub namespaces: Vec<String>,
    /// Interfaces that floods may leave by: namespace and name.
    pub attack_interfaces: Vec<(String, String)>,
}

/// The directory of a run.
pub fn dir(id: &LabId) -> PathBuf {
    Path::new(HOME).join(id.as_str())
}

/// A directory that this process owns; the lock goes with it.
#[derive(Debug)]
pub struct Claim {
    /// The identity.
    pub id: LabId,
    _lock: File,
}

impl Claim {
    /// Draws an identity and takes its directory.
    pub fn new() -> Result<Claim> {
        fs::create_dir_all(HOME).with_context(|| format!("cannot make {HOME}: the lab needs root"))?;
        loop {
            let id = LabId::random()?;
            match fs::create_dir(dir(&id)) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error).context("cannot make the run's directory"),
            }
            let lock = File::create(dir(&id).join("lock")).context("cannot make the run's lock")?;
            lock.lock().context("cannot take the run's lock")?;
            // A `clean` may have met the directory before its lock was taken, and have removed it.
            if dir(&id).join("lock").exists() {
                return Ok(Claim { id, _lock: lock });
            }
        }
    }

    /// Takes over the directory of a run whose owner is gone; `None` while it lives.
    pub fn take_over(id: &LabId) -> Result<Option<Claim>> {
        // A run that died between making its directory and its lock has none.
        let lock = File::options().create(true).append(true).open(dir(id).join("lock"));
        let lock = match lock {
            Ok(lock) => lock,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("cannot open the run's lock"),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(Claim { id: id.clone(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context("cannot try the run's lock"),
        }
    }

    /// The run's directory.
    pub fn dir(&self) -> PathBuf {
        dir(&self.id)
    }

    /// Writes the record.
    pub fn write(&self, state: &State) -> Result<()> {
        let text = serde_json::to_string_pretty(state)?;
        let fresh = self.dir().join(".state.json");
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, self.dir().join("state.json")))
            .context("cannot write the run's record")
    }

    /// Removes the directory: the last act of a clean-up.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(self.dir()).with_context(|| format!("cannot remove {}", self.dir().display()))
    }
}

/// Reads the record of a run. There is none yet in its first moments.
pub fn read(id: &LabId) -> Result<Option<State>> {
    let path = dir(id).join("state.json");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Whether the owner of a run lives.
pub fn is_owned(id: &LabId) -> Result<bool> {
    match File::open(dir(id).join("lock")) {
        Ok(lock) => Ok(matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("cannot open a run's lock"),
    }
}

/// All runs that left a directory, alive or not.
pub fn all() -> Result<Vec<LabId>> {
    let entries = match fs::read_dir(HOME) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context(HOME),
    };
    let mut ids: Vec<LabId> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    ids.sort();
    Ok(ids)
}

/// Refuses namespaces that the run has not recorded as its own.
pub fn check_namespace(id: &LabId, namespace: &str) -> Result<()> {
    if read(id)?.is_some_and(|state| state.namespaces.iter().any(|name| name == namespace)) {
        return Ok(());
    }
    bail!("refusing to attack from {namespace}: lab {id} has not recorded it as its own")
}

/// Refuses interfaces that no living or dead run of the lab recorded.
pub fn check_recorded(id: &LabId, namespace: &str, interface: &str) -> Result<()> {
    let recorded = read(id)?.map(|state| state.attack_interfaces).unwrap_or_default();
    if recorded.iter().any(|(ns, name)| ns == namespace && name == interface) {
        return Ok(());
    }
    bail!(
        "refusing to send on {interface} in {namespace}: lab {id} has not recorded it as its own attackers' interface"
    )
}
