//! Compiles a package of the `ebpf/` workspace into a BPF object. Shared, by `#[path]`, between the build script of
//! `weir-datapath` and `cargo xtask`; it therefore needs nothing but `std`.

pub mod compiler;
pub mod linker;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::{env, fs};

use compiler::Compiler;

/// The package whose object Weir ships.
pub const SHIPPED: &str = "weir-ebpf";
/// The package with the lab's traffic generator and the bench's comparators; it never leaves the repository.
pub const LAB: &str = "weir-lab-ebpf";

/// Little-endian BPF: every host that Weir builds for (x86_64, aarch64) is little-endian.
pub const TARGET: &str = "bpfel-unknown-none";

/// Why a kernel object could not be made, and what to do about it.
#[derive(Debug)]
pub enum Error {
    Compiler(Vec<(&'static str, compiler::Unfit)>),
    Linker(linker::Missing),
    Arch(String),
    Io(PathBuf, io::Error),
    Cargo { package: String, toolchain: &'static str, status: ExitStatus },
    NoObject(PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Compiler(tried) => {
                f.write_str("no compiler for the kernel program:")?;
                for (name, why) in tried {
                    write!(f, " toolchain `{name}` {why};")?;
                }
                f.write_str(" run `cargo xtask setup`")
            }
            Error::Linker(missing) => write!(f, "{missing}"),
            Error::Arch(arch) => write!(f, "no kernel program for {arch}: Weir is built for x86_64 and aarch64"),
            Error::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Error::Cargo { package, toolchain, status } => write!(
                f,
                "building {package} with toolchain `{toolchain}` failed ({status}); the compiler's words stand above"
            ),
            Error::NoObject(path) => write!(f, "the build left no object at {}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// A chosen compiler and linker, ready to build packages of `ebpf/`.
pub struct Builder {
    workspace: PathBuf,
    target_dir: PathBuf,
    compiler: Compiler,
    linker: PathBuf,
    llvm_dir: PathBuf,
    arch: String,
}

impl Builder {
    /// Chooses compiler, linker and LLVM. `root` is the repository, `target_dir` a directory of the nested build's own.
    pub fn new(root: &Path, target_dir: &Path) -> Result<Builder, Error> {
        let compiler = compiler::choose().map_err(Error::Compiler)?;
        let linker = linker::find().map_err(Error::Linker)?;
        let llvm = linker::find_llvm(&compiler).map_err(Error::Linker)?;
        // A build script knows its target; xtask runs on the host that it builds for.
        let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_else(|_| env::consts::ARCH.to_owned());
        if !matches!(arch.as_str(), "x86_64" | "aarch64") {
            return Err(Error::Arch(arch));
        }
        let llvm_dir = isolate(&llvm, &target_dir.join("llvm"))?;
        Ok(Builder {
            workspace: root.join("ebpf"),
            target_dir: target_dir.to_owned(),
            compiler,
            linker,
            llvm_dir,
            arch,
        })
    }

    /// Builds one package and returns the path of its object.
    ///
    /// Packages are built one by one, so that the shipped object is the same whether or not the lab's is built beside
    /// it: a common build would unify the features of their dependencies.
    pub fn build(&self, package: &str) -> Result<PathBuf, Error> {
        let mut command = self.cargo();
        command.args(["build", "--release", "-Z", "build-std=core", "--target", TARGET, "--package", package]);
        let status = command.status().map_err(|error| Error::Io(self.cargo_path(), error))?;
        if !status.success() {
            return Err(Error::Cargo { package: package.to_owned(), toolchain: self.compiler.name, status });
        }
        let object = self.target_dir.join(TARGET).join("release").join(package);
        if object.is_file() { Ok(object) } else { Err(Error::NoObject(object)) }
    }

    /// A cargo command in `ebpf/` with compiler, flags and directories set; `-Z build-std=core --target` are the caller's.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(self.cargo_path());
        command.current_dir(&self.workspace);
        forget_outer_build(&mut command);
        let flags = [
            "--cfg".to_owned(),
            format!("bpf_target_arch=\"{}\"", self.arch),
            // The debug information is what BTF is made from; `--btf` keeps that and nothing else.
            "-Cdebuginfo=2".to_owned(),
            format!("-Clinker={}", self.linker.display()),
            "-Clink-arg=--btf".to_owned(),
            // v3: 32-bit arithmetic, jumps and atomics (kernel 5.12). Headers are not aligned; BPF on these hosts does not mind.
            "-Ctarget-cpu=v3".to_owned(),
            "-Ctarget-feature=+alu32,+allows-misaligned-mem-access".to_owned(),
        ];
        command
            .env("RUSTC", &self.compiler.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env("CARGO_TARGET_DIR", &self.target_dir)
            .env("LD_LIBRARY_PATH", &self.llvm_dir);
        command
    }

    /// The compiler's own cargo, whose idea of the standard library's sources matches; else the one that runs us.
    fn cargo_path(&self) -> PathBuf {
        self.compiler.cargo.clone().unwrap_or_else(|| env::var_os("CARGO").unwrap_or_else(|| "cargo".into()).into())
    }
}

/// Makes a directory that holds this one LLVM and nothing else. bpf-linker loads the first `libLLVM*` that it meets on
/// the loader's path, of whatever version: the system's library directory may well show it LLVM 14 first.
fn isolate(llvm: &Path, dir: &Path) -> Result<PathBuf, Error> {
    let link = dir.join("libLLVM.so");
    if fs::read_link(&link).is_ok_and(|target| target == llvm) {
        return Ok(dir.to_owned());
    }
    fs::create_dir_all(dir).map_err(|error| Error::Io(dir.to_owned(), error))?;
    // Two builds may do this at once: the link is made aside and renamed into place.
    let fresh = dir.join(format!(".{}", std::process::id()));
    let made = std::os::unix::fs::symlink(llvm, &fresh).and_then(|()| fs::rename(&fresh, &link));
    made.map_err(|error| Error::Io(link, error))?;
    Ok(dir.to_owned())
}

/// Takes away what the outer cargo, clippy or rustup set for the host build. What stays is where crates come from and
/// the jobserver, so that both builds together keep to the machine's cores.
fn forget_outer_build(command: &mut Command) {
    const KEPT: [&str; 2] = ["CARGO_HOME", "CARGO_MAKEFLAGS"];
    const KEPT_PREFIXES: [&str; 5] = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_TERM_"];
    let foreign = |name: &OsString| {
        let Some(name) = name.to_str() else { return false };
        let of_build = ["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CLIPPY_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        of_build && !KEPT.contains(&name) && !KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in env::vars_os().filter(|(name, _)| foreign(name)) {
        command.env_remove(name);
    }
}
