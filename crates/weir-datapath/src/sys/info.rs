//! What the kernel knows of a map, a program, a link.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::{Command, bpf};

/// Head of `struct bpf_link_info` and the interface of XDP and tcx links.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LinkInfo {
    /// `enum bpf_link_type`.
    pub kind: u32,
    /// Link id.
    pub id: u32,
    /// Program id.
    pub program: u32,
    pad: u32,
    /// Interface index; 0 when the interface is gone or the link was detached.
    pub ifindex: u32,
    rest: [u32; 27],
}

/// Head of `struct bpf_map_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MapInfo {
    kind: u32,
    id: u32,
    /// Bytes of a key.
    pub key: u32,
    /// Bytes of a value.
    pub value: u32,
    /// Elements that fit; of a ring buffer, its bytes.
    pub entries: u32,
    flags: u32,
    rest: [u64; 8],
}

/// Head of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: u64,
    code: [u64; 3],
    load_time: u64,
    created_by: u32,
    maps: u32,
    map_ids: u64,
    name: [u8; 16],
}

/// What the kernel knows of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// How many maps it uses, and the number of the first.
    pub maps: (u32, u32),
}

fn info<T: Default>(object: BorrowedFd<'_>) -> io::Result<T> {
    info_from(object, T::default())
}

/// The kernel also reads what it is to fill in, and how much room there is for it.
fn info_from<T>(object: BorrowedFd<'_>, mut info: T) -> io::Result<T> {
    #[repr(C)]
    struct Ask {
        fd: u32,
        length: u32,
        info: u64,
    }
    let mut attr = Ask {
        fd: object.as_raw_fd() as u32,
        length: size_of::<T>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(Command::ObjGetInfoByFd, &mut attr)?;
    Ok(info)
}

/// What a link is attached to.
pub fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    info(link)
}

/// A map's shape.
pub fn map_info(map: BorrowedFd<'_>) -> io::Result<MapInfo> {
    info(map)
}

/// A program's name, number and first map.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<Program> {
    let mut first = [0u32; 1];
    let ask = ProgramInfo { maps: 1, map_ids: first.as_mut_ptr() as u64, ..ProgramInfo::default() };
    let info = info_from(program, ask)?;
    let text = info.name.split(|b| *b == 0).next().unwrap_or_default();
    Ok(Program { id: info.id, name: String::from_utf8_lossy(text).into_owned(), maps: (info.maps, first[0]) })
}

/// The name of any program of the machine. Only with `CAP_SYS_ADMIN`, which the agent usually has not.
pub fn program_name(id: u32) -> io::Result<String> {
    program_info(super::program_by_id(id)?.as_fd()).map(|info| info.name)
}
