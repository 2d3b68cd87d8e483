//! The node daemon, and the engine of `weir run`: policy files in, kernel tables out, counters and samples to read.
//!
//! ```text
//!  policy directory ──watch──► load ──┐
//!  API: block, unblock, allow ────────┤
//!                                     ▼
//!                      engine (one thread) ──► Datapath (the kernel, or memory in tests)
//!                                     │
//!                                     ▼
//!                      view (swapped whole) ──► API, metrics
//! ```
//!
//! **What holds:** a file that is bad in any line changes nothing; the last good policy stays, over restarts too. Stopping
//! the agent leaves the kernel enforcing; only `detach` removes anything.
#![forbid(unsafe_code)]

pub mod api;
mod cases;
pub mod datapath;
pub mod decode;
pub mod engine;
pub mod entries;
pub mod explain;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
pub mod forensics;
pub mod host;
mod ids;
pub mod kernel;
pub mod log;
pub mod metrics;
pub mod notify;
pub mod policy;
pub mod run;
pub mod sampling;
pub mod status;
pub mod store;
pub mod tables;
pub mod traffic;
pub mod view;
