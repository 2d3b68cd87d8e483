//! Our own links: those pinned in our directory, and no others.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::beside::Beside;
use super::{Hook, chain};
use crate::error::{DatapathError, Result, sys as failed};
use crate::sys::{self, LinkInfo};

/// A pinned link.
pub struct Link {
    /// Its pin.
    pub path: PathBuf,
    /// The hook, by the pin's ending; none: not a name that we give.
    pub hook: Option<Hook>,
    /// One of the programs beside, which have no such hook.
    pub beside: Option<Beside>,
    /// Itself.
    pub fd: OwnedFd,
    /// What it is attached to.
    pub info: LinkInfo,
}

/// The links pinned in a directory, by name.
pub fn links(dir: &Path) -> Result<Vec<Link>> {
    let file = |path: &Path, source| DatapathError::File { path: path.into(), source };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(file(dir, e)),
    };
    let mut out = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| file(dir, e))?.path();
        let fd = sys::object_get(&path).map_err(|e| file(&path, e))?;
        let info = sys::link_info(fd.as_fd()).map_err(|e| failed("asking what a link is attached to", e))?;
        let ending = path.to_string_lossy().rsplit_once('-').map(|(_, ending)| ending.to_owned());
        let hook = Hook::ALL.into_iter().find(|hook| Some(hook.ending()) == ending.as_deref());
        let beside = Beside::ALL.into_iter().find(|one| Some(one.ending()) == ending.as_deref());
        out.push(Link { path, hook, beside, fd, info });
    }
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(out)
}

impl Link {
    /// Detaches it explicitly, so that a process that still holds it does not keep it attached, and removes its pin.
    pub fn detach(self) -> Result<()> {
        if self.hook == Some(Hook::Chained) {
            chain::leave(&self)?;
            return self.unpin();
        }
        match sys::link_detach(self.fd.as_fd()) {
            Ok(()) => {}
            // A link whose interface is gone is detached already.
            Err(e)
                if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOENT | libc::ENOLINK | libc::EOPNOTSUPP)) => {
            }
            Err(e) => return Err(failed(format!("detaching {}", self.path.display()), e)),
        }
        self.unpin()
    }

    /// Removes its pin.
    pub fn unpin(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(|source| DatapathError::File { path: self.path, source })
    }

    /// The pin's name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Detaches every link pinned in a directory. Says which.
pub fn detach_all(dir: &Path) -> Result<Vec<String>> {
    release_others(dir, &[])
}

/// Detaches the links pinned in a directory, but for those to keep. Says which.
pub fn release_others(dir: &Path, keep: &[PathBuf]) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    for link in links(dir)?.into_iter().filter(|link| !keep.contains(&link.path)) {
        gone.push(format!("link {}", link.name()));
        link.detach()?;
    }
    Ok(gone)
}
