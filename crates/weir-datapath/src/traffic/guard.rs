//! Where a flood may leave: an interface that the lab made, in a network namespace that the lab made.
//!
//! The proof is a positive one: the thread's namespace is the very same as one of those that are named like the lab's below
//! `/run/netns`. That the namespace is merely another than that of process 1 would prove less, and may not be readable.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Error;

/// What the names of the lab's namespaces start with, and those of the interfaces that a flood may leave by.
pub const LAB_PREFIX: &str = "wl";

/// Where `ip netns` keeps the names.
const NAMED: &str = "/run/netns";

/// An interface in a network namespace of the lab. Programs of the lab attach to nothing else.
#[derive(Debug, Clone)]
pub struct LabInterface {
    name: String,
    index: u32,
}

impl LabInterface {
    /// Finds the interface in the calling thread's network namespace, which must be one of the lab's.
    pub fn open(name: &str) -> Result<LabInterface, Error> {
        let refuse = |why: &str| Err(Error::Foreign { name: name.to_owned(), why: why.to_owned() });
        match inside_lab_namespace() {
            Ok(true) => {}
            Ok(false) => return refuse(&format!("this network namespace is none that is named `{LAB_PREFIX}…`")),
            Err(error) => return refuse(&format!("this network namespace cannot be identified ({error})")),
        }
        match index_of(name) {
            Some(index) => Ok(LabInterface { name: name.to_owned(), index }),
            None => refuse("there is no such interface in this network namespace"),
        }
    }

    /// Whether a flood may leave here: the name must be of the lab's kind, too. Whoever keeps a record of the interfaces
    /// that it made checks that before.
    pub fn may_send(&self) -> Result<(), Error> {
        if self.name.starts_with(LAB_PREFIX) {
            return Ok(());
        }
        let why = format!("its name does not start with `{LAB_PREFIX}`");
        Err(Error::Foreign { name: self.name.clone(), why })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface's index.
    pub fn index(&self) -> u32 {
        self.index
    }
}

fn inside_lab_namespace() -> std::io::Result<bool> {
    let here = identity(Path::new("/proc/thread-self/ns/net"))?;
    for entry in fs::read_dir(NAMED)? {
        let entry = entry?;
        let of_lab = entry.file_name().to_str().is_some_and(|name| name.starts_with(LAB_PREFIX));
        // Another run's namespace may go between listing and looking.
        if of_lab && identity(&entry.path()).is_ok_and(|it| it == here) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What tells one namespace from another: device and inode of its file.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let about = fs::metadata(path)?;
    Ok((about.dev(), about.ino()))
}

/// The index of an interface in the calling thread's network namespace.
fn index_of(name: &str) -> Option<u32> {
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: the pointer is a valid C string for the length of the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_lab_did_not_make_is_refused() {
        for name in ["lo", "eth0", "wlan0", "wl-no-such", ""] {
            let refused = LabInterface::open(name).expect_err(name);
            assert!(matches!(refused, Error::Foreign { .. }), "{name}: {refused}");
        }
    }
}
