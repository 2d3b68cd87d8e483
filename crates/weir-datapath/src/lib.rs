//! The only crate that knows aya: loads, attaches, pins and feeds the kernel program, reads its counters and samples.
//!
//! Everything unsafe in user space is here: maps shared with the kernel by mmap, and raw bpf(2) calls.

mod error;
mod mapped;
mod object;
mod plain;
mod sys;

#[cfg(feature = "traffic")]
pub mod traffic;

pub use error::DatapathError;
pub use object::{Object, Sizes};
