//! Pins: names of kernel objects on a bpf filesystem.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Command, bpf, bpf_fd};

#[repr(C)]
#[derive(Default)]
struct Object {
    pathname: u64,
    fd: u32,
    flags: u32,
}

fn name(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Opens a pinned object.
pub fn object_get(path: &Path) -> io::Result<OwnedFd> {
    let name = name(path)?;
    bpf_fd(Command::ObjGet, &mut Object { pathname: name.as_ptr() as u64, ..Object::default() })
}

/// Pins an object.
pub fn object_pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = name(path)?;
    let mut attr = Object { pathname: name.as_ptr() as u64, fd: object.as_raw_fd() as u32, flags: 0 };
    bpf(Command::ObjPin, &mut attr).map(drop)
}
