//! Chooses the compiler for the kernel program: one that carries the sources of `core`.
//!
//! First the nightly of a stated day with the component `rust-src`, then whatever `nightly` is here, else the toolchain
//! `weir-bpf`, which `cargo xtask setup` links to Debian's `rustc-web`. The toolchains are looked up as directories: asking
//! rustup might install one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The nightly that `cargo xtask setup` installs: the newest ones use an LLVM that bpf-linker cannot read yet.
pub const PINNED: &str = "nightly-2026-05-20";
/// The toolchain that `cargo xtask setup` links where rustup cannot have that nightly.
pub const LINKED: &str = "weir-bpf";
/// bpf-linker reads the compiler's bitcode with LLVM 22; LLVM reads the bitcode of older versions, not of newer ones.
pub const LLVM_MAJOR: u32 = 22;
/// The floor of the workspace (`rust-version`).
const RUST_MINOR: u32 = 95;

/// A compiler that can build for BPF.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// The rustup toolchain's name.
    pub name: &'static str,
    pub sysroot: PathBuf,
    pub rustc: PathBuf,
    /// Its own cargo, where it is rustup's. Debian's `/usr/bin/cargo` may be of any age: not used.
    pub cargo: Option<PathBuf>,
}

/// Why a toolchain cannot build the kernel program.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    NotInstalled,
    NoRustc(PathBuf),
    Broken(PathBuf),
    TooOld(String),
    LlvmTooNew(u32),
    NoSources(PathBuf),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NotInstalled => f.write_str("is not installed"),
            Unfit::NoRustc(path) => write!(f, "has no compiler at {}", path.display()),
            Unfit::Broken(path) => write!(f, "has a compiler that does not run ({})", path.display()),
            Unfit::TooOld(release) => write!(f, "is too old ({release}, needed is 1.{RUST_MINOR})"),
            Unfit::LlvmTooNew(major) => write!(f, "uses LLVM {major}, newer than bpf-linker's {LLVM_MAJOR}"),
            Unfit::NoSources(path) => write!(f, "lacks the sources of `core` ({})", path.display()),
        }
    }
}

/// The first usable compiler, or why each candidate is not.
pub fn choose() -> Result<Compiler, Vec<(&'static str, Unfit)>> {
    let mut unfit = Vec::new();
    for name in [PINNED, "nightly", LINKED] {
        match examine(name) {
            Ok(compiler) => return Ok(compiler),
            Err(why) => unfit.push((name, why)),
        }
    }
    Err(unfit)
}

/// Examines one rustup toolchain by name.
pub fn examine(name: &'static str) -> Result<Compiler, Unfit> {
    examine_at(name, toolchain_dir(name).ok_or(Unfit::NotInstalled)?)
}

/// Examines what would be a toolchain of that name. The sources come last, so that [`Unfit::NoSources`] means that
/// nothing else is missing.
pub fn examine_at(name: &'static str, sysroot: PathBuf) -> Result<Compiler, Unfit> {
    let rustc = sysroot.join("bin/rustc");
    if !rustc.is_file() {
        return Err(Unfit::NoRustc(rustc));
    }
    let output = Command::new(&rustc).arg("-vV").output().ok().filter(|output| output.status.success());
    let about = output.and_then(|output| String::from_utf8(output.stdout).ok());
    check_version(&about.ok_or_else(|| Unfit::Broken(rustc.clone()))?)?;
    let sources = sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs");
    if !sources.is_file() {
        return Err(Unfit::NoSources(sources));
    }
    let cargo = Some(sysroot.join("bin/cargo")).filter(|path| name != LINKED && path.is_file());
    Ok(Compiler { name, sysroot, rustc, cargo })
}

/// Judges the text of `rustc -vV`.
fn check_version(about: &str) -> Result<(), Unfit> {
    let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
    let release = field("release:");
    let minor = release.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    if minor.is_none_or(|minor| minor < RUST_MINOR) {
        return Err(Unfit::TooOld(release));
    }
    let llvm = field("LLVM version:").split('.').next().and_then(|major| major.parse::<u32>().ok());
    match llvm {
        Some(major) if major > LLVM_MAJOR => Err(Unfit::LlvmTooNew(major)),
        _ => Ok(()),
    }
}

/// Where rustup keeps its toolchains.
pub fn toolchains() -> PathBuf {
    let home = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    home.unwrap_or_else(|| home_dir().join(".rustup")).join("toolchains")
}

/// The user's home; `/` for a user without one, where nothing will be found.
pub fn home_dir() -> PathBuf {
    env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// A linked toolchain stands under its bare name, a downloaded one with the host's triple behind it. A dated
/// nightly (`nightly-2026-01-01-…`) is not `nightly`.
fn toolchain_dir(name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(toolchains()).ok()?;
    let of_host = format!("{name}-{}-", env::consts::ARCH);
    let found = entries.flatten().map(|entry| entry.path()).find(|path| is_toolchain(path, name, &of_host))?;
    fs::canonicalize(found).ok()
}

fn is_toolchain(path: &Path, name: &str, of_host: &str) -> bool {
    path.file_name().and_then(|file| file.to_str()).is_some_and(|file| file == name || file.starts_with(of_host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(release: &str, llvm: &str) -> String {
        format!(
            "rustc {release}\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: {release}\nLLVM version: {llvm}\n"
        )
    }

    #[test]
    fn compilers_are_judged_by_both_versions() {
        assert_eq!(check_version(&about("1.96.0", "22.1.8")), Ok(()));
        assert_eq!(check_version(&about("1.97.0-nightly", "21.0")), Ok(()));
        assert_eq!(check_version(&about("1.85.0", "19.1.7")), Err(Unfit::TooOld("1.85.0".to_owned())));
        assert_eq!(check_version(&about("1.99.0-nightly", "23.1.0")), Err(Unfit::LlvmTooNew(23)));
        assert_eq!(check_version("no compiler at all"), Err(Unfit::TooOld("?".to_owned())));
    }

    #[test]
    fn a_dated_nightly_is_not_the_nightly() {
        let is_nightly = |file: &str| is_toolchain(Path::new(file), "nightly", "nightly-x86_64-");
        assert!(is_nightly("/t/nightly-x86_64-unknown-linux-gnu") && is_nightly("/t/nightly"));
        assert!(!is_nightly("/t/nightly-2026-01-01-x86_64-unknown-linux-gnu"));
        let of_host = format!("{PINNED}-x86_64-");
        assert!(is_toolchain(Path::new(&format!("/t/{PINNED}-x86_64-unknown-linux-gnu")), PINNED, &of_host));
    }

    #[test]
    fn a_directory_without_a_compiler_is_unfit() {
        assert_eq!(examine_at(LINKED, "/no".into()).unwrap_err(), Unfit::NoRustc("/no/bin/rustc".into()));
    }
}
