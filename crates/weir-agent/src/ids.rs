//! The ids of targets, rules and lists, kept over restarts: the kernel's counters go on, and must keep their names.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weir_policy::image::Names;

use crate::entries::replace;

/// The file within the state directory.
const FILE: &str = "ids.json";

/// The file and what it says.
#[derive(Debug)]
pub struct Ids {
    file: PathBuf,
    saved: Option<Names>,
}

/// Its contents.
#[derive(Serialize, Deserialize)]
struct Stored {
    targets: Vec<String>,
    rules: Vec<(u32, String)>,
    lists: Vec<(u16, Vec<String>)>,
}

impl Ids {
    /// Reads the file; one that is missing or bad counts for nothing.
    pub fn load(state_dir: &Path) -> Self {
        let file = state_dir.join(FILE);
        let text = std::fs::read(&file).unwrap_or_default();
        let saved = serde_json::from_slice(&text).ok().map(|Stored { targets, mut rules, mut lists }| {
            // What reads them searches by halves.
            rules.sort();
            lists.sort();
            Names { targets, rules, lists }
        });
        Self { file, saved }
    }

    /// The ids of before.
    pub fn names(&self) -> Option<&Names> {
        self.saved.as_ref()
    }

    /// Writes the file if targets or lists changed. Names of list entries alone come and go with every runtime block and
    /// have no counters of their own.
    pub fn save(&mut self, names: &Names) -> io::Result<()> {
        if self.saved.as_ref().is_some_and(|s| s.targets == names.targets && s.lists == names.lists) {
            return Ok(());
        }
        let Names { targets, rules, lists } = names.clone();
        let text = serde_json::to_vec(&Stored { targets, rules, lists }).map_err(io::Error::other)?;
        replace(&self.file, &text)?;
        self.saved = Some(names.clone());
        Ok(())
    }
}
