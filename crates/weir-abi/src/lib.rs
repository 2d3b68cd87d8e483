//! What the kernel program and user space share: map keys and values, reasons, counters, the configuration block.
//!
//! Everything here is plain data with a fixed layout: `repr(C)`, explicit padding, sizes asserted at compile time. A change
//! of any layout or of a map's meaning raises [`ABI_VERSION`]; a running agent refuses pins of another version.
#![no_std]
#![forbid(unsafe_code)]

pub mod addr;
pub mod cell;
pub mod challenge;
pub mod config;
pub mod counters;
pub mod flow;
pub mod fragment;
pub mod limit;
pub mod maps;
pub mod policy;
pub mod prefix;
pub mod reason;
pub mod regular;
pub mod rules;
pub mod sample;
pub mod target;

pub use addr::Addr;
pub use cell::{Cell32, Cell64};
pub use config::Config;
pub use counters::{Counter, FEATURE_SLOTS, Feature, REASON_SLOTS};
pub use flow::FlowLine;
pub use fragment::FragmentSlot;
pub use limit::{Limit, SourceExtra, SourceLine, TargetCells};
pub use policy::TargetPolicy;
pub use prefix::{Lengths6, Part4, PrefixEntry, PrefixKey};
pub use reason::{Class, Reason};
pub use rules::RuleTables;
pub use sample::{Sample, Verdict};
pub use target::TargetKey;

/// Version of every layout in this crate. Pinned maps of another version are not adopted.
pub const ABI_VERSION: u32 = 9;
