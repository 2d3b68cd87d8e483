//! Taking over the link of an agent before: its program is replaced in one step, and no packet goes by in between.

use std::os::fd::AsFd;
use std::path::Path;

use super::own::{self, Link};
use super::{Hook, chain, foreign, pin_path, refuse};
use crate::error::{DatapathError, Result, sys as failed};
use crate::object::Object;
use crate::{netlink, sys};

const TAKEN_OVER: &str = "taken over from the agent before, without a gap";

/// Takes over the pinned link of an interface, if there is one: its hook, and why that one. Pins whose interface is gone are
/// removed.
pub fn adopt(object: &mut Object, links: &Path, interface: &str, ifindex: u32) -> Result<Option<(Hook, String)>> {
    let mut found = None;
    for link in own::links(links)? {
        if link.hook == Some(Hook::Chained) {
            if found.is_none() {
                found = match chain::take_over(object, links, interface, ifindex, &link)? {
                    Some(Ok(place)) => Some((Hook::Chained, format!("{TAKEN_OVER}; {place}"))),
                    Some(Err(why)) => {
                        let why = format!("its program is in libxdp's dispatcher, and that cannot be changed: {why}");
                        return Err(refuse(interface, why));
                    }
                    None => None,
                };
            }
        } else if link.info.ifindex == 0 {
            link.unpin()?;
        } else if link.info.ifindex == ifindex && found.is_none() && link.beside.is_none() {
            found = take_over(object, links, interface, link)?;
        }
    }
    Ok(found)
}

fn take_over(object: &mut Object, links: &Path, interface: &str, link: Link) -> Result<Option<(Hook, String)>> {
    let Some(hook) = link.hook else {
        return Err(refuse(interface, format!("{} is no pin that Weir made; remove it", link.path.display())));
    };
    if !runs_here(&link, hook)? {
        // Numbers of interfaces are those of their network namespace.
        let why = format!(
            "the link pinned as {} is attached to an interface of another network namespace; \
             use a pin directory for each namespace, or detach that one first",
            link.path.display()
        );
        return Err(refuse(interface, why));
    }
    match sys::link_update(link.fd.as_fd(), hook.program(object)?) {
        Ok(()) => {}
        // Detached since we asked.
        Err(e) if e.raw_os_error() == Some(libc::ENOLINK) => {
            link.unpin()?;
            return Ok(None);
        }
        Err(e) => return Err(refuse(interface, format!("replacing the program of its pinned link: {e}"))),
    }
    // An interface keeps its number when it is renamed.
    let path = pin_path(links, interface, hook);
    if link.path != path {
        std::fs::rename(&link.path, &path).map_err(|source| DatapathError::File { path: link.path.clone(), source })?;
    }
    Ok(Some((hook, format!("{TAKEN_OVER}{}", why_then(hook, link.info.ifindex)))))
}

/// Whether the link's program is on that interface as this network namespace sees it.
fn runs_here(link: &Link, hook: Hook) -> Result<bool> {
    let ifindex = link.info.ifindex;
    let programs = match hook {
        Hook::Tcx => sys::tcx_programs(ifindex, foreign::TCX_INGRESS),
        Hook::NativeXdp | Hook::Chained | Hook::GenericXdp => {
            netlink::xdp_of(ifindex).map(|state| state.programs().collect())
        }
    };
    match programs {
        Ok(programs) => Ok(programs.contains(&link.info.program)),
        Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Ok(false),
        Err(e) => Err(failed("asking which programs an interface has", e)),
    }
}

/// Why a link taken over is not native XDP.
fn why_then(hook: Hook, ifindex: u32) -> String {
    match hook {
        Hook::NativeXdp | Hook::Chained => String::new(),
        Hook::GenericXdp => "; generic XDP, as it was asked for then".into(),
        Hook::Tcx => match netlink::xdp_of(ifindex).ok().and_then(|state| state.programs().next()) {
            Some(program) => format!("; no native XDP: {}", foreign::held_by(program)),
            None => "; tcx, as native XDP was not to be had then".into(),
        },
    }
}
