//! A pin directory that goes with its guard, whatever lies in it.

use std::fs;
use std::path::{Path, PathBuf};

use super::random_suffix;

/// The bpf filesystem of the machine.
pub const BPFFS: &str = "/sys/fs/bpf";

/// A directory of pins.
pub struct PinDir(PathBuf);

impl PinDir {
    /// Names one; the packet path makes it.
    pub fn new() -> Self {
        Self(Path::new(BPFFS).join(format!("weir-test-{}", random_suffix())))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What lies in it: paths below it, sorted.
    pub fn listing(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.0, &mut |path| found.push(path.strip_prefix(&self.0).unwrap_or(path).display().to_string()));
        found.sort();
        found
    }
}

impl Drop for PinDir {
    fn drop(&mut self) {
        // Links first: detached by hand, so that nothing goes on enforcing after a test that failed.
        if let Err(e) = weir_datapath::detach(&self.0) {
            eprintln!("detaching {}: {e}", self.0.display());
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn walk(dir: &Path, each: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        each(&entry.path());
        if entry.path().is_dir() {
            walk(&entry.path(), each);
        }
    }
}
