//! What tests send, and the policy they send it to: one piece, so that host and kernel tests see the same packets.

pub mod generate;
mod mutate;
pub mod packet;
pub mod rich;
pub mod rng;
