//! The objects people write and the types programs exchange with the agent.
//!
//! `spec` and `object` are the Kubernetes kinds of group `weir.dev/v1alpha1`; the same YAML drives `weir run -f DIR`
//! without a cluster. `yaml` reads them with exact positions. `local` is the agent's HTTP API.
#![forbid(unsafe_code)]

pub mod field;
pub mod local;
pub mod object;
pub mod problem;
pub mod spec;
pub mod to_policy;
pub mod yaml;

pub use object::{API_VERSION, Kind, Metadata, Object, Resource};
pub use problem::{Position, Problem, Severity};
