//! The lab's traffic source and the programs that stand beside it (feature `traffic`; nothing here is shipped).
//!
//! A flood is made in the kernel: user space describes a frame and which of its fields are random, the program `generate`
//! fills one such frame a packet and sends it out of a veth by live frames (`BPF_F_TEST_XDP_LIVE_FRAMES`). That reaches
//! millions of packets a second on one core without a packet generator to install.
//!
//! What keeps it harmless:
//! - it sends only out of an interface whose name starts with [`LAB_PREFIX`], in a network namespace that is named so, too
//!   ([`LabInterface`]);
//! - every flood is bounded by packets and by time ([`Flood`]), and ends when its `stop` flag is raised;
//! - frames leave by a system call of this process: when the process is gone, so is the flood.

mod comparator;
mod flood;
mod frame;
mod generator;
mod guard;
mod internet;
mod object;
mod own;
mod path;
mod xdp_filter;

/// The layouts shared with the kernel programs, from their own source: see there for why by path.
#[path = "../../../ebpf/weir-lab-ebpf/src/abi.rs"]
#[allow(missing_docs, dead_code, reason = "one file for two crates: each uses its half")]
mod abi;

pub use comparator::{Bare, SeedLike, SeedSettings, Tally};
pub use flood::{Flood, Sent, Stream};
pub use frame::{Frame, FrameError, Payload, Ports, Protocol, Source};
pub use generator::{Generator, Prepared};
pub use guard::{LAB_PREFIX, LabInterface};
pub use path::{Attached, Forwarder, StandIn, Stub};
pub use xdp_filter::{Variant, XdpFilter};

/// Why the traffic source refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The interface is not the lab's.
    #[error("refusing to use {name}: {why}; the lab's traffic stays on interfaces that the lab itself made")]
    Foreign {
        /// The interface.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The frame cannot be built.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A flood without an end.
    #[error("a flood needs an end: {0}")]
    Unbounded(&'static str),
    /// The build left the kernel object out.
    #[error("this build carries no traffic generator (built with WEIR_EBPF_SKIP=1); build again without it")]
    NoObject,
    /// A program or map is missing from the object.
    #[error("the kernel object has no {0}; the build is inconsistent, clean it and build again")]
    Missing(&'static str),
    /// The kernel refused the object.
    #[error("cannot load the lab's kernel object (root or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed)")]
    Load(#[from] aya::EbpfError),
    /// The kernel refused a program, an attachment or a run.
    #[error("the lab's kernel program {what} failed")]
    Program {
        /// Which one.
        what: &'static str,
        /// The kernel's answer.
        #[source]
        source: aya::programs::ProgramError,
    },
    /// A map could not be read or written.
    #[error("cannot use a map of the lab's kernel object")]
    Map(#[from] aya::maps::MapError),
    /// The system refused something else.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}
