//! Joining the dispatcher of libxdp, where one holds an interface: its users run one behind the other.
//!
//! Whoever joins or leaves builds a new dispatcher with one slot more or less, puts everybody's program into it as well, pins
//! all that, and puts it into the place of the old one in one step: no packet misses a program. Protocol: libxdp's
//! `protocol.org`. It takes a kernel with program extensions (freplace) and `CAP_SYS_ADMIN`, because the old dispatcher's
//! configuration can be found by its number only.

mod config;
mod dispatcher;
mod shelf;
mod types;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use config::{DispatcherConfig, MOST, OURS, Slot, Unknown};
use shelf::Shelf;

use super::own::Link;
use super::{Hook, pin_path};
use crate::error::{DatapathError, Result, sys as failed};
use crate::netlink;
use crate::object::{CHAINED, Object};
use crate::sys::{self, Extensions};

pub use dispatcher::NAME;

/// A dispatcher in force.
struct Dispatcher {
    held: Held,
    version: u8,
    parts: Vec<Part>,
}

/// Who is in a slot.
struct Part {
    slot: Slot,
    /// None: our program, which is yet to be loaded.
    program: Option<OwnedFd>,
    id: u32,
    name: String,
}

/// Why a dispatcher is not joined, or not left.
type Why = String;

/// The program that holds an interface, if it is a dispatcher: its number, itself, and the mode in which it runs.
struct Held {
    id: u32,
    fd: OwnedFd,
    mode: u32,
}

/// Which dispatcher holds an interface; none: no dispatcher does.
fn held(ifindex: u32) -> io::Result<Option<Held>> {
    let state = netlink::xdp_of(ifindex)?;
    let (id, hook) = match (state.native, state.generic) {
        (0, 0) => return Ok(None),
        (0, id) => (id, Hook::GenericXdp),
        (id, _) => (id, Hook::NativeXdp),
    };
    let fd = sys::program_by_id(id)?;
    Ok((sys::program_info(fd.as_fd())?.name == NAME).then_some(Held { id, fd, mode: hook.flags() }))
}

/// Reads who is in a dispatcher's slots.
fn read(shelf: &Shelf, ifindex: u32, held: Held) -> std::result::Result<Dispatcher, Why> {
    let info = sys::program_info(held.fd.as_fd()).map_err(|e| format!("asking for its maps: {e}"))?;
    let (1, map) = info.maps else { return Err(format!("it has {} maps instead of one", info.maps.0)) };
    let block = sys::constant_of(map).map_err(|e| format!("reading its configuration: {e}"))?;
    let config = DispatcherConfig::parse(&block).map_err(|unknown| match unknown {
        Unknown::NoMagic => "it is of a version before 2, whose users would be locked out".into(),
        Unknown::Version(version) => format!("it is of version {version}; Weir knows 2 and 3"),
        Unknown::Device => "its programs run on the network card".into(),
        Unknown::Shape => "its configuration is not one of libxdp's".into(),
    })?;
    let part = |(i, slot): (usize, &Slot)| {
        let program = shelf.program(ifindex, held.id, i)?;
        let info = sys::program_info(program.as_fd())?;
        Ok(Part { slot: *slot, program: Some(program), id: info.id, name: info.name })
    };
    let parts = config.slots.iter().enumerate().map(part).collect::<io::Result<Vec<_>>>();
    let parts = parts.map_err(|e| format!("opening the pins of its programs: {e}"))?;
    Ok(Dispatcher { held, version: config.version, parts })
}

