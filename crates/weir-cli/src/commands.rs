//! The subcommands, one file each.

mod compiled;
mod incident_row;
pub mod counters;
pub mod detach;
pub mod entries;
pub mod eval;
pub mod explain;
pub mod policy;
pub mod replay;
pub mod run;
pub mod shell;
pub mod status;
