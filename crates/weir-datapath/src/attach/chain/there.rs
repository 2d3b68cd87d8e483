//! What is there: the dispatcher that holds an interface, and who is in its slots.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::config::{DispatcherConfig, Slot, Unknown};
use super::dispatcher::NAME;
use super::shelf::Shelf;
use crate::attach::Hook;
use crate::{netlink, sys};

/// A dispatcher in force.
pub struct Dispatcher {
    pub held: Held,
    pub version: u8,
    pub parts: Vec<Part>,
}

/// Who is in a slot.
pub struct Part {
    pub slot: Slot,
    /// None: our program, which is yet to be loaded.
    pub program: Option<OwnedFd>,
    pub id: u32,
    pub name: String,
}

/// Why a dispatcher is not joined, or not left.
pub type Why = String;

/// The program that holds an interface, if it is a dispatcher: its number, itself, and the mode in which it runs.
pub struct Held {
    pub id: u32,
    pub fd: OwnedFd,
    pub mode: u32,
}

/// Which dispatcher holds an interface; none: no dispatcher does.
pub fn held(ifindex: u32) -> io::Result<Option<Held>> {
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
pub fn read(shelf: &Shelf, ifindex: u32, held: Held) -> std::result::Result<Dispatcher, Why> {
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
