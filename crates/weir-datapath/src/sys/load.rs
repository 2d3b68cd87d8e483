//! Loading a program that we wrote by hand, with its types, and the frozen map it reads.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{Command, bpf, bpf_fd};

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
}

fn short_name(name: &str) -> [u8; 16] {
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
    #[repr(C)]
    struct Load {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buf: u64,
        kern_version: u32,
        prog_flags: u32,
        prog_name: [u8; 16],
        prog_ifindex: u32,
        expected_attach_type: u32,
        prog_btf_fd: u32,
        func_info_rec_size: u32,
        func_info: u64,
        func_info_cnt: u32,
        line_info_rec_size: u32,
    }
    const BPF_PROG_TYPE_XDP: u32 = 6;
    const BPF_XDP: u32 = 37;
    let mut attr = Load {
        prog_type: BPF_PROG_TYPE_XDP,
        insn_cnt: code.instructions.len() as u32,
        insns: code.instructions.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: code.flags,
        prog_name: short_name(code.name),
        prog_ifindex: 0,
        expected_attach_type: BPF_XDP,
        prog_btf_fd: btf.as_raw_fd() as u32,
        func_info_rec_size: size_of::<[u32; 2]>() as u32,
        func_info: code.functions.as_ptr() as u64,
        func_info_cnt: code.functions.len() as u32,
        line_info_rec_size: 0,
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
    #[repr(C)]
    struct Update {
        map_fd: u32,
        pad: u32,
        key: u64,
        value: u64,
        flags: u64,
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
    bpf(Command::MapUpdateElem, &mut Update { map_fd: fd, pad: 0, key, value, flags: 0 })?;
    bpf(Command::MapFreeze, &mut fd)?;
    Ok(map)
}

/// The one value of such a map, found by its number: only with `CAP_SYS_ADMIN`.
pub fn constant_of(map: u32) -> io::Result<Vec<u8>> {
    #[repr(C)]
    struct Lookup {
        map_fd: u32,
        pad: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let map = by_id(Command::MapGetFdById, map)?;
    let info = super::map_info(map.as_fd())?;
    if info.key != 4 || info.entries != 1 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // The kernel writes whole words.
    let (key, mut value) = (0u32, vec![0u8; (info.value as usize).next_multiple_of(8)]);
    let mut attr = Lookup {
        map_fd: map.as_raw_fd() as u32,
        pad: 0,
        key: std::ptr::from_ref(&key) as u64,
        value: value.as_mut_ptr() as u64,
        flags: 0,
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
