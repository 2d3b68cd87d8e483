//! `setup`: makes a fresh Debian machine able to build and test everything. Each step looks first and does nothing
//! where nothing is missing, so that other commands can begin with it.

pub mod apt;
mod toolchain;

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::bpf::ebpf::{compiler, linker};
use crate::project::Project;
use crate::sh::{self, say};
use crate::tools;

/// The linker's release that is known to work; the compiler's LLVM must not be newer than its own.
pub const LINKER_VERSION: &str = "0.10.3";

/// The file systems that tests and the agent expect, and where.
pub const MOUNTS: [(&str, &str); 2] = [("bpf", "/sys/fs/bpf"), ("tracefs", "/sys/kernel/tracing")];

/// Runs every step.
pub fn run(project: &Project) -> Result<()> {
    let missing = tools::missing();
    if !missing.is_empty() {
        say(format!("installing Debian packages: {}", missing.join(", ")));
        apt::install(&missing)?;
    }
    let compiler = toolchain::ensure_compiler()?;
    ensure_linker(project)?;
    let llvm = match linker::find_llvm(&compiler) {
        Ok(llvm) => llvm,
        Err(_) => {
            let package = format!("libllvm{}", compiler::LLVM_MAJOR);
            say(format!("installing Debian package {package}, which bpf-linker loads"));
            apt::install(&[&package])?;
            linker::find_llvm(&compiler)?
        }
    };
    for (kind, place) in MOUNTS {
        ensure_mounted(kind, Path::new(place))?;
    }
    say(format!(
        "ready: kernel programs by toolchain `{}`, bpf-linker {LINKER_VERSION} with {}",
        compiler.name,
        llvm.display()
    ));
    Ok(())
}

/// The version of the installed linker. It needs no LLVM to tell.
pub fn linker_version() -> Option<String> {
    let path = linker::find().ok()?;
    let text = sh::output(std::process::Command::new(path).arg("--version")).ok()?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

fn ensure_linker(project: &Project) -> Result<()> {
    let found = linker_version();
    if found.as_deref() == Some(LINKER_VERSION) {
        return Ok(());
    }
    match found {
        Some(other) => say(format!("replacing bpf-linker {other} by {LINKER_VERSION}: about two minutes")),
        None => say(format!("building bpf-linker {LINKER_VERSION}: about two minutes")),
    }
    let version = format!("={LINKER_VERSION}");
    let mut install = project.cargo();
    install.args(["install", "--locked", "bpf-linker", "--version", &version, "--root"]).arg(linker::cargo_home());
    // Away from here: this repository's configuration is not meant for it.
    install.current_dir("/").env_remove("CARGO_TARGET_DIR");
    sh::run(&mut install).context("cannot install bpf-linker; it needs crates.io and a C compiler")?;
    match linker_version() {
        Some(version) if version == LINKER_VERSION => Ok(()),
        Some(other) => bail!("another bpf-linker ({other}) stands in the way of the one just installed; remove it"),
        None => bail!("bpf-linker was installed but does not run"),
    }
}

fn ensure_mounted(kind: &str, place: &Path) -> Result<()> {
    if sh::mounted(place, kind) {
        return Ok(());
    }
    say(format!("mounting {kind} at {}", place.display()));
    sh::run(sh::as_root("mount").args(["-t", kind, kind]).arg(place))
        .with_context(|| format!("cannot mount {kind}; in a container this needs CAP_SYS_ADMIN"))
}
