//! The subcommands, one file each.

pub mod baseline;
mod compiled;
pub mod counters;
pub mod detach;
pub mod entries;
pub mod eval;
pub mod explain;
mod incident_row;
pub mod incidents;
pub mod policy;
pub mod replay;
pub mod rules;
pub mod run;
pub mod shell;
pub mod status;
