//! Attaching: native XDP, else a slot of libxdp's dispatcher if one holds the interface, else tcx, generic XDP only when asked;
//! links pinned, so that they outlive the agent.
//!
//! A program or link that is not pinned in our own directory is never detached or replaced. Where another XDP program holds
//! the interface that is no dispatcher to be joined, Weir goes to tcx behind it and says so: its packets come first there, ours
//! see what it passed.

mod adopt;
mod beside;
mod chain;
mod foreign;
mod own;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use aya::programs::ProgramError;

use crate::error::{DatapathError, Result, sys as failed};
use crate::object::{Object, TCX, XDP};
use crate::{netlink, sys};
use beside::Beside;

pub use foreign::freplace_available;
pub use own::{detach_all, release_others};

/// Where a program is attached, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP in the driver.
    NativeXdp,
    /// A slot of libxdp's dispatcher, which holds XDP there.
    Chained,
    /// Traffic control (tcx).
    Tcx,
    /// XDP behind the socket buffer.
    GenericXdp,
}

impl Hook {
    const ALL: [Hook; 4] = [Hook::NativeXdp, Hook::Chained, Hook::Tcx, Hook::GenericXdp];

    /// The ending of its pin.
    fn ending(self) -> &'static str {
        match self {
            Hook::NativeXdp => "xdp",
            Hook::Chained => "chain",
            Hook::Tcx => "tcx",
            Hook::GenericXdp => "generic",
        }
    }

    /// `enum bpf_attach_type`.
    fn attach_type(self) -> u32 {
        const BPF_XDP: u32 = 37;
        match self {
            Hook::NativeXdp | Hook::Chained | Hook::GenericXdp => BPF_XDP,
            Hook::Tcx => foreign::TCX_INGRESS,
        }
    }

    /// How a link for it is asked for.
    fn flags(self) -> u32 {
        const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
        const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
        const BPF_F_BEFORE: u32 = 1 << 3;
        match self {
            Hook::NativeXdp | Hook::Chained => XDP_FLAGS_DRV_MODE,
            Hook::GenericXdp => XDP_FLAGS_SKB_MODE,
            // Before no program in particular: before all of them.
            Hook::Tcx => BPF_F_BEFORE,
        }
    }

    /// The program for it.
    fn program(self, object: &mut Object) -> Result<BorrowedFd<'_>> {
        let (name, fd) = match self {
            Hook::Tcx => (TCX, object.tcx()?.fd()),
            Hook::NativeXdp | Hook::Chained | Hook::GenericXdp => (XDP, object.xdp()?.fd()),
        };
        let fd = fd.map_err(|source: ProgramError| DatapathError::Program { name, source: Box::new(source) })?;
        Ok(fd.as_fd())
    }
}

/// One attached interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Interface name.
    pub interface: String,
    /// The hook.
    pub hook: Hook,
    /// Why this hook.
    pub reason: String,
    /// The link was there, from an agent before this one.
    pub adopted: bool,
    /// Why it is not seen what the host sends there, so that connections are not known; none: it is seen.
    pub blind: Option<String>,
    /// Why SYNs that come there cannot be answered, so that nothing is challenged; none: they can.
    pub mute: Option<String>,
    /// Programs of others on this interface, left alone.
    pub foreign: Vec<String>,
}

/// Attaches the programs to an interface, or takes over the links that are pinned for it. Also says which pins these are.
pub fn attach(object: &mut Object, links: &Path, interface: &str, generic: bool) -> Result<(Attachment, Vec<PathBuf>)> {
    let ifindex = index_of(interface)?;
    let (hook, reason, adopted) = match adopt::adopt(object, links, interface, ifindex)? {
        Some((hook, reason)) => (hook, reason, true),
        None => {
            let (hook, reason) = first_possible(object, links, interface, ifindex, generic)?;
            (hook, reason, false)
        }
    };
    let mut pins = vec![pin_path(links, interface, hook)];
    let mut beside = |which| {
        Ok(match beside::attach(object, links, interface, ifindex, which)? {
            Ok(pin) => {
                pins.push(pin);
                None
            }
            Err(why) => Some(why),
        })
    };
    let blind = beside(Beside::Egress)?;
    // tcx sends its own answers.
    let mute = if hook == Hook::Tcx { None } else { beside(Beside::Return)? };
    let own = own::links(links)?.iter().map(|link| link.info.program).collect::<Vec<_>>();
    let foreign = foreign::on(ifindex, &own);
    let attachment = Attachment { interface: interface.into(), hook, reason, adopted, blind, mute, foreign };
    Ok((attachment, pins))
}

