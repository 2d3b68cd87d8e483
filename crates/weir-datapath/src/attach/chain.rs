//! Joining the dispatcher of libxdp, where one holds an interface: its users run one behind the other.
//!
//! Whoever joins or leaves builds a new dispatcher with one slot more or less, puts everybody's program into it as well, pins
//! all that, and puts it into the place of the old one in one step: no packet misses a program. Protocol: libxdp's
//! `protocol.org`. It takes a kernel with program extensions (freplace) and `CAP_SYS_ADMIN`, because the old dispatcher's
//! configuration can be found by its number only.

mod config;
mod dispatcher;
mod exchange;
mod shelf;
mod there;
mod types;

use std::io;
use std::path::Path;

use config::{DispatcherConfig, MOST, OURS};
use exchange::exchange;
use shelf::Shelf;
use there::{Dispatcher, Part, Why, held, read};

use super::own::Link;
use super::{Hook, pin_path};
use crate::error::{DatapathError, Result, sys as failed};
use crate::object::{CHAINED, Object};
use crate::sys::{self, Extensions};

pub use dispatcher::NAME;

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

/// Takes our program out of whatever dispatcher it is in. Where one cannot be looked at, ours may be in it: that is an error, and
/// the pin stays.
pub fn leave(pinned: &Link) -> Result<()> {
    let shelf = match Shelf::lock() {
        Ok(shelf) => shelf,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed("locking the pins of libxdp", e)),
    };
    let mut unread = None;
    for (ifindex, id) in shelf.dispatchers().map_err(|e| failed("listing the pins of libxdp", e))? {
        let held = match held(ifindex) {
            Ok(Some(held)) => held,
            Ok(None) => continue,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                return Err(failed("opening libxdp's dispatcher (leaving it takes CAP_SYS_ADMIN)", e));
            }
            // Numbers of interfaces are those of their network namespace: here there may be none of that number.
            Err(_) => continue,
        };
        if held.id != id {
            continue;
        }
        let mut old = match read(&shelf, ifindex, held) {
            Ok(old) => old,
            Err(why) => {
                unread = Some(why);
                continue;
            }
        };
        let before = old.parts.len();
        old.parts.retain(|part| part.id != pinned.info.program);
        if old.parts.len() < before {
            let left = exchange(&shelf, ifindex, &old, None, &pinned.path)?;
            return left.map_err(|why| failed("leaving libxdp's dispatcher", io::Error::other(why)));
        }
    }
    unread.map_or(Ok(()), |why| Err(failed("reading libxdp's dispatcher, to leave it", io::Error::other(why))))
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
