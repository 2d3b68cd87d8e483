//! `test`: the test rings, from the host outwards, and one honest line at the end.
//!
//! A ring is chosen by the test file's name: `tests/kernel_*.rs` needs BPF, `tests/lab_*.rs` network namespaces,
//! `tests/vm_*.rs` another kernel than the running one; all else runs on any host. A test that cannot run says `SKIPPED: <test>: <reason>` on stderr; here these lines are
//! gathered, told again at the end, and forbidden by `WEIR_NO_SKIP=1`.

pub mod libtest;
mod rings;

use std::env;

use anyhow::Result;
use clap::ValueEnum;

use crate::project::Project;
use crate::setup;
use crate::sh::{say, tell};
use libtest::Tally;

/// A circle of tests, by what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ring {
    /// Any host, no rights
    Host,
    /// BPF in the running kernel
    Kernel,
    /// Another kernel, Debian's own, in a virtual machine
    Vm,
    /// Network namespaces, floods, real services
    Lab,
    /// A real cluster in the lab
    Kubernetes,
    /// The console in a browser
    Console,
}

impl Ring {
    const ALL: [Ring; 6] = [Ring::Host, Ring::Kernel, Ring::Vm, Ring::Lab, Ring::Kubernetes, Ring::Console];

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Ring::Host => "host",
            Ring::Kernel => "kernel",
            Ring::Vm => "vm",
            Ring::Lab => "lab",
            Ring::Kubernetes => "kubernetes",
            Ring::Console => "console",
        }
    }
}

/// Sets the machine up, runs one ring or all, and prints the sum; `false` when something failed, or was skipped where
/// that is forbidden.
pub fn run(project: &Project, only: Option<Ring>) -> Result<bool> {
    setup::run(project)?;
    let tally = run_rings(project, only)?;
    Ok(conclude(&tally))
}

/// Runs the rings; the machine is set up already.
pub fn run_rings(project: &Project, only: Option<Ring>) -> Result<Tally> {
    let mut tally = Tally::default();
    for ring in Ring::ALL.into_iter().filter(|ring| only.is_none_or(|only| only == *ring)) {
        tally.add(rings::run(project, ring)?);
    }
    Ok(tally)
}

/// Tells what was skipped, whether that is a failure, and, last, the sum.
pub fn conclude(tally: &Tally) -> bool {
    let forbidden = env::var_os("WEIR_NO_SKIP").is_some_and(|value| value == "1") && tally.skipped() > 0;
    for line in tally.skips() {
        tell(line);
    }
    if forbidden {
        say("a skipped test is a failure here (WEIR_NO_SKIP=1)");
    }
    for line in tally.failures() {
        say(line);
    }
    tell(tally);
    tally.failed() == 0 && !forbidden
}
