//! Loading a program that we wrote by hand, with its types, and the frozen map it reads.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::batch::Element;
use super::{Command, bpf, bpf_fd};

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`; what lies behind `expected_attach_type` is needed with types only.
#[repr(C)]
#[derive(Default)]
pub(super) struct Load {
    pub prog_type: u32,
    pub insn_cnt: u32,
    pub insns: u64,
    pub license: u64,
    pub log_level: u32,
    pub log_size: u32,
    pub log_buf: u64,
    pub kern_version: u32,
    pub prog_flags: u32,
    pub prog_name: [u8; 16],
    pub prog_ifindex: u32,
    pub expected_attach_type: u32,
    pub prog_btf_fd: u32,
    pub func_info_rec_size: u32,
    pub func_info: u64,
    pub func_info_cnt: u32,
    pub line_info_rec_size: u32,
}

/// `struct bpf_insn`; `registers`: both, as they lie in one byte.
pub fn instruction(code: u8, registers: u8, offset: i16, immediate: i32) -> u64 {
    let [o0, o1] = offset.to_ne_bytes();
    let [i0, i1, i2, i3] = immediate.to_ne_bytes();
    u64::from_ne_bytes([code, registers, o0, o1, i0, i1, i2, i3])
}

/// `enum bpf_attach_type`.
pub const BPF_XDP: u32 = 37;

/// A program with its types.
pub struct Code<'a> {
    /// Name, at most 15 bytes.
    pub name: &'a str,
    /// Instructions, eight bytes each.
    pub instructions: &'a [u64],
    /// Where its functions begin, in instructions, and their BTF types.
    pub functions: &'a [[u32; 2]],
    /// `BPF_F_*` flags.
    pub flags: u32,
    /// What it expects to be attached as: [`BPF_XDP`], or 0.
    pub attach_type: u32,
}

pub(super) fn short_name(name: &str) -> [u8; 16] {
    let mut out = [0; 16];
    let length = name.len().min(15);
    out[..length].copy_from_slice(&name.as_bytes()[..length]);
    out
}

/// Loads BTF.
pub fn btf_load(types: &[u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        btf: u64,
        log: u64,
        size: u32,
        log_size: u32,
        log_level: u32,
        pad: u32,
    }
    let mut attr =
        Load { btf: types.as_ptr() as u64, log: 0, size: types.len() as u32, log_size: 0, log_level: 0, pad: 0 };
    bpf_fd(Command::BtfLoad, &mut attr)
}

/// Loads an XDP program under the GPL.
pub fn xdp_load(code: &Code<'_>, btf: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const BPF_PROG_TYPE_XDP: u32 = 6;
    let mut attr = Load {
        prog_type: BPF_PROG_TYPE_XDP,
        insn_cnt: code.instructions.len() as u32,
        insns: code.instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        prog_flags: code.flags,
        prog_name: short_name(code.name),
        expected_attach_type: code.attach_type,
        prog_btf_fd: btf.as_raw_fd() as u32,
        func_info_rec_size: size_of::<[u32; 2]>() as u32,
        func_info: code.functions.as_ptr() as u64,
        func_info_cnt: code.functions.len() as u32,
        ..Load::default()
    };
    bpf_fd(Command::ProgLoad, &mut attr)
}

/// A map of one value that nobody can change any more, neither programs nor user space (what compilers make of constants).
pub fn constant(name: &str, value: &[u8]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Create {
        map_type: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        map_flags: u32,
        inner_map_fd: u32,
        numa_node: u32,
        map_name: [u8; 16],
        map_ifindex: u32,
    }
    const BPF_MAP_TYPE_ARRAY: u32 = 2;
    const BPF_F_RDONLY_PROG: u32 = 1 << 7;
    let mut attr = Create {
        map_type: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: value.len() as u32,
        max_entries: 1,
        map_flags: BPF_F_RDONLY_PROG,
        inner_map_fd: 0,
        numa_node: 0,
        map_name: short_name(name),
        map_ifindex: 0,
    };
    let map = bpf_fd(Command::MapCreate, &mut attr)?;
    let (mut fd, key) = (map.as_raw_fd() as u32, 0u32);
    let (key, value) = (std::ptr::from_ref(&key) as u64, value.as_ptr() as u64);
    bpf(Command::MapUpdateElem, &mut Element { map_fd: fd, key, value, ..Element::default() })?;
    bpf(Command::MapFreeze, &mut fd)?;
    Ok(map)
}

/// The one value of such a map, found by its number: only with `CAP_SYS_ADMIN`.
pub fn constant_of(map: u32) -> io::Result<Vec<u8>> {
    let map = by_id(Command::MapGetFdById, map)?;
    let info = super::map_info(map.as_fd())?;
    if info.key != 4 || info.entries != 1 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // The kernel writes whole words.
    let (key, mut value) = (0u32, vec![0u8; (info.value as usize).next_multiple_of(8)]);
    let mut attr = Element {
        map_fd: map.as_raw_fd() as u32,
        key: std::ptr::from_ref(&key) as u64,
        value: value.as_mut_ptr() as u64,
        ..Element::default()
    };
    bpf(Command::MapLookupElem, &mut attr)?;
    value.truncate(info.value as usize);
    Ok(value)
}

/// Opens a program by its number: only with `CAP_SYS_ADMIN`.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    by_id(Command::ProgGetFdById, id)
}

fn by_id(command: Command, id: u32) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct ById {
        id: u32,
        next_id: u32,
        flags: u32,
    }
    bpf_fd(command, &mut ById { id, next_id: 0, flags: 0 })
}
