//! The directory of pins on a bpf filesystem, and what it means when an agent died in the middle of changing it.
//!
//! ```text
//! <pins>/links/<interface>-<hook>   what is attached
//! <pins>/maps/<MAP>                 the maps that the attached programs use
//! <pins>/maps-next/<MAP>            those of an upgrade, until all links run its programs
//! <pins>/maps-old/<MAP>             those of before the upgrade, about to go
//! ```
//! Programs hold their maps, so the packet path never depends on these names; only the next agent does.

use std::io::{Error, ErrorKind};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use weir_abi::{ABI_VERSION, Config, maps};

use crate::error::{DatapathError, Result, sys as failed};
use crate::object::Sizes;
use crate::sys;

/// The directory.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
}

/// Where the maps of an agent that starts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maps {
    /// The directory.
    pub dir: PathBuf,
    /// It holds maps that fit, with all that they have.
    pub adopted: bool,
    /// It is to take the place of maps of another layout.
    pub upgrade: bool,
}

impl Pins {
    /// Opens the directory, or makes it.
    pub fn open(root: &Path) -> Result<Self> {
        // Looked at first: directories are not to be left behind on a filesystem that cannot hold pins.
        let existing = root.ancestors().find(|path| path.exists()).unwrap_or(root);
        if !is_bpffs(existing)? {
            return Err(DatapathError::NotBpffs(root.into()));
        }
        let pins = Self { root: root.into() };
        make_dir(&pins.links())?;
        Ok(pins)
    }

    /// Names the directory, whether it exists or not.
    pub fn named(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// The pinned links.
    pub fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    fn current(&self) -> PathBuf {
        self.root.join("maps")
    }

    fn next(&self) -> PathBuf {
        self.root.join("maps-next")
    }

    fn old(&self) -> PathBuf {
        self.root.join("maps-old")
    }

    /// Finishes what an agent before this one began, and makes or finds the directory of the maps.
    pub fn maps(&self, sizes: &Sizes) -> Result<Maps> {
        let (current, next, old) = (self.current(), self.next(), self.old());
        if !current.exists() && old.exists() && next.exists() {
            // It died between the two renames of `upgraded`: all links run the new programs.
            rename(&next, &current)?;
        }
        remove_dir(&old)?;
        // It died before: some links may run programs with these maps. They keep them until they are switched over.
        remove_dir(&next)?;
        let adopted = fits(&current, sizes);
        let upgrade = !adopted && current.exists();
        let dir = if upgrade { next } else { current };
        make_dir(&dir)?;
        Ok(Maps { dir, adopted, upgrade })
    }

    /// All links run the new programs: their maps are the ones to be found from now on, and nothing reads those of before.
    pub fn upgraded(&self) -> Result<()> {
        rename(&self.current(), &self.old())?;
        rename(&self.next(), &self.current())?;
        remove_dir(&self.old())
    }

    /// Removes everything; says what. Links have been detached before.
    pub fn remove(&self) -> Result<Vec<String>> {
        let mut gone = Vec::new();
        for dir in [self.current(), self.next(), self.old(), self.links()] {
            let count = std::fs::read_dir(&dir).map(Iterator::count).unwrap_or(0);
            remove_dir(&dir)?;
            if count > 0 {
                gone.push(format!("{count} pins in {}", dir.display()));
            }
        }
        match std::fs::remove_dir(&self.root) {
            // A filesystem of its own is unmounted by whoever mounted it, and somebody else's files are his.
            Err(e)
                if !matches!(
                    e.kind(),
                    ErrorKind::NotFound | ErrorKind::ResourceBusy | ErrorKind::DirectoryNotEmpty
                ) =>
            {
                // Nor is a directory ours in which we may not remove anything.
                if e.kind() == ErrorKind::PermissionDenied { Ok(gone) } else { Err(file(&self.root, e)) }
            }
            _ => Ok(gone),
        }
    }
}

/// Whether maps pinned in a directory have the layout and the sizes that we would make.
fn fits(dir: &Path, sizes: &Sizes) -> bool {
    let shape_fits = maps::PINNED.iter().all(|name| {
        let info = sys::object_get(&dir.join(name)).and_then(|fd| sys::map_info(fd.as_fd()));
        info.is_ok_and(|info| sizes.entries(name).is_none_or(|entries| entries == info.entries))
    });
    shape_fits && config(dir).is_some_and(|c| c.abi == ABI_VERSION && sizes.agree(&c))
}

fn config(dir: &Path) -> Option<Config> {
    let fd = sys::object_get(&dir.join(maps::CONFIG)).ok()?;
    // Another version's block may be longer than ours.
    let same = sys::map_info(fd.as_fd()).is_ok_and(|info| info.value as usize == size_of::<Config>());
    if same { sys::lookup::<u32, Config>(fd.as_fd(), &0).ok()? } else { None }
}

fn is_bpffs(path: &Path) -> Result<bool> {
    use std::os::unix::ffi::OsStrExt;
    const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
    // SAFETY: zeros are a valid value of this plain structure.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a valid C string and a valid pointer.
    if unsafe { libc::statfs(name.as_ptr(), &raw mut stat) } != 0 {
        return Err(failed(format!("looking at {}", path.display()), Error::last_os_error()));
    }
    Ok(stat.f_type as i64 == BPF_FS_MAGIC)
}

fn file(path: &Path, source: Error) -> DatapathError {
    DatapathError::File { path: path.into(), source }
}

fn make_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| file(path, e))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|e| file(from, e))
}

/// Removes a directory of pins; one level, as we make them.
fn remove_dir(path: &Path) -> Result<()> {
    match std::fs::read_dir(path) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(|e| file(path, e))?;
                std::fs::remove_file(entry.path()).map_err(|e| file(&entry.path(), e))?;
            }
            std::fs::remove_dir(path).map_err(|e| file(path, e))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(file(path, e)),
    }
}
