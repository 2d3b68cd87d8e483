//! Programs of others on an interface: named, and left alone.

use super::chain;
use crate::netlink;
use crate::sys::{self, Extensions};

/// `BPF_TCX_INGRESS` of `enum bpf_attach_type`.
pub const TCX_INGRESS: u32 = 46;
/// `BPF_TCX_EGRESS`.
pub const TCX_EGRESS: u32 = 47;

/// All programs on an interface that are not our own, each with its hook. What cannot be asked for is left out.
pub fn on(ifindex: u32, own: &[u32]) -> Vec<String> {
    let mut found = Vec::new();
    let xdp = netlink::xdp_of(ifindex).unwrap_or_default();
    found.extend(xdp.programs().map(|id| (id, "xdp", None)));
    for (attach_type, hook) in [(TCX_INGRESS, "tcx ingress"), (TCX_EGRESS, "tcx egress")] {
        let programs = sys::tcx_programs(ifindex, attach_type).unwrap_or_default();
        found.extend(programs.into_iter().map(|id| (id, hook, None)));
    }
    for (egress, hook) in [(false, "tc ingress"), (true, "tc egress")] {
        let filters = netlink::filters_of(ifindex, egress).unwrap_or_default();
        found.extend(filters.into_iter().map(|filter| (filter.program, hook, Some(filter.name))));
    }
    let foreign = found.into_iter().filter(|(id, _, _)| !own.contains(id));
    foreign.map(|(id, hook, name)| format!("{hook} {}", called(id, name))).collect()
}

/// A program's name and number.
fn called(id: u32, given: Option<String>) -> String {
    match sys::program_name(id).ok().filter(|name| !name.is_empty()).or(given) {
        Some(name) => format!("{name} (id {id})"),
        None => format!("program {id} (its name is told only with CAP_SYS_ADMIN)"),
    }
}

/// Says who holds the XDP hook, and what that means for chaining.
pub fn held_by(program: u32) -> String {
    let who = called(program, None);
    match sys::program_name(program) {
        Ok(name) if name == chain::NAME => format!("{who} holds the hook, libxdp's dispatcher"),
        Ok(_) => format!("{who} holds the hook and is no libxdp dispatcher that could be joined; Weir leaves it alone"),
        Err(_) => {
            format!(
                "{who} holds the hook; were it libxdp's dispatcher, joining it takes that too; Weir leaves it alone"
            )
        }
    }
}

/// Whether this kernel takes program extensions (freplace), which joining a libxdp dispatcher needs.
pub fn freplace_available() -> bool {
    sys::extensions() == Extensions::Available
}