/// Joins the dispatcher of an interface. The inner answer says where among whom, or why not; none: no dispatcher holds it.
pub fn join(
    object: &mut Object,
    links: &Path,
    interface: &str,
    ifindex: u32,
    generic: bool,
) -> Result<Option<std::result::Result<String, Why>>> {
    let not = |why: String| Ok(Some(Err(why)));
    // Without the right to see its name there is nothing to say that `held_by` has not said.
    let Ok(Some(_)) = held(ifindex) else { return Ok(None) };
    match sys::extensions() {
        Extensions::Available => {}
        Extensions::Unknown => {
            return not("it takes program extensions (freplace), which this kernel does not have".into());
        }
        Extensions::Refused => return not("this kernel's security policy refuses program extensions (freplace)".into()),
    }
    let shelf = match Shelf::lock() {
        Ok(shelf) => shelf,
        Err(e) => return not(format!("locking the directory of its pins: {e}")),
    };
    // Again under the lock: others may have changed it meanwhile.
    let held = match held(ifindex) {
        Ok(Some(held)) => held,
        Ok(None) => return not("it has just gone".into()),
        Err(e) => return not(format!("opening it: {e}")),
    };
    if held.mode == Hook::GenericXdp.flags() && !generic {
        return not("it runs in generic mode, which Weir takes only when asked for".into());
    }
    let mut old = match read(&shelf, ifindex, held) {
        Ok(old) => old,
        Err(why) => return not(why),
    };
    if old.parts.len() == MOST {
        return not(format!("all its {MOST} slots are taken"));
    }
    let names = old.parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
    let slots = old.parts.iter().map(|part| part.slot).collect();
    let place = DispatcherConfig { version: old.version, slots }.place_for(&OURS, CHAINED, &names);
    old.parts.insert(place, Part { slot: OURS, program: None, id: 0, name: CHAINED.into() });
    let marker = pin_path(links, interface, Hook::Chained);
    let done = exchange(&shelf, ifindex, &old, Some(object), &marker)?;
    Ok(Some(done.map(|()| format!("joined libxdp's dispatcher, {}", among(&old, place)))))
}

/// Puts a new program in the place of the one that an agent before us has in the dispatcher of an interface. None: it has
/// none there.
pub fn take_over(
    object: &mut Object,
    links: &Path,
    interface: &str,
    ifindex: u32,
    pinned: &Link,
) -> Result<Option<std::result::Result<String, Why>>> {
    let marker = pin_path(links, interface, Hook::Chained);
    let shelf = match Shelf::lock() {
        Ok(shelf) => shelf,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Ok(Some(Err(format!("locking the directory of its pins: {e}")))),
    };
    // What cannot be looked at is ours if the pin says so.
    let named = pinned.path == marker;
    let held = match held(ifindex) {
        Ok(Some(held)) => held,
        Ok(None) => return Ok(None),
        Err(e) if named => return Ok(Some(Err(format!("opening the dispatcher: {e} (it takes CAP_SYS_ADMIN)")))),
        Err(_) => return Ok(None),
    };
    let mut old = match read(&shelf, ifindex, held) {
        Ok(old) => old,
        Err(why) if named => return Ok(Some(Err(why))),
        Err(_) => return Ok(None),
    };
    let Some(place) = old.parts.iter().position(|part| part.id == pinned.info.program) else { return Ok(None) };
    // The interface may have another name by now, or the agent before died in the middle of this.
    std::fs::rename(&pinned.path, &marker).map_err(|source| DatapathError::File { path: marker.clone(), source })?;
    old.parts[place].program = None;
    let done = exchange(&shelf, ifindex, &old, Some(object), &marker)?;
    Ok(Some(done.map(|()| format!("libxdp's dispatcher, {}", among(&old, place)))))
}

/// Takes our program out of whatever dispatcher it is in.
pub fn leave(pinned: &Link) -> Result<()> {
    let shelf = match Shelf::lock() {
        Ok(shelf) => shelf,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed("locking the pins of libxdp", e)),
    };
    for (ifindex, id) in shelf.dispatchers().map_err(|e| failed("listing the pins of libxdp", e))? {
        // Numbers of interfaces are those of their network namespace: it must be the one that is in force here.
        let Ok(Some(held)) = held(ifindex) else { continue };
        if held.id != id {
            continue;
        }
        let Ok(mut old) = read(&shelf, ifindex, held) else { continue };
        let before = old.parts.len();
        old.parts.retain(|part| part.id != pinned.info.program);
        if old.parts.len() < before {
            let left = exchange(&shelf, ifindex, &old, None, &pinned.path)?;
            left.map_err(|why| failed("leaving libxdp's dispatcher", io::Error::other(why)))?;
        }
    }
    Ok(())
}

/// Where ours is.
fn among(dispatcher: &Dispatcher, place: usize) -> String {
    let others = dispatcher.parts.iter().enumerate().filter(|(i, _)| *i != place);
    let others = others
        .map(|(i, part)| format!("{} {} (id {})", if i < place { "behind" } else { "before" }, part.name, part.id));
    let others = others.collect::<Vec<_>>().join(", ");
    let place = format!("slot {place} of {}", dispatcher.parts.len());
    if others.is_empty() { place } else { format!("{place}, {others}") }
}

/// Builds a dispatcher of the given parts and puts it in the place of the old one; with no parts left, takes that away.
fn exchange(
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
        sys::object_pin(link.as_fd(), &aside).map_err(|source| DatapathError::File { path: aside.clone(), source })?;
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
