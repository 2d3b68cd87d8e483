//! The programs of traffic control beside the one that judges: one learns from what the host sends, one sends back what XDP answers.
//!
//! Where one cannot be attached, the packet path works as before, without what it is for; why is said.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::{foreign, own};
use crate::error::{DatapathError, Result, sys as failed};
use crate::object::{EGRESS, Object, RETURN};
use crate::sys;

/// A program beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// At tcx egress: it learns which connections the host takes part in, and never drops.
    Egress,
    /// At tcx ingress, behind XDP: it sends back the challenges that XDP wrote.
    Return,
}

impl Beside {
    pub const ALL: [Beside; 2] = [Beside::Egress, Beside::Return];

    /// The ending of its pin.
    pub const fn ending(self) -> &'static str {
        match self {
            Beside::Egress => "out",
            Beside::Return => "back",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Beside::Egress => EGRESS,
            Beside::Return => RETURN,
        }
    }

    const fn attach_type(self) -> u32 {
        match self {
            Beside::Egress => foreign::TCX_EGRESS,
            Beside::Return => foreign::TCX_INGRESS,
        }
    }

    /// Both are nearest to the wire: on the way out behind all programs, on the way in before all of them.
    const fn flags(self) -> u32 {
        const BPF_F_BEFORE: u32 = 1 << 3;
        const BPF_F_AFTER: u32 = 1 << 4;
        match self {
            Beside::Egress => BPF_F_AFTER,
            Beside::Return => BPF_F_BEFORE,
        }
    }
}

/// Attaches one, or takes over the link that is pinned for the interface. Says which pin that is, or why there is none.
pub fn attach(
    object: &mut Object,
    links: &Path,
    interface: &str,
    ifindex: u32,
    which: Beside,
) -> Result<std::result::Result<PathBuf, String>> {
    let path = super::pin(links, interface, which.ending());
    let name = which.program();
    let program = object.classifier(name)?.fd().map_err(|e| DatapathError::Program { name, source: Box::new(e) })?;
    let program = program.as_fd();
    let ours = |link: &own::Link| link.beside == Some(which) && link.info.ifindex == ifindex;
    for link in own::links(links)?.into_iter().filter(ours) {
        // Numbers of interfaces are those of their network namespace.
        let here = sys::tcx_programs(ifindex, which.attach_type()).unwrap_or_default();
        if !here.contains(&link.info.program) {
            return Ok(Err(format!(
                "the link pinned as {} is attached in another network namespace",
                link.path.display()
            )));
        }
        match sys::link_update(link.fd.as_fd(), program) {
            Ok(()) => {}
            // Detached since we asked.
            Err(e) if e.raw_os_error() == Some(libc::ENOLINK) => {
                link.unpin()?;
                continue;
            }
            Err(e) => return Err(failed(format!("replacing the program of {}", link.path.display()), e)),
        }
        // An interface keeps its number when it is renamed.
        if link.path != path {
            std::fs::rename(&link.path, &path)
                .map_err(|source| DatapathError::File { path: link.path.clone(), source })?;
        }
        return Ok(Ok(path));
    }
    match sys::link_create(program, ifindex, which.attach_type(), which.flags()) {
        Ok(link) => {
            // Without its pin the link is closed on the way out, and with that detached.
            sys::object_pin(link.as_fd(), &path)
                .map_err(|source| DatapathError::File { path: path.clone(), source })?;
            Ok(Ok(path))
        }
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => Ok(Err(format!("{e} (tcx needs kernel 6.6)"))),
        Err(e) => Ok(Err(format!("the kernel says: {e}"))),
    }
}
