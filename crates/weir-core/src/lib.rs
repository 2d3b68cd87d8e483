//! The packet decision, one source for the kernel, the simulator and the tests.
//!
//! [`process`] takes a frame that came and an [`Env`] and answers with a verdict; [`learn`] takes one that the host sends;
//! [`reply::reply`] builds the answer to a challenged SYN, [`reset::reset`] the reset that a dawdler's packet becomes. Plain packets take a short way to the same decision
//! ([`decide_plain`]), all others the general one ([`decide`]). The order of the decision is `judge`'s order of calls;
//! each step is a file. Nothing here allocates, panics, reads a clock or holds state: tables, time and counters are [`Env`]'s.
#![no_std]
#![forbid(unsafe_code)]

mod barred;
pub mod challenge;
pub mod connections;
pub mod dawdlers;
pub mod env;
pub mod features;
pub mod fragments;
pub mod hammers;
pub mod hash;
mod head;
pub mod hygiene;
pub mod limits;
pub mod lists;
pub mod marks;
pub mod matching;

pub mod judge;
mod process;
pub mod regulars;
pub mod reply;
pub mod reset;
mod sampling;
mod settle;
mod shares;
mod siphash;
pub mod targets;
mod turns;

pub use env::Env;
pub use judge::Decision;
pub use process::{Outcome, decide, decide_plain, finish, learn, process};
pub use settle::{settle, settles};
