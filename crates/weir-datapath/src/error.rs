//! What can go wrong between user space and the kernel, each with its likely cure.

use std::io;
use std::path::PathBuf;

/// Why the datapath could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatapathError {
    /// Built without the kernel object.
    #[error("this binary carries no kernel program (it was built with WEIR_EBPF_SKIP=1); build it again without that")]
    NoObject,
    /// aya refused the object, or the kernel refused the program.
    #[error(
        "cannot load the kernel program: {source}; CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON and a kernel of at least 5.18 are needed"
    )]
    Load {
        /// The verifier's or the system call's words.
        #[source]
        source: Box<aya::EbpfError>,
    },
    /// The verifier refused a program.
    #[error("the kernel refuses program {name}: {source}")]
    Program {
        /// Name of the program.
        name: &'static str,
        /// Its words.
        #[source]
        source: Box<aya::programs::ProgramError>,
    },
    /// The process may not do what the packet path needs.
    #[error(
        "the packet path needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; this process lacks {0}. Run it as root, or grant \
         them (container: securityContext.capabilities.add; systemd: AmbientCapabilities)"
    )]
    Privileges(String),
    /// An object without an expected part.
    #[error("the kernel object has no {0}; agent and object do not belong together, build both again")]
    Missing(String),
    /// A system call failed.
    #[error("{what} failed: {source}")]
    Sys {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// A file or directory could not be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No such interface.
    #[error("there is no interface {0} in this network namespace; `ip link` lists them")]
    NoInterface(String),
    /// Attaching is impossible or refused.
    #[error("cannot attach to {interface}: {why}")]
    Attach {
        /// The interface.
        interface: String,
        /// Why, with what to do.
        why: String,
    },
    /// The directory for pins is not on a bpf filesystem.
    #[error(
        "{0} is not on a bpf filesystem; mount one with `mount -t bpf bpf /sys/fs/bpf` or choose another --pin-dir"
    )]
    NotBpffs(PathBuf),
    /// A table is full.
    #[error("table {map} cannot hold {entries} entries (its size is {capacity})")]
    TooMany {
        /// Map.
        map: &'static str,
        /// Asked for.
        entries: usize,
        /// There is room for.
        capacity: u32,
    },
}

/// Shorthand of this crate.
pub type Result<T> = std::result::Result<T, DatapathError>;

/// A failed system call by name.
pub(crate) fn sys(what: impl Into<String>, source: io::Error) -> DatapathError {
    DatapathError::Sys { what: what.into(), source }
}
