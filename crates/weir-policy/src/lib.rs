//! The policy model, compiled into the tables of the packet path, and the differences between two such images.
//!
//! ```text
//! Policy ──compile──► TableImage ──┐
//!                                  ├─diff──► steps, each safe while packets flow
//!            what is in force now ─┘
//! ```
//!
//! ```
//! use weir_policy::model::{Endpoint, ListEntry, Policy, Target, Verdict};
//! use weir_policy::{compile, diff, CompileOptions, Prefix, TableImage};
//!
//! let mut policy = Policy::default();
//! let feed = policy.names.intern("feed: known bad");
//! let network = Prefix::from(std::net::IpAddr::from([198, 51, 100, 7]));
//! policy.lists.push(ListEntry::new(network, Verdict::Deny, feed));
//! let endpoint = Endpoint { addr: [192, 0, 2, 1].into(), port: 443, proto: 6 };
//! policy.targets.push(Target { endpoints: vec![endpoint], ..Target::new("default/shop") });
//!
//! let compiled = compile(&policy, &CompileOptions::new(250, 4_294_967_296), None)?;
//! let steps = diff(&TableImage::empty(), &compiled.image).steps;
//! assert!(!steps.is_empty());
//! # Ok::<(), weir_policy::compile::CompileErrors>(())
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
pub mod networks;
pub mod overlay;
pub mod patch;
pub mod prefix;
pub mod rules;

pub use compile::{CompileOptions, Compiled, compile};
pub use diff::{Diff, Step, diff};
pub use image::{ListImage, Names, TableImage};
pub use model::Policy;
pub use overlay::{Overlay, TargetRule, overlay};
pub use patch::{Patch, patch};
pub use prefix::Prefix;
