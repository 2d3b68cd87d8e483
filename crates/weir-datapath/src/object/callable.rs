//! The XDP programs that are reached by tail calls, loaded so that Weir in a slot of libxdp's dispatcher may call them.
//!
//! Programs of one table must agree about fragments and about the type of their attachment (`__bpf_prog_map_compatible` in
//! `kernel/bpf/core.c`; the latter since 6.18, and in long-term kernels since autumn 2025). An extension has neither: it does not ask for
//! fragments, and the kernel sets its type to 0 once it is verified (end of `bpf_check`). aya loads XDP programs with type `BPF_XDP` only.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya::EbpfError;
use aya_obj::generated::bpf_insn;

use super::again;
use crate::error::{DatapathError, Result};
use crate::sys::{self, Code};

/// Loads programs of an object with the maps of the same object that is loaded already.
pub fn load<'a>(
    object: &[u8],
    names: &[&'static str],
    loaded: impl Fn(&str) -> Result<BorrowedFd<'a>>,
) -> Result<Vec<OwnedFd>> {
    let unread = |e: EbpfError| DatapathError::Load { source: Box::new(e) };
    let mut object = aya_obj::Object::parse(object).map_err(|e| unread(e.into()))?;
    let types = match aya::features().btf() {
        Some(features) => object.fixup_and_sanitize_btf(features).map_err(|e| unread(e.into()))?,
        None => None,
    };
    let types = types.map(aya_obj::btf::Btf::to_bytes);
    let maps = object.maps.drain().collect::<Vec<_>>();
    let mut at = Vec::with_capacity(maps.len());
    for (map, written) in &maps {
        at.push((map.as_str(), loaded(map)?.as_raw_fd(), written));
    }
    let sections = object.functions.keys().map(|(section, _)| *section).collect::<HashSet<_>>();
    object.relocate_maps(at.into_iter(), &sections).map_err(|e| unread(e.into()))?;
    object.relocate_calls(&sections).map_err(|e| unread(e.into()))?;
    object.sanitize_functions(aya::features());
    let types = types.ok_or_else(|| DatapathError::Missing("types (BTF)".into()))?;
    let types = sys::btf_load(&types)
        .map_err(|source| DatapathError::Sys { what: "loading types for a dispatcher's slot".into(), source })?;
    names.iter().map(|name| program(&object, name, types.as_fd())).collect()
}

fn program(object: &aya_obj::Object, name: &'static str, types: BorrowedFd<'_>) -> Result<OwnedFd> {
    let program = object.programs.get(name).and_then(|program| object.functions.get(&program.function_key()));
    let program = program.ok_or_else(|| DatapathError::Missing(name.into()))?;
    let instructions = program.instructions.iter().map(word).collect::<Vec<_>>();
    let functions = program.func_info.func_info.iter().map(|info| [info.insn_off, info.type_id]).collect::<Vec<_>>();
    let code = Code { name, instructions: &instructions, functions: &functions, flags: 0, attach_type: 0 };
    let refused =
        |source: io::Error| DatapathError::Sys { what: format!("loading {name} for a dispatcher's slot"), source };
    again(|| sys::xdp_load(&code, types), |e| e.kind() == ErrorKind::WouldBlock).map_err(refused)
}

/// An instruction as the kernel reads it.
fn word(instruction: &bpf_insn) -> u64 {
    let registers = instruction._bitfield_1.get(0, 8) as u8;
    sys::instruction(instruction.code, registers, instruction.off, instruction.imm)
}
