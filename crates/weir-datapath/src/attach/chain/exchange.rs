//! The exchange of one dispatcher for the next, with no packet between them that misses a program.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::config::DispatcherConfig;
use super::shelf::Shelf;
use super::there::{Dispatcher, Why};
use super::{dispatcher, types};
use crate::error::{DatapathError, Result, sys as failed};
use crate::object::Object;
use crate::{netlink, sys};

/// Builds a dispatcher of the given parts and puts it in the place of the old one; with no parts left, takes that away.
pub fn exchange(
    shelf: &Shelf,
    ifindex: u32,
    old: &Dispatcher,
    ours: Option<&mut Object>,
    marker: &Path,
) -> Result<std::result::Result<(), Why>> {
    if old.parts.is_empty() {
        return Ok(match netlink::replace_xdp(ifindex, old.held.fd.as_fd(), None, old.held.mode) {
            Ok(()) => shelf.remove(ifindex, old.held.id).map_err(|e| format!("removing its pins: {e}")),
            Err(e) => Err(format!("taking it away: {e}")),
        });
    }
    let slots = old.parts.iter().map(|part| part.slot).collect();
    let new = match dispatcher::load(&DispatcherConfig { version: old.version, slots }) {
        Ok(new) => new,
        Err(e) => return Ok(Err(format!("loading its successor: {e}"))),
    };
    let id = sys::program_info(new.as_fd()).map_err(|e| failed("asking for a program's number", e))?.id;
    let our_place = old.parts.iter().position(|part| part.program.is_none());
    let our_program = match (our_place, ours) {
        (Some(place), Some(object)) => match object.chained(id, &format!("prog{place}")) {
            Ok(program) => Some(program),
            Err(e) => return Ok(Err(e.to_string())),
        },
        _ => None,
    };
    let mut filled: Vec<(BorrowedFd<'_>, OwnedFd)> = Vec::new();
    for (i, part) in old.parts.iter().enumerate() {
        let Some(program) = part.program.as_ref().map(OwnedFd::as_fd).or(our_program) else { continue };
        match sys::extend(program, new.as_fd(), types::function(i)) {
            Ok(link) => filled.push((program, link)),
            Err(e) => return Ok(Err(format!("putting {} into slot {i}: {e}", part.name))),
        }
    }
    if let Err(e) = shelf.put(ifindex, id, &filled) {
        return Ok(Err(format!("pinning its successor: {e}")));
    }
    // Pinned before it runs: whatever happens then, the next agent knows its program. That of before keeps its own pin until
    // it runs no more.
    let aside = aside_of(marker);
    if let Some((_, link)) = our_place.and_then(|place| filled.get(place)) {
        let _ = std::fs::remove_file(&aside);
        if let Err(source) = sys::object_pin(link.as_fd(), &aside) {
            let _ = shelf.remove(ifindex, id);
            return Err(DatapathError::File { path: aside, source });
        }
    }
    if let Err(e) = netlink::replace_xdp(ifindex, old.held.fd.as_fd(), Some(new.as_fd()), old.held.mode) {
        let _ = shelf.remove(ifindex, id);
        let _ = std::fs::remove_file(&aside);
        return Ok(Err(format!("the kernel does not let it be replaced: {e}")));
    }
    if our_place.is_some() {
        std::fs::rename(&aside, marker).map_err(|source| DatapathError::File { path: aside, source })?;
    }
    if let Err(e) = shelf.remove(ifindex, old.held.id) {
        tracing::warn!("the pins of libxdp's dispatcher {} stay, which runs no more: {e}", old.held.id);
    }
    Ok(Ok(()))
}

/// Another name for a pin, which no interface has.
fn aside_of(marker: &Path) -> PathBuf {
    let name = marker.file_name().unwrap_or_default().to_string_lossy();
    marker.with_file_name(format!("new::{name}"))
}
