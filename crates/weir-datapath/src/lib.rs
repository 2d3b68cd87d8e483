//! The only crate that knows aya: loads, attaches, pins and feeds the kernel program, reads its counters and samples.
//!
//! Everything unsafe in user space is here: maps shared with the kernel by mmap, and raw bpf(2) calls.

mod attach;
mod cells;
pub mod clock;
mod counters;
mod datapath;
mod error;
mod flows;
mod hurry;
mod map_use;
mod mapped;
mod netlink;
mod object;
mod pins;
mod plain;
mod privileges;
mod readback;
mod replies;
mod run;
mod samples;
mod sys;
mod tables;

#[cfg(feature = "traffic")]
pub mod traffic;

pub use attach::{Attachment, Hook, freplace_available};
pub use cells::Cells;
pub use counters::{Counted, Counters, LostSamples};
pub use datapath::{Datapath, OpenOptions, detach};
pub use error::DatapathError;
pub use flows::Flows;
pub use hurry::hurry;
pub use map_use::MapUse;
pub use mapped::Mapped;
pub use object::{Object, Sizes};
pub use plain::Plain;
pub use run::Run;
pub use samples::Samples;
pub use tables::{ApplyReport, Tables};
