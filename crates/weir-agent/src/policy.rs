//! The policy directory: reading it, keeping a copy of what was good, and noticing changes.

mod files;
mod last_good;
mod list;
mod watch;

pub use files::{Loaded, Texts, load};
pub use last_good::LastGood;
pub use watch::Watch;
