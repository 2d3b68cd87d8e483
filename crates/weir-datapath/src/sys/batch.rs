//! Elements of maps: single ones without a typed map around them, and many at once.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Command, bpf};
use crate::plain::Plain;

#[repr(C)]
#[derive(Default)]
pub(super) struct Element {
    pub map_fd: u32,
    pub pad: u32,
    pub key: u64,
    pub value: u64,
    pub flags: u64,
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

/// Puts a program into a table of programs.
pub fn map_set(map: BorrowedFd<'_>, at: u32, program: BorrowedFd<'_>) -> io::Result<()> {
    update(map, &at, &(program.as_raw_fd() as u32))
}

/// Sets one element.
fn update<K: Plain, V: Plain>(map: BorrowedFd<'_>, key: &K, value: &V) -> io::Result<()> {
    let mut attr = Element {
        map_fd: map.as_raw_fd() as u32,
        key: std::ptr::from_ref(key) as u64,
        value: std::ptr::from_ref(value) as u64,
        ..Element::default()
    };
    bpf(Command::MapUpdateElem, &mut attr).map(drop)
}

/// Removes one element; one that is not there is no error.
fn delete<K: Plain>(map: BorrowedFd<'_>, key: &K) -> io::Result<()> {
    let mut attr =
        Element { map_fd: map.as_raw_fd() as u32, key: std::ptr::from_ref(key) as u64, ..Element::default() };
    match bpf(Command::MapDeleteElem, &mut attr) {
        Err(e) if e.raw_os_error() != Some(libc::ENOENT) => Err(e),
        _ => Ok(()),
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
    match bpf(Command::MapLookupElem, &mut attr) {
        Ok(_) => Ok(Some(value)),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Entries per batch call: long enough to make the call cheap, short enough not to keep the CPU from packets.
const BATCH: usize = 4096;

/// How often memory is waited for before giving up.
const PATIENCE: u32 = 100;

/// Sets many elements, in their order. Kernels before 5.6, and maps without the operation, get them one by one.
pub fn update_all<K: Plain, V: Plain>(map: BorrowedFd<'_>, keys: &[K], values: &[V]) -> io::Result<()> {
    let total = keys.len().min(values.len());
    let (mut done, mut waited) = (0, 0);
    while done < total {
        let (keys, values) = (&keys[done..total], &values[done..total]);
        let mut attr = Batch {
            keys: keys.as_ptr() as u64,
            values: values.as_ptr() as u64,
            count: keys.len().min(BATCH) as u32,
            map_fd: map.as_raw_fd() as u32,
            ..Batch::default()
        };
        match bpf(Command::MapUpdateBatch, &mut attr) {
            Ok(_) => (done, waited) = (done + keys.len().min(BATCH), 0),
            Err(e) if unsupported(&e) => {
                let piece = keys.len().min(BATCH);
                keys.iter().zip(values).take(piece).try_for_each(|(k, v)| update(map, k, v))?;
                done += piece;
            }
            // Elements of such maps come from a reserve that the kernel refills behind our back (kernel/bpf/memalloc.c). Where
            // we were faster, it has counted what it did, and there is more in a moment.
            Err(e) if e.raw_os_error() == Some(libc::ENOMEM) && waited < PATIENCE => {
                done += (attr.count as usize).min(keys.len());
                waited += 1;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Removes many elements, in their order; those that are not there are no error.
pub fn delete_all<K: Plain>(map: BorrowedFd<'_>, keys: &[K]) -> io::Result<()> {
    for keys in keys.chunks(BATCH) {
        let mut attr = Batch {
            keys: keys.as_ptr() as u64,
            count: keys.len() as u32,
            map_fd: map.as_raw_fd() as u32,
            ..Batch::default()
        };
        match bpf(Command::MapDeleteBatch, &mut attr) {
            Ok(_) => {}
            // A missing key ends a batch early, so the rest is done singly.
            Err(e) if unsupported(&e) || e.raw_os_error() == Some(libc::ENOENT) => {
                keys.iter().try_for_each(|k| delete(map, k))?;
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
        let end = match bpf(Command::MapLookupBatch, &mut attr) {
            Ok(_) => false,
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
