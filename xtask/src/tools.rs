//! The programs that tests, lab and bench call, and the Debian packages that bring them.

use std::path::PathBuf;

use crate::sh;

/// One needed program or file.
pub struct Tool {
    /// Debian's package.
    pub package: &'static str,
    probe: Probe,
    /// What it is for, in a few words.
    pub purpose: &'static str,
}

enum Probe {
    Command(&'static str),
    /// A file below `/usr/lib/<triple>`.
    Library(&'static str),
}

/// Every tool, in the order in which the doctor shows them.
pub const TOOLS: [Tool; 9] = [
    Tool { package: "iproute2", probe: Probe::Command("ip"), purpose: "network namespaces and veth pairs" },
    Tool { package: "bpftool", probe: Probe::Command("bpftool"), purpose: "what tests compare before and after" },
    Tool { package: "ethtool", probe: Probe::Command("ethtool"), purpose: "offloads of the lab's links" },
    Tool { package: "libcap2-bin", probe: Probe::Command("capsh"), purpose: "running with three capabilities only" },
    Tool { package: "nginx-light", probe: Probe::Command("nginx"), purpose: "the lab's HTTP service" },
    Tool { package: "tshark", probe: Probe::Command("tshark"), purpose: "the parser's second opinion" },
    Tool { package: "nftables", probe: Probe::Command("nft"), purpose: "bench comparator" },
    Tool { package: "iptables", probe: Probe::Command("iptables"), purpose: "bench comparator" },
    Tool { package: "xdp-tools", probe: Probe::Library(XDP_OBJECT), purpose: "bench comparator, foreign XDP program" },
];

/// One of xdp-filter's objects; all of them come together.
pub const XDP_OBJECT: &str = "bpf/xdpfilt_dny_all.o";

impl Tool {
    /// Where it is, if it is there.
    pub fn find(&self) -> Option<PathBuf> {
        match self.probe {
            Probe::Command(name) => sh::which(name),
            Probe::Library(name) => library(name),
        }
    }
}

/// A file below the machine's library directory.
pub fn library(name: &str) -> Option<PathBuf> {
    let dir = PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    Some(dir.join(name)).filter(|path| path.is_file())
}

/// The packages whose tools are missing.
pub fn missing() -> Vec<&'static str> {
    TOOLS.iter().filter(|tool| tool.find().is_none()).map(|tool| tool.package).collect()
}
