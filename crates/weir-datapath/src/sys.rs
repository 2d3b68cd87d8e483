//! The few bpf(2) calls that aya does not offer: batches, and single elements without a typed map around them.
//!
//! Layouts: `union bpf_attr` in the kernel's `include/uapi/linux/bpf.h`; only the fields used here are spelled out.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::plain::Plain;

const MAP_LOOKUP_ELEM: libc::c_long = 1;
const MAP_UPDATE_ELEM: libc::c_long = 2;
const MAP_DELETE_ELEM: libc::c_long = 3;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const MAP_LOOKUP_BATCH: libc::c_long = 24;
const LINK_DETACH: libc::c_long = 34;
const MAP_UPDATE_BATCH: libc::c_long = 26;
const MAP_DELETE_BATCH: libc::c_long = 27;

#[repr(C)]
#[derive(Default)]
struct Element {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<()> {
    // SAFETY: `attr` is a live, initialised structure of the size that is passed, laid out as the kernel wants it for this
    // command; the pointers in it are to live slices of the map's key and value sizes (the callers' types see to that).
    let ret = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sets one element.
pub fn update<K: Plain, V: Plain>(map: BorrowedFd<'_>, key: &K, value: &V) -> io::Result<()> {
    bpf(
        MAP_UPDATE_ELEM,
        &mut Element {
            map_fd: map.as_raw_fd() as u32,
            key: std::ptr::from_ref(key) as u64,
            value: std::ptr::from_ref(value) as u64,
            ..Element::default()
        },
    )
}

/// Removes one element; whether it was there.
pub fn delete<K: Plain>(map: BorrowedFd<'_>, key: &K) -> io::Result<bool> {
    let mut attr =
        Element { map_fd: map.as_raw_fd() as u32, key: std::ptr::from_ref(key) as u64, ..Element::default() };
    match bpf(MAP_DELETE_ELEM, &mut attr) {
        Ok(()) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Reads one element.
pub fn lookup<K: Plain, V: Plain + Default>(map: BorrowedFd<'_>, key: &K) -> io::Result<Option<V>> {
    let mut value = V::default();
    let mut attr = Element {
        map_fd: map.as_raw_fd() as u32,
        key: std::ptr::from_ref(key) as u64,
        value: std::ptr::from_mut(&mut value) as u64,
        ..Element::default()
    };
    match bpf(MAP_LOOKUP_ELEM, &mut attr) {
        Ok(()) => Ok(Some(value)),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Entries per batch call: long enough to make the call cheap, short enough not to keep the CPU from packets.
const BATCH: usize = 4096;

/// Sets many elements. Kernels before 5.6, and maps without the operation, get them one by one.
pub fn update_all<K: Plain, V: Plain>(map: BorrowedFd<'_>, keys: &[K], values: &[V]) -> io::Result<()> {
    for (keys, values) in keys.chunks(BATCH).zip(values.chunks(BATCH)) {
        let mut attr = Batch {
            keys: keys.as_ptr() as u64,
            values: values.as_ptr() as u64,
            count: keys.len().min(values.len()) as u32,
            map_fd: map.as_raw_fd() as u32,
            ..Batch::default()
        };
        match bpf(MAP_UPDATE_BATCH, &mut attr) {
            Ok(()) => {}
            Err(e) if unsupported(&e) => {
                for (k, v) in keys.iter().zip(values) {
                    update(map, k, v)?;
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Removes many elements; those that are not there are no error.
pub fn delete_all<K: Plain>(map: BorrowedFd<'_>, keys: &[K]) -> io::Result<()> {
    for keys in keys.chunks(BATCH) {
        let mut attr = Batch {
            keys: keys.as_ptr() as u64,
            count: keys.len() as u32,
            map_fd: map.as_raw_fd() as u32,
            ..Batch::default()
        };
        match bpf(MAP_DELETE_BATCH, &mut attr) {
            Ok(()) => {}
            // A missing key ends a batch early, so the rest is done singly.
            Err(e) if unsupported(&e) || e.raw_os_error() == Some(libc::ENOENT) => {
                for k in keys {
                    delete(map, k)?;
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// ENOTSUPP (524) is what the kernel says of a map type without the operation; it has no name in user space.
fn unsupported(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP | 524))
}

/// Reads all entries of a hash. Entries that come or go meanwhile may be missed or seen: the caller is the only writer.
pub fn read_all<K: Plain + Default + Copy, V: Plain + Default + Copy>(map: BorrowedFd<'_>) -> io::Result<Vec<(K, V)>> {
    let mut out = Vec::new();
    let mut token = [0u64; 4];
    let mut first = true;
    // A bucket that does not fit ends a batch with ENOSPC; twice the room is enough to go on.
    let mut room = BATCH;
    loop {
        let mut keys = vec![K::default(); room];
        let mut values = vec![V::default(); room];
        let before = token;
        let mut attr = Batch {
            in_batch: if first { 0 } else { before.as_ptr() as u64 },
            out_batch: token.as_mut_ptr() as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: room as u32,
            map_fd: map.as_raw_fd() as u32,
            ..Batch::default()
        };
        let result = bpf(MAP_LOOKUP_BATCH, &mut attr);
        let end = match result {
            Ok(()) => false,
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => true,
            Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => {
                room *= 2;
                token = before;
                continue;
            }
            Err(e) => return Err(e),
        };
        out.extend(keys.into_iter().zip(values).take(attr.count as usize));
        first = false;
        if end {
            return Ok(out);
        }
    }
}

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
    /// Interface index; 0 when the interface is gone.
    pub ifindex: u32,
    rest: [u32; 27],
}

/// What a link is attached to.
pub fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    #[repr(C)]
    struct Info {
        fd: u32,
        length: u32,
        info: u64,
    }
    let mut info = LinkInfo::default();
    let mut attr = Info {
        fd: link.as_raw_fd() as u32,
        length: size_of::<LinkInfo>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(info)
}

/// Detaches a link for good, whoever else holds it.
pub fn link_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut fd = link.as_raw_fd() as u32;
    bpf(LINK_DETACH, &mut fd)
}

/// Opens a pinned object.
pub fn object_get(path: &std::path::Path) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    use std::os::unix::ffi::OsStrExt;
    #[repr(C)]
    #[derive(Default)]
    struct Get {
        pathname: u64,
        fd: u32,
        flags: u32,
        path_fd: i32,
        pad: u32,
    }
    const OBJ_GET: libc::c_long = 7;
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let attr = Get { pathname: name.as_ptr() as u64, ..Get::default() };
    // SAFETY: a live C string in an initialised structure; kernels that know fewer fields accept zeros behind.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, OBJ_GET, std::ptr::from_ref(&attr), size_of::<Get>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that nothing else owns.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd as i32) })
}
