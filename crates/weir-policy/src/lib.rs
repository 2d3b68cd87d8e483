//! The policy model, compiled into the tables of the packet path, and the differences between two such images.
//!
//! ```text
//! Policy ──compile──► TableImage ──┐
//!                                  ├─diff──► steps, each safe while packets flow
//!            what is in force now ─┘
//! ```
//!
//! Everything here is a function of its arguments: no files, no sockets, no clock, no kernel. `weir-datapath` carries the
//! steps out, the simulator loads an image as it is. Nothing in a policy makes this crate panic; what cannot be expressed is
//! refused with the name of the object, the cause and the likely fix.
#![forbid(unsafe_code)]

pub mod compile;
pub mod diff;
pub mod explain;
pub mod image;
pub mod limits;
pub mod lists;
pub mod lookup;
pub mod model;
pub mod prefix;
pub mod rules;

pub use compile::{compile, CompileOptions, Compiled};
pub use diff::{diff, Diff, Step};
pub use image::{ListImage, Names, TableImage};
pub use model::Policy;
pub use prefix::Prefix;
