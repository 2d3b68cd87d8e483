//! The local HTTP API: everything on the unix socket; on loopback, if asked for, what only reads.

mod error;
mod read;
mod server;
mod write;

use std::sync::Arc;

use axum::Router;

use crate::engine::Handle;
use crate::view::View;

pub use server::{ListenError, Listener};

/// What the handlers work with.
#[derive(Clone)]
pub struct Api {
    /// What is so.
    pub view: Arc<View>,
    /// Who changes it.
    pub engine: Handle,
}

/// All routes, for the unix socket: its file mode says who may use them.
pub fn full(api: Api) -> Router {
    read::common().merge(read::private()).merge(write::routes()).fallback(error::not_found).with_state(api)
}

/// Routes for loopback, where any local user can connect: nothing changes anything, and no packet contents are shown.
pub fn read_only(api: Api) -> Router {
    read::common().fallback(error::not_found).layer(axum::middleware::from_fn(server::local_host_only)).with_state(api)
}
