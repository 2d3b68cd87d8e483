//! The few bpf(2) calls that aya does not offer, or not without side effects: batches, links, pins, questions.
//!
//! Layouts: `union bpf_attr` in the kernel's `include/uapi/linux/bpf.h`; only the fields used here are spelled out.

mod batch;
mod extension;
mod info;
mod link;
mod load;
mod pin;
mod query;

pub use batch::{delete_all, lookup, map_set, read_all, update_all};
pub use extension::{Extensions, extensions};
pub use info::{LinkInfo, link_info, map_info, program_info, program_name};
pub use link::{extend, link_create, link_detach, link_update};
pub use load::{BPF_XDP, Code, btf_load, constant, constant_of, instruction, program_by_id, xdp_load};
pub use pin::{object_get, object_pin};
pub use query::tcx_programs;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// `enum bpf_cmd`.
#[derive(Clone, Copy)]
#[repr(i64)]
enum Command {
    MapCreate = 0,
    MapLookupElem = 1,
    MapUpdateElem = 2,
    MapDeleteElem = 3,
    ProgLoad = 5,
    ObjPin = 6,
    ObjGet = 7,
    ProgGetFdById = 13,
    MapGetFdById = 14,
    ObjGetInfoByFd = 15,
    ProgQuery = 16,
    BtfLoad = 18,
    MapFreeze = 22,
    MapLookupBatch = 24,
    MapUpdateBatch = 26,
    MapDeleteBatch = 27,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkDetach = 34,
}

/// One call. What it returns is a descriptor for the commands that make one.
fn bpf<T>(command: Command, attr: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: `attr` is a live, initialised structure of the size that is passed, laid out as the kernel wants it for this
    // command; the pointers in it are to live memory of the sizes that the command asks for (the callers see to that).
    let ret =
        unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_long, std::ptr::from_mut(attr), size_of::<T>()) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}

/// A call that makes a descriptor.
fn bpf_fd<T>(command: Command, attr: &mut T) -> io::Result<OwnedFd> {
    let fd = bpf(command, attr)?;
    // SAFETY: a fresh descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
