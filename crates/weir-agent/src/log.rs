//! Logs on stderr: for people on a terminal, JSON elsewhere. `WEIR_LOG` chooses the level, such as `debug` or `weir_agent=trace`.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// Sets up logging for the whole process; the second call does nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let _ = if stderr().is_terminal() {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        logs.with_ansi(colour).with_target(false).try_init()
    } else {
        logs.json().flatten_event(true).try_init()
    };
}
