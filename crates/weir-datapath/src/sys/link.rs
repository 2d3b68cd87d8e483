//! Links: what keeps a program on its hook. Made without aya, whose way of attaching XDP falls back to one that replaces
//! whatever program is there.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{Command, bpf, bpf_fd};

#[repr(C)]
#[derive(Default)]
struct Create {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
    relative_fd: u32,
    pad: u32,
    expected_revision: u64,
}

/// Attaches a program to an interface of this thread's network namespace. The kernel refuses where an XDP program is already.
pub fn link_create(program: BorrowedFd<'_>, ifindex: u32, attach_type: u32, flags: u32) -> io::Result<OwnedFd> {
    let prog_fd = program.as_raw_fd() as u32;
    bpf_fd(
        Command::LinkCreate,
        &mut Create { prog_fd, target_ifindex: ifindex, attach_type, flags, ..Create::default() },
    )
}

/// Puts a program extension in the place of a function of another program, named by its BTF type there.
pub fn extend(extension: BorrowedFd<'_>, target: BorrowedFd<'_>, function: u32) -> io::Result<OwnedFd> {
    // In this form the kernel reads the target and the function where interfaces have their number and their neighbour.
    let (prog_fd, target_ifindex) = (extension.as_raw_fd() as u32, target.as_raw_fd() as u32);
    bpf_fd(Command::LinkCreate, &mut Create { prog_fd, target_ifindex, relative_fd: function, ..Create::default() })
}

/// Replaces a link's program in one step.
pub fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    #[repr(C)]
    struct Update {
        link_fd: u32,
        new_prog_fd: u32,
        flags: u32,
        old_prog_fd: u32,
    }
    let new_prog_fd = program.as_raw_fd() as u32;
    let mut attr = Update { link_fd: link.as_raw_fd() as u32, new_prog_fd, flags: 0, old_prog_fd: 0 };
    bpf(Command::LinkUpdate, &mut attr).map(drop)
}

/// Detaches a link for good, whoever else holds it.
pub fn link_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut fd = link.as_raw_fd() as u32;
    bpf(Command::LinkDetach, &mut fd).map(drop)
}