/// Goes down the ladder of hooks; says which one it came to, and why not a better one.
fn first_possible(
    object: &mut Object,
    links: &Path,
    interface: &str,
    ifindex: u32,
    generic: bool,
) -> Result<(Hook, String)> {
    let native = match new_link(object, links, interface, ifindex, Hook::NativeXdp)? {
        Ok(()) => return Ok((Hook::NativeXdp, "the driver supports native XDP".into())),
        Err(why) => format!("no native XDP: {why}"),
    };
    let mut before = native;
    match chain::join(object, links, interface, ifindex, generic)? {
        Some(Ok(place)) => return Ok((Hook::Chained, format!("{before}; {place}"))),
        Some(Err(why)) => before = format!("{before}; not joined: {why}"),
        None => {}
    }
    if generic {
        match new_link(object, links, interface, ifindex, Hook::GenericXdp)? {
            Ok(()) => return Ok((Hook::GenericXdp, format!("{before}; generic XDP was asked for"))),
            Err(why) => before = format!("{before}; no generic XDP: {why}"),
        }
    }
    match new_link(object, links, interface, ifindex, Hook::Tcx)? {
        Ok(()) => Ok((Hook::Tcx, before)),
        Err(why) => Err(refuse(interface, format!("{before}; no tcx: {why}"))),
    }
}

/// Makes a link and pins it. The inner error says why this hook is not to be had; the next one may be.
fn new_link(
    object: &mut Object,
    links: &Path,
    interface: &str,
    ifindex: u32,
    hook: Hook,
) -> Result<std::result::Result<(), String>> {
    if hook != Hook::Tcx {
        // The kernel would refuse as well, but without saying who is there.
        let there = netlink::xdp_of(ifindex).map_err(|e| failed("asking for XDP programs", e))?;
        if let Some(program) = there.programs().next() {
            return Ok(Err(foreign::held_by(program)));
        }
    }
    match sys::link_create(hook.program(object)?, ifindex, hook.attach_type(), hook.flags()) {
        Ok(link) => {
            let path = pin_path(links, interface, hook);
            // Without its pin the link is closed on the way out, and with that detached.
            sys::object_pin(link.as_fd(), &path).map_err(|source| DatapathError::File { path, source })?;
            Ok(Ok(()))
        }
        Err(e) => match e.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                Err(refuse(interface, format!("{e}: attaching takes CAP_NET_ADMIN in this network namespace")))
            }
            Some(libc::ENODEV) => Err(DatapathError::NoInterface(interface.into())),
            Some(libc::ENOMEM) => Err(refuse(interface, e.to_string())),
            code => Ok(Err(why_not(hook, code, &e))),
        },
    }
}

/// What the kernel's answer means at this hook.
fn why_not(hook: Hook, code: Option<i32>, e: &io::Error) -> String {
    match (hook, code) {
        (Hook::NativeXdp, Some(libc::EOPNOTSUPP)) => "the driver does not offer it".into(),
        (Hook::NativeXdp, Some(libc::ERANGE | libc::E2BIG)) => {
            format!("the driver refuses it at this MTU ({e}); a smaller one may help")
        }
        (Hook::Tcx, Some(libc::EINVAL)) => format!("{e} (tcx needs kernel 6.6)"),
        (_, Some(libc::EBUSY)) => format!("another program came first ({e})"),
        _ => format!("the kernel says: {e}"),
    }
}

fn index_of(interface: &str) -> Result<u32> {
    let name = std::ffi::CString::new(interface).map_err(|_| DatapathError::NoInterface(interface.into()))?;
    // SAFETY: a valid C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(DatapathError::NoInterface(interface.into())),
        index => Ok(index),
    }
}

/// Where the link of an interface is pinned. bpffs refuses dots in names (bpf_lookup in kernel/bpf/inode.c), which VLAN
/// interfaces have; colons are what no interface has (dev_valid_name in net/core/dev.c).
fn pin_path(links: &Path, interface: &str, hook: Hook) -> PathBuf {
    pin(links, interface, hook.ending())
}

fn pin(links: &Path, interface: &str, ending: &str) -> PathBuf {
    links.join(format!("{}-{ending}", interface.replace('.', ":")))
}

fn refuse(interface: &str, why: String) -> DatapathError {
    DatapathError::Attach { interface: interface.into(), why }
}
