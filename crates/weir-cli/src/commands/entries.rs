//! `weir block`, `weir unblock`, `weir allow`.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use weir_api::local::{Applied, NewEntry};

use crate::Outcome;
use crate::cli::{AllowArgs, BlockArgs, Lasting, UnblockArgs};
use crate::client::Client;
use crate::out::{Out, note, units};

/// Blocks a prefix.
pub fn block(out: Out, socket: &Path, args: BlockArgs) -> anyhow::Result<Outcome> {
    let BlockArgs { cidr, duration, reason } = args;
    let applied: Applied = Client::new(socket)?.post("/api/v1/blocks", &new(cidr, duration, reason))?;
    show(out, &lasting("blocked", &applied), &applied)?;
    if !applied.enforced {
        note("this node observes: its packets are counted, not dropped; `weir run --mode enforce` drops them");
    }
    Ok(Outcome::Fine)
}

/// Removes a block.
pub fn unblock(out: Out, socket: &Path, args: &UnblockArgs) -> anyhow::Result<Outcome> {
    let applied: Applied = Client::new(socket)?.delete(&format!("/api/v1/blocks?cidr={}", args.cidr))?;
    show(out, "unblocked", &applied)?;
    Ok(Outcome::Fine)
}

/// Makes or removes an exception.
pub fn allow(out: Out, socket: &Path, args: AllowArgs) -> anyhow::Result<Outcome> {
    let AllowArgs { cidr, duration, reason, remove } = args;
    let client = Client::new(socket)?;
    if remove {
        let applied = client.delete(&format!("/api/v1/allows?cidr={cidr}"))?;
        show(out, "no longer allowed", &applied)?;
    } else {
        let applied: Applied = client.post("/api/v1/allows", &new(cidr, duration, reason))?;
        show(out, &lasting("allowed", &applied), &applied)?;
    }
    Ok(Outcome::Fine)
}

fn new(cidr: weir_api::spec::Cidr, duration: Lasting, reason: String) -> NewEntry {
    let duration = match duration {
        Lasting::For(period) => Some(period),
        Lasting::Never => None,
    };
    NewEntry { cidr, duration, reason }
}

fn show(out: Out, done: &str, applied: &Applied) -> anyhow::Result<()> {
    out.write(applied, |w| {
        writeln!(w, "{} {done} (in the kernel after {:.1} ms)", applied.entry.cidr, applied.effect_ms)
    })
}

/// `blocked, ends in 59m59s`.
fn lasting(done: &str, applied: &Applied) -> String {
    match applied.entry.expires {
        Some(_) => format!("{done}, ends {}", units::until(applied.entry.expires, SystemTime::now())),
        None => done.to_owned(),
    }
}
