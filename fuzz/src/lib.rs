//! The bodies of the fuzz targets live with weir-wire's tests, which run them over the seeds on any toolchain.
#![forbid(unsafe_code)]

#[path = "../../crates/weir-wire/tests/common/invariants.rs"]
pub mod invariants;
#[path = "../../crates/weir-wire/tests/common/targets.rs"]
pub mod targets;
