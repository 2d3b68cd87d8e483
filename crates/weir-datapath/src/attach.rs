//! Attaching: native XDP, else tcx, generic XDP only when asked; links pinned, so that they outlive the agent.
//!
//! A program or link that is not pinned in our own directory is never detached or replaced. Where another XDP program holds
//! the interface, Weir goes to tcx behind it and says so: its packets come first there, ours see what it passed.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, LinkOrder, PinnedLink};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::xdp::XdpLink;
use aya::programs::{loaded_programs, ProgramError, SchedClassifier, TcAttachType, XdpMode};

use crate::error::{DatapathError, Result};
use crate::object::Object;
use crate::{netlink, sys};

/// Where a program is attached, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP in the driver.
    NativeXdp,
    /// Traffic control (tcx).
    Tcx,
    /// XDP behind the socket buffer.
    GenericXdp,
}

impl Hook {
    const ALL: [Hook; 3] = [Hook::NativeXdp, Hook::Tcx, Hook::GenericXdp];

    /// The ending of its pin.
    fn ending(self) -> &'static str {
        match self {
            Hook::NativeXdp => "xdp",
            Hook::Tcx => "tcx",
            Hook::GenericXdp => "generic",
        }
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
    /// Programs of others on this interface, left alone.
    pub foreign: Vec<String>,
}

/// Attaches the programs to an interface, or takes over the links that are pinned for it.
pub fn attach(object: &mut Object, links: &Path, interface: &str, generic: bool) -> Result<Attachment> {
    let ifindex = index_of(interface)?;
    let foreign = foreign_on(interface, ifindex, links);
    if let Some(hook) = adopt(object, links, interface, ifindex)? {
        let reason = "taken over from the agent before, without a gap".to_owned();
        return Ok(Attachment { interface: interface.into(), hook, reason, adopted: true, foreign });
    }
    let done = |hook, reason: String, foreign| Attachment { interface: interface.into(), hook, reason, adopted: false, foreign };
    let why = match attach_xdp(object, links, interface, ifindex, XdpMode::Driver) {
        Ok(()) => return Ok(done(Hook::NativeXdp, "the driver supports native XDP".into(), foreign)),
        Err(Refused::No(why)) => why,
        Err(Refused::Failed(e)) => return Err(e),
    };
    if generic {
        return match attach_xdp(object, links, interface, ifindex, XdpMode::Skb) {
            Ok(()) => Ok(done(Hook::GenericXdp, format!("no native XDP: {why}; generic XDP was asked for"), foreign)),
            Err(Refused::No(no)) => Err(refuse(interface, format!("no native XDP: {why}; no generic XDP: {no}"))),
            Err(Refused::Failed(e)) => Err(e),
        };
    }
    attach_tcx(object, links, interface)?;
    Ok(done(Hook::Tcx, format!("no native XDP: {why}"), foreign))
}

/// Why an attachment did not come about.
enum Refused {
    /// Not possible here; the next hook may be.
    No(String),
    /// Broken.
    Failed(DatapathError),
}

fn attach_xdp(object: &mut Object, links: &Path, interface: &str, ifindex: u32, mode: XdpMode) -> std::result::Result<(), Refused> {
    // The legacy way of attaching replaces whatever is there, so we look first.
    let there = netlink::xdp_of(ifindex).map_err(|e| Refused::Failed(crate::error::sys("asking for XDP programs", e)))?;
    if there.program != 0 {
        return Err(Refused::No(held_by(there.program)));
    }
    let hook = if matches!(mode, XdpMode::Driver) { Hook::NativeXdp } else { Hook::GenericXdp };
    let program = object.xdp().map_err(Refused::Failed)?;
    let id = program.attach_to_if_index(ifindex, mode).map_err(|e| Refused::No(words(&e)))?;
    let link = program.take_link(id).map_err(|e| Refused::Failed(refuse(interface, words(&e))))?;
    match FdLink::try_from(link) {
        Ok(link) => pin(link, &pin_path(links, interface, hook)).map_err(Refused::Failed),
        // Only kernels below 5.9 come here: without a link the program would go with the agent.
        Err(_) => Err(Refused::No("this kernel has no XDP links (5.9 has)".into())),
    }
}

fn attach_tcx(object: &mut Object, links: &Path, interface: &str) -> Result<()> {
    let program = object.tcx()?;
    let id = program
        .attach_with_options(interface, TcAttachType::Ingress, TcAttachOptions::TcxOrder(LinkOrder::first()))
        .map_err(|e| refuse(interface, format!("tcx: {} (tcx needs kernel 6.6)", words(&e))))?;
    let link = program.take_link(id).map_err(|e| refuse(interface, words(&e)))?;
    let link = FdLink::try_from(link).map_err(|_| refuse(interface, "the kernel gave no tcx link".into()))?;
    pin(link, &pin_path(links, interface, Hook::Tcx))
}

