//! The limiter: how exact it is, alone and under contention, and whom it hurts by mistake.

mod accuracy;
mod collisions;
mod contention;
mod node;
