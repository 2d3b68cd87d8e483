//! An array map in this process's memory: read and written without system calls.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use crate::plain::Plain;

/// A `BPF_F_MMAPABLE` array of `T`, mapped shared.
pub struct Mapped<T> {
    start: NonNull<u8>,
    bytes: usize,
    len: usize,
    stride: usize,
    marker: PhantomData<T>,
}

// SAFETY: the memory is shared with the kernel anyway; all access is by volatile or atomic operations on aligned words.
unsafe impl<T> Send for Mapped<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Mapped<T> {}

impl<T: Plain> Mapped<T> {
    /// Maps `len` elements.
    pub fn new(map: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        // The kernel rounds an element's size up to eight bytes (array_map_alloc in kernel/bpf/arraymap.c).
        let stride = size_of::<T>().next_multiple_of(8);
        let bytes = (stride * len).next_multiple_of(page_size());
        // SAFETY: a fresh mapping at an address of the kernel's choice; the length is that of the map rounded up to pages, as
        // array_map_mmap wants it.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let Some(start) = NonNull::new(start.cast::<u8>()) else {
            return Err(io::Error::other("mmap gave a null address"));
        };
        Ok(Self { start, bytes, len, stride, marker: PhantomData })
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn at(&self, i: usize) -> *mut T {
        assert!(i < self.len, "element {i} of an array of {}", self.len);
        // SAFETY: within the mapping, as just checked.
        unsafe { self.start.as_ptr().add(i * self.stride).cast::<T>() }
    }

    /// Reads an element.
    pub fn get(&self, i: usize) -> T {
        // SAFETY: a valid, aligned element; every bit pattern is a value (`Plain`). The kernel may write meanwhile, word by word.
        unsafe { std::ptr::read_volatile(self.at(i)) }
    }

    /// Writes an element that is at most one word, in one store.
    pub fn set(&self, i: usize, value: T) {
        // SAFETY: as in `get`.
        unsafe { std::ptr::write_volatile(self.at(i), value) }
    }

    /// The element in place, for field-wise writes.
    pub fn ptr(&self, i: usize) -> *mut T {
        self.at(i)
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, once.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.bytes);
        }
    }
}

fn page_size() -> usize {
    // SAFETY: no arguments that could be wrong.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}
