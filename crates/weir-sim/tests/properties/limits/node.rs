//! A node with one target and nothing but limits, and checks of them without a packet around.

use weir_abi::Addr;
use weir_abi::limit::{Limit, Limits};
use weir_abi::policy::TargetPolicy;
use weir_core::judge::GO_ON;
use weir_core::limits::{self, check};
use weir_policy::TableImage;
use weir_policy::limits::{Cell, Rate, Unit, compile};
use weir_sim::env::{Cpu, SimEnv, Sizes};
use weir_wire::Bytes;

/// Ticks per second.
pub const HZ: u32 = 250;
/// The target's id.
const TARGET: u32 = 1;

/// Limits of packets, of sources or of the target.
pub fn packets(cell: Cell, rate: Rate) -> Limits {
    Limits { packets: limit(cell, Unit::Packets, rate), ..Limits::default() }
}

/// A compiled limit.
pub fn limit(cell: Cell, unit: Unit, rate: Rate) -> Limit {
    compile(&rate, cell, unit, HZ).unwrap_or_else(|e| panic!("{e}")).limit
}

/// A policy with limits of a source.
pub fn per_source(source: Limits) -> TargetPolicy {
    TargetPolicy { source, limit_key: 99, ..TargetPolicy::NONE }
}

/// Some lines and nobody known.
pub fn env(lines: u32, cpus: u32, seed: u64) -> SimEnv {
    let seed = [seed, !seed.rotate_left(32)];
    let sizes = Sizes {
        targets: 2,
        source_lines: lines,
        fragment_slots: 1,
        flow_lines: 1,
        proven_lines: 4,
        retry_slots: 16,
        cpus,
        seed,
    };
    SimEnv::new(TableImage::empty(), &sizes).unwrap()
}

/// What of a packet the limits count.
#[derive(Clone, Copy)]
pub struct Load {
    /// Frame length in bytes.
    pub bytes: u32,
    /// It asks for a new connection.
    pub syn: bool,
}

/// Whether a packet of a source conforms.
pub fn conforms(cpu: &Cpu, policy: &TargetPolicy, src: Addr, load: Load) -> bool {
    check(&Bytes::new(&[]), cpu, policy, TARGET, src, None, &limits::Load { bytes: load.bytes, syn: || load.syn })
        == GO_ON
}

/// A packet of 100 bytes that is no SYN.
pub const PACKET: Load = Load { bytes: 100, syn: false };
