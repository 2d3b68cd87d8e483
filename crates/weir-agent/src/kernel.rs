//! The kernel's packet path behind the agent's seam.

use std::path::{Path, PathBuf};

use crate::datapath::{Datapath, DatapathError};

/// How to open the packet path.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Interfaces to attach to.
    pub interfaces: Vec<String>,
    /// Where maps and links are pinned.
    pub pin_dir: PathBuf,
    /// Whether generic XDP may be used.
    pub generic: bool,
}

/// Attaches, or adopts what an agent before this one left.
pub fn open(_options: OpenOptions) -> Result<Box<dyn Datapath>, DatapathError> {
    Err(DatapathError("not wired".into()))
}

/// Removes everything that lies under the pin directory, without an agent.
pub fn detach(_pin_dir: &Path) -> Result<Vec<String>, DatapathError> {
    Err(DatapathError("not wired".into()))
}
