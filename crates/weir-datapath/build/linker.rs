//! Finds bpf-linker and the LLVM 22 library that it loads at run time.

use std::fmt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::compiler::{self, Compiler, LLVM_MAJOR};

/// A piece of the linking step that is not on this machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    Linker,
    Llvm,
}

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Linker => f.write_str("bpf-linker is not installed; run `cargo xtask setup`"),
            Missing::Llvm => write!(
                f,
                "no LLVM {LLVM_MAJOR} library for bpf-linker, neither in a rustup toolchain nor in the system; \
                 run `cargo xtask setup`"
            ),
        }
    }
}

/// The linker, in cargo's own directory or anywhere on the path.
pub fn find() -> Result<PathBuf, Missing> {
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(cargo_home().join("bin"))
        .chain(env::split_paths(&path))
        .map(|dir| dir.join("bpf-linker"))
        .find(|file| file.is_file())
        .ok_or(Missing::Linker)
}

/// Where cargo installs programs.
pub fn cargo_home() -> PathBuf {
    env::var_os("CARGO_HOME").map_or_else(|| compiler::home_dir().join(".cargo"), PathBuf::from)
}

/// An LLVM 22 library: the compiler's own first (the versions then agree to the last digit), then the system's, then
/// that of any other rustup toolchain.
pub fn find_llvm(compiler: &Compiler) -> Result<PathBuf, Missing> {
    let triple = format!("{}-linux-gnu", env::consts::ARCH);
    let mut dirs = vec![
        compiler.sysroot.join("lib"),
        compiler.sysroot.join("lib").join(&triple),
        Path::new("/usr/lib").join(&triple),
        PathBuf::from("/usr/lib64"),
        PathBuf::from(format!("/usr/lib/llvm-{LLVM_MAJOR}/lib")),
    ];
    let mut others = entries(&compiler::toolchains());
    others.sort();
    dirs.extend(others.into_iter().map(|toolchain| toolchain.join("lib")));
    dirs.iter().find_map(|dir| llvm_in(dir)).ok_or(Missing::Llvm)
}

fn llvm_in(dir: &Path) -> Option<PathBuf> {
    let mut found = entries(dir).into_iter().filter(|path| is_llvm(path)).collect::<Vec<_>>();
    // The order of a directory is anybody's guess; the same build should take the same library.
    found.sort();
    found.into_iter().next()
}

/// `libLLVM.so.22.1`, `libLLVM-22.so`, and rustup's `libLLVM-22-rust-1.95.0-stable.so`, `libLLVM.so.22.1-rust-…`.
/// rustup keeps one of its two as a linker script of a few bytes: too small to be the library.
fn is_llvm(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let version = name.strip_prefix("libLLVM.so.").or_else(|| name.strip_prefix("libLLVM-"));
    let major = version.map(|version| version.split(['.', '-']).next().unwrap_or_default());
    major == Some(&LLVM_MAJOR.to_string()) && fs::metadata(path).is_ok_and(|file| file.len() > 1 << 20)
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_llvm_is_taken() {
        let dir = env::temp_dir().join(format!("weir-llvm-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let put = |name: &str, size: u64| fs::File::create(dir.join(name)).unwrap().set_len(size).unwrap();
        put("libLLVM-14.so", 2 << 20);
        put("libLLVM-22-rust-1.95.0-stable.so", 42);
        put("libLLVM.so.2", 2 << 20);
        assert_eq!(llvm_in(&dir), None);
        put("libLLVM.so.22.1-rust-1.95.0-stable", 2 << 20);
        assert_eq!(llvm_in(&dir), Some(dir.join("libLLVM.so.22.1-rust-1.95.0-stable")));
        fs::remove_dir_all(&dir).unwrap();
    }
}
