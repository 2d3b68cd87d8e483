//! The kernel objects: built exactly as the build script of `weir-datapath` builds them, into the same directory.

use std::env;

use anyhow::Result;

use crate::project::Project;
use crate::sh::{self, say};

#[path = "../../crates/weir-datapath/build/ebpf.rs"]
pub mod ebpf;

/// Builds the shipped object and the lab's, and says where they are.
pub fn build(project: &Project) -> Result<()> {
    let builder = builder(project)?;
    for package in [ebpf::SHIPPED, ebpf::LAB] {
        let object = builder.build(package)?;
        let size = std::fs::metadata(&object)?.len();
        say(format!("{package}: {} ({} KiB)", project.relative(&object), size.div_ceil(1024)));
    }
    Ok(())
}

/// Lets clippy read the kernel programs, where their compiler has one. What it says is advice: a nightly's lints change
/// from day to day, and Debian's compiler comes without.
pub fn clippy(project: &Project) -> Result<bool> {
    let Ok(compiler) = ebpf::compiler::choose() else { return Ok(true) };
    let bin = compiler.sysroot.join("bin");
    // Of a toolchain that has no cargo of its own, a clippy beside the compiler would be another's.
    if compiler.cargo.is_none() || !bin.join("cargo-clippy").is_file() {
        say(format!("left out: toolchain `{}` has no clippy", compiler.name));
        return Ok(true);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(std::iter::once(bin).chain(env::split_paths(&path)))?;
    let mut clippy = builder(project)?.cargo();
    clippy.args(["clippy", "--workspace", "--release", "-Z", "build-std=core", "--target", ebpf::TARGET]);
    sh::succeeds(clippy.env("PATH", path))
}

fn builder(project: &Project) -> Result<ebpf::Builder> {
    Ok(ebpf::Builder::new(&project.root, &project.target.join("ebpf"))?)
}