/// Takes over the pinned link of an interface: its program is replaced in one step. A pin whose interface is gone is removed.
fn adopt(object: &mut Object, links: &Path, interface: &str, ifindex: u32) -> Result<Option<Hook>> {
    for hook in Hook::ALL {
        let path = pin_path(links, interface, hook);
        if !path.exists() {
            continue;
        }
        let pinned = PinnedLink::from_pin(&path).map_err(|e| refuse(interface, format!("opening its pinned link: {e}")))?;
        let link = FdLink::from(pinned);
        let info = sys::link_info(link_fd(&path)?.as_fd()).map_err(|e| crate::error::sys("asking what a link is attached to", e))?;
        if info.ifindex != ifindex {
            drop(link);
            std::fs::remove_file(&path).map_err(|source| DatapathError::File { path: path.clone(), source })?;
            continue;
        }
        let failed = |e: ProgramError| refuse(interface, format!("replacing the program of its pinned link: {}", words(&e)));
        if hook == Hook::Tcx {
            let link = SchedClassifierLink::try_from(link).map_err(|_| refuse(interface, "its pinned link is no tcx link".into()))?;
            let program = object.tcx()?;
            let id = program.attach_to_link(link).map_err(failed)?;
            drop(program.take_link(id).map_err(failed)?);
        } else {
            let link = XdpLink::try_from(link).map_err(|_| refuse(interface, "its pinned link is no XDP link".into()))?;
            let program = object.xdp()?;
            let id = program.attach_to_link(link).map_err(failed)?;
            drop(program.take_link(id).map_err(failed)?);
        }
        return Ok(Some(hook));
    }
    Ok(None)
}

/// Detaches every link pinned in a directory. Says which.
pub fn detach_all(links: &Path) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    let entries = match std::fs::read_dir(links) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(gone),
        Err(source) => return Err(DatapathError::File { path: links.into(), source }),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        // Detached explicitly: an agent that still holds the link must not keep it alive.
        let fd = link_fd(&path)?;
        match sys::link_detach(fd.as_fd()) {
            Ok(()) => {}
            // A link whose interface is gone is detached already.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EINVAL | libc::ENOENT | libc::ENOLINK | libc::EOPNOTSUPP)) => {}
            Err(e) => return Err(crate::error::sys(format!("detaching {}", path.display()), e)),
        }
        std::fs::remove_file(&path).map_err(|source| DatapathError::File { path: path.clone(), source })?;
        gone.push(format!("link {}", entry.file_name().to_string_lossy()));
    }
    Ok(gone)
}

/// Programs of others on an interface.
fn foreign_on(interface: &str, ifindex: u32, links: &Path) -> Vec<String> {
    let mut own = Vec::new();
    for hook in Hook::ALL {
        let path = pin_path(links, interface, hook);
        if let Ok(info) = link_fd(&path).map_err(|_| ()).and_then(|fd| sys::link_info(fd.as_fd()).map_err(|_| ())) {
            own.push(info.program);
        }
    }
    let mut foreign = Vec::new();
    if let Ok(state) = netlink::xdp_of(ifindex) {
        if state.program != 0 && !own.contains(&state.program) {
            foreign.push(format!("xdp {}", name_of(state.program)));
        }
    }
    for (at, label) in [(TcAttachType::Ingress, "tcx ingress"), (TcAttachType::Egress, "tcx egress")] {
        if let Ok((_, programs)) = SchedClassifier::query_tcx(interface, at) {
            let others = programs.iter().filter(|p| !own.contains(&p.id()));
            foreign.extend(others.map(|p| format!("{label} {}", p.name_as_str().unwrap_or("?"))));
        }
    }
    foreign
}

/// Says who holds the XDP hook, and what that means for chaining.
fn held_by(program: u32) -> String {
    let name = name_of(program);
    if name == "xdp_dispatcher" {
        return format!(
            "{name} (id {program}) holds the hook; joining a libxdp dispatcher takes program extensions (freplace) \
             that this build does not use, so Weir leaves it alone"
        );
    }
    format!("program {name} (id {program}) holds the hook and is no libxdp dispatcher, so it cannot be joined; Weir leaves it alone")
}

fn name_of(program: u32) -> String {
    loaded_programs()
        .flatten()
        .find(|p| p.id() == program)
        .and_then(|p| p.name_as_str().map(str::to_owned))
        .unwrap_or_else(|| format!("#{program}"))
}

fn index_of(interface: &str) -> Result<u32> {
    let name = std::ffi::CString::new(interface).map_err(|_| DatapathError::NoInterface(interface.into()))?;
    // SAFETY: a valid C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(DatapathError::NoInterface(interface.into())),
        index => Ok(index),
    }
}

fn pin_path(links: &Path, interface: &str, hook: Hook) -> PathBuf {
    links.join(format!("{}-{}", file_name(interface), hook.ending()))
}

/// bpffs refuses dots in the names of pins (bpf_lookup in kernel/bpf/inode.c); VLAN interfaces have them.
fn file_name(interface: &str) -> String {
    interface.replace(['.', '/'], "_")
}

fn pin(link: FdLink, path: &Path) -> Result<()> {
    link.pin(path).map(drop).map_err(|e| DatapathError::Attach {
        interface: path.display().to_string(),
        why: format!("pinning its link: {e}"),
    })
}

/// A descriptor of a pinned link.
fn link_fd(path: &Path) -> Result<std::os::fd::OwnedFd> {
    sys::object_get(path).map_err(|source| DatapathError::File { path: path.into(), source })
}

fn refuse(interface: &str, why: String) -> DatapathError {
    DatapathError::Attach { interface: interface.into(), why }
}

/// The innermost words of an error: the outer ones only name the system call.
fn words(e: &dyn std::error::Error) -> String {
    let mut e = e;
    while let Some(inner) = e.source() {
        e = inner;
    }
    e.to_string()
}
