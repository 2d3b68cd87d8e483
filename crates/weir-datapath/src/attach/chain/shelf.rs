//! libxdp's own directory of pins, which all its users share under one lock.
//!
//! ```text
//! /sys/fs/bpf/xdp/dispatch-IFINDEX-ID/progN-prog   the program in slot N
//! /sys/fs/bpf/xdp/dispatch-IFINDEX-ID/progN-link   its link to that slot
//! ```

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use crate::sys;

/// The directory, locked until this is dropped.
pub struct Shelf {
    root: PathBuf,
    #[expect(dead_code, reason = "held for the lock on it")]
    lock: File,
}

impl Shelf {
    /// Waits for the lock.
    pub fn lock() -> io::Result<Self> {
        let bpffs = std::env::var_os("LIBXDP_BPFFS").unwrap_or_else(|| "/sys/fs/bpf".into());
        let root = PathBuf::from(bpffs).join("xdp");
        let lock = File::open(&root)?;
        // SAFETY: a descriptor that is open.
        if unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { root, lock })
    }

    fn of(&self, ifindex: u32, dispatcher: u32) -> PathBuf {
        self.root.join(format!("dispatch-{ifindex}-{dispatcher}"))
    }

    /// The program in a slot.
    pub fn program(&self, ifindex: u32, dispatcher: u32, slot: usize) -> io::Result<OwnedFd> {
        sys::object_get(&self.of(ifindex, dispatcher).join(format!("prog{slot}-prog")))
    }

    /// Pins the programs of a new dispatcher, each with its link; all or none.
    pub fn put(&self, ifindex: u32, dispatcher: u32, slots: &[(BorrowedFd<'_>, OwnedFd)]) -> io::Result<()> {
        let dir = self.of(ifindex, dispatcher);
        fs::create_dir(&dir)?;
        let pins = slots.iter().enumerate().try_for_each(|(i, (program, link))| {
            sys::object_pin(*program, &dir.join(format!("prog{i}-prog")))?;
            sys::object_pin(link.as_fd(), &dir.join(format!("prog{i}-link")))
        });
        pins.inspect_err(|_| drop(self.remove(ifindex, dispatcher)))
    }

    /// Removes the pins of a dispatcher.
    pub fn remove(&self, ifindex: u32, dispatcher: u32) -> io::Result<()> {
        let dir = self.of(ifindex, dispatcher);
        for entry in fs::read_dir(&dir)? {
            fs::remove_file(entry?.path())?;
        }
        fs::remove_dir(dir)
    }

    /// All that are there: interface and dispatcher.
    pub fn dispatchers(&self) -> io::Result<Vec<(u32, u32)>> {
        let names = fs::read_dir(&self.root)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| numbers(&name)).collect())
    }
}

fn numbers(name: &str) -> Option<(u32, u32)> {
    let (ifindex, dispatcher) = name.strip_prefix("dispatch-")?.split_once('-')?;
    Some((ifindex.parse().ok()?, dispatcher.parse().ok()?))
}

#[cfg(test)]
mod tests {
    //! Names of directories.
    use super::numbers;

    #[test]
    fn only_libxdps_names_are_taken_for_dispatchers() {
        assert_eq!(numbers("dispatch-3-120"), Some((3, 120)));
        assert_eq!(numbers("dispatch-3"), None);
        assert_eq!(numbers("dispatch-x-1"), None);
        assert_eq!(numbers("xsk_def_prog"), None);
    }
}
