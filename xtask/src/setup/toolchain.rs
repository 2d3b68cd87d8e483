//! The compiler for the kernel program: nightly with `rust-src` where rustup can have it, else Debian's packages.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};

use super::apt;
use crate::bpf::ebpf::compiler::{self, Compiler, LINKED, Unfit};
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
    let nightly = tried.iter().find(|(name, _)| *name == "nightly").map(|(_, why)| why);
    if let Some(args) = nightly.and_then(nightly_repair)
        && complete_nightly(args)?
    {
        match compiler::examine("nightly") {
            Ok(compiler) => return Ok(compiler),
            Err(why) => say(format!("kernel programs: toolchain `nightly` still {why}")),
        }
    }
    link_debian()
}

/// What rustup would have to do for a usable nightly; `None` where it could do nothing.
fn nightly_repair(why: &Unfit) -> Option<&'static [&'static str]> {
    match why {
        Unfit::NoSources(_) => Some(&["component", "add", "rust-src", "--toolchain", "nightly"]),
        Unfit::NotInstalled => {
            Some(&["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"])
        }
        Unfit::NoRustc(_) | Unfit::Broken(_) | Unfit::TooOld(_) | Unfit::LlvmTooNew(_) => None,
    }
}

fn complete_nightly(args: &[&str]) -> Result<bool> {
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
            "the compiler that Debian's rustc-web brought {why}; give rustup a nightly with rust-src, or link another \
             compiler that has its sources: `rustup toolchain link {LINKED} DIR`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustup_is_asked_only_for_what_it_can_mend() {
        let add = nightly_repair(&Unfit::NoSources("/x".into())).unwrap();
        assert_eq!(add.join(" "), "component add rust-src --toolchain nightly");
        assert!(nightly_repair(&Unfit::NotInstalled).unwrap().contains(&"rust-src"));
        assert_eq!(nightly_repair(&Unfit::LlvmTooNew(23)), None);
        assert_eq!(nightly_repair(&Unfit::Broken("/x".into())), None);
    }
}
