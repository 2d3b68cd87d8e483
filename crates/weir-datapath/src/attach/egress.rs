//! The program that sees what the host sends, at tcx egress: it learns which connections the host takes part in, and never drops.
//!
//! Where it cannot be attached, the packet path works as before and knows no connections; why is said.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::{foreign, own};
use crate::error::{DatapathError, Result, sys as failed};
use crate::object::{EGRESS, Object};
use crate::sys;

/// The ending of its pin.
pub const ENDING: &str = "out";

/// Behind no program in particular: behind all of them, nearest to the wire, as the other one is on the way in.
const BPF_F_AFTER: u32 = 1 << 4;

/// Attaches it, or takes over the link that is pinned for the interface. Says which pin that is, or why there is none.
pub fn attach(
    object: &mut Object,
    links: &Path,
    interface: &str,
    ifindex: u32,
) -> Result<std::result::Result<PathBuf, String>> {
    let path = super::pin(links, interface, ENDING);
    let program = object.egress()?.fd().map_err(|e| DatapathError::Program { name: EGRESS, source: Box::new(e) })?;
    let program = program.as_fd();
    for link in own::links(links)?.into_iter().filter(|link| link.is_egress && link.info.ifindex == ifindex) {
        // Numbers of interfaces are those of their network namespace.
        let here = sys::tcx_programs(ifindex, foreign::TCX_EGRESS).unwrap_or_default();
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
    match sys::link_create(program, ifindex, foreign::TCX_EGRESS, BPF_F_AFTER) {
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
