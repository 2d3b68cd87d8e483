//! Detection of attacks and synthesis of filters, as a function of what was seen: no IO, no async, no clock, no randomness but a
//! seed that is given.
#![forbid(unsafe_code)]

pub mod baseline;
pub mod bits;
pub mod bound;
pub mod detector;
pub mod engine;
pub mod even;
pub mod fusion;
pub mod incident;
pub mod lay;
pub mod record;
pub mod regulars;
pub mod reservoir;
pub mod shape;
pub mod signature;
pub mod slow;
pub mod sources;
pub mod vector;
pub mod watch;
