//! `weir detach`.

use std::io::Write;
use std::path::Path;

use weir_agent::kernel;
use weir_api::local::Detached;

use crate::Outcome;
use crate::cli::DetachArgs;
use crate::client::Client;
use crate::out::Out;

/// Removes everything from the kernel. An agent that runs does it itself and stops: it holds what is to be removed.
pub fn detach(out: Out, socket: &Path, args: &DetachArgs) -> anyhow::Result<Outcome> {
    let client = Client::new(socket)?;
    let detached = if client.is_there() {
        client.post("/api/v1/detach", &())?
    } else {
        Detached { removed: kernel::detach(&args.pin_dir)? }
    };
    out.write(&detached, |w| {
        for what in &detached.removed {
            writeln!(w, "removed {what}")?;
        }
        if detached.removed.is_empty() {
            writeln!(w, "nothing was there")?;
        }
        Ok(())
    })?;
    Ok(Outcome::Fine)
}
