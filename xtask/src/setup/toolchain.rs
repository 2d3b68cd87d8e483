//! The compiler for the kernel program: a nightly with `rust-src` where rustup can have it, else Debian's packages.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};

use super::apt;
use crate::bpf::ebpf::compiler::{self, Compiler, LINKED, PINNED};
use crate::sh::{self, say};

/// rustup gives up by itself where it is refused; this is for a line that swallows packets.
const RUSTUP_LIMIT: Duration = Duration::from_secs(300);

/// The compiler that a build will choose, made available where there is none yet.
pub fn ensure_compiler() -> Result<Compiler> {
    let tried = match compiler::choose() {
        Ok(compiler) => return Ok(compiler),
        Err(tried) => tried,
    };
    for (name, why) in &tried {
        say(format!("kernel programs: toolchain `{name}` {why}"));
    }
    if sh::which("rustup").is_none() {
        bail!("rustup is not on the path: install it (https://rustup.rs), Weir's toolchains are kept by it");
    }
    if install_pinned()? {
        match compiler::examine(PINNED) {
            Ok(compiler) => return Ok(compiler),
            Err(why) => say(format!("kernel programs: toolchain `{PINNED}` still {why}")),
        }
    }
    link_debian()
}

/// A toolchain of its own: the user's `nightly` stays as it is, and the compiler's LLVM is one that bpf-linker reads.
fn install_pinned() -> Result<bool> {
    let args = ["toolchain", "install", PINNED, "--profile", "minimal", "--component", "rust-src"];
    say(format!("trying `rustup {}`", args.join(" ")));
    let mut rustup = Command::new("rustup");
    rustup.args(args).env_remove("RUSTUP_TOOLCHAIN").stdin(Stdio::null());
    let done = sh::succeeds_within(&mut rustup, RUSTUP_LIMIT)?;
    if !done {
        say("rustup cannot have it here: taking Debian's compiler instead");
    }
    Ok(done)
}

fn link_debian() -> Result<Compiler> {
    let here = std::path::Path::new("/usr/bin/rustc").exists() && compiler::examine_at(LINKED, "/usr".into()).is_ok();
    if !here {
        say("installing Debian packages: rustc-web, rust-web-src (120 MB)");
        apt::install(&["rustc-web", "rust-web-src"])?;
    }
    say(format!("linking rustup's toolchain `{LINKED}` to /usr"));
    sh::output(Command::new("rustup").args(["toolchain", "link", LINKED, "/usr"]))?;
    match compiler::examine(LINKED) {
        Ok(compiler) => Ok(compiler),
        Err(why) => bail!(
            "the compiler that Debian's rustc-web brought {why}; add Debian's updates and security updates to the package \
             sources, or install `{PINNED}` with rust-src by rustup, or link another compiler that has its sources: \
             `rustup toolchain link {LINKED} DIR`"
        ),
    }
}
