//! Loads the kernel object: sizes of the machine, pins adopted where they fit.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use aya::maps::{Map, MapData, RingBuf};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};
use weir_abi::counters::COUNTER_SLOTS;
use weir_abi::rules::SLOTS;
use weir_abi::{maps, FEATURE_SLOTS};

use crate::error::{DatapathError, Result};

/// The compiled kernel object. Aligned, because it is read as ELF.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("WEIR_EBPF_OBJECT"));

/// Name of the XDP program.
pub const XDP: &str = "weir_xdp";
/// Name of the tcx program.
pub const TCX: &str = "weir_tcx";

/// Name of the clock program.
pub const CLOCK: &str = "weir_clock";

/// Sizes that are chosen when the maps are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Targets, the node's own number 0 included.
    pub targets: u32,
    /// Source lines, a power of two.
    pub source_lines: u32,
    /// Fragment slots, a power of two.
    pub fragment_slots: u32,
    /// Partly listed /24s that fit.
    pub parts: u32,
    /// Exact prefixes that fit.
    pub prefixes: u32,
    /// Possible CPUs.
    pub cpus: u32,
}

impl Sizes {
    /// Defaults for this machine.
    pub fn for_machine() -> Self {
        Self {
            targets: maps::DEFAULT_TARGETS,
            source_lines: maps::DEFAULT_SOURCE_LINES,
            fragment_slots: maps::DEFAULT_FRAGMENT_SLOTS,
            parts: 1 << 20,
            prefixes: 1 << 21,
            cpus: aya::util::nr_cpus().map_or(1, |n| n as u32).max(1),
        }
    }
}

/// The loaded object.
pub struct Object {
    ebpf: Ebpf,
}

impl Object {
    /// Loads the maps and both programs. With a directory, maps pinned there are adopted and new ones pinned.
    pub fn load(sizes: &Sizes, pins: Option<&Path>) -> Result<Self> {
        if OBJECT.is_empty() {
            return Err(DatapathError::NoObject);
        }
        let mut loader = EbpfLoader::new();
        loader
            .map_max_entries(maps::POLICIES, 2 * sizes.targets)
            .map_max_entries(maps::TARGET_CELLS, sizes.targets)
            .map_max_entries(maps::SOURCES, sizes.source_lines)
            .map_max_entries(maps::SOURCE_PREFIXES, sizes.source_lines)
            .map_max_entries(maps::FRAGMENTS, sizes.fragment_slots)
            .map_max_entries(maps::PARTS4, sizes.parts)
            .map_max_entries(maps::PREFIXES, sizes.prefixes)
            .map_max_entries(maps::COUNTERS, sizes.cpus * sizes.targets * COUNTER_SLOTS as u32)
            .map_max_entries(maps::FEATURES, sizes.cpus * sizes.targets * FEATURE_SLOTS as u32)
            .map_max_entries(maps::RULE_COUNTERS, sizes.cpus * SLOTS as u32);
        if let Some(dir) = pins {
            for name in maps::PINNED {
                loader.map_pin_path(name, dir.join(name));
            }
        }
        let ebpf = loader.load(OBJECT).map_err(|e| DatapathError::Load { source: Box::new(e) })?;
        let mut object = Self { ebpf };
        object.xdp()?.load().map_err(|e| DatapathError::Program { name: XDP, source: Box::new(e) })?;
        object.tcx()?.load().map_err(|e| DatapathError::Program { name: TCX, source: Box::new(e) })?;
        let clock = object.clock()?;
        clock.load().map_err(|e| DatapathError::Program { name: CLOCK, source: Box::new(e) })?;
        Ok(object)
    }

    /// The program that tells the kernel's tick; it is only ever run by hand.
    pub(crate) fn clock(&mut self) -> Result<&mut Xdp> {
        let program = self.ebpf.program_mut(CLOCK).ok_or_else(|| DatapathError::Missing(CLOCK.into()))?;
        program.try_into().map_err(|e| DatapathError::Program { name: CLOCK, source: Box::new(e) })
    }

    /// The XDP program.
    pub fn xdp(&mut self) -> Result<&mut Xdp> {
        let program = self.ebpf.program_mut(XDP).ok_or_else(|| DatapathError::Missing(XDP.into()))?;
        program.try_into().map_err(|e| DatapathError::Program { name: XDP, source: Box::new(e) })
    }

    /// The tcx program.
    pub fn tcx(&mut self) -> Result<&mut SchedClassifier> {
        let program = self.ebpf.program_mut(TCX).ok_or_else(|| DatapathError::Missing(TCX.into()))?;
        program.try_into().map_err(|e| DatapathError::Program { name: TCX, source: Box::new(e) })
    }

    /// A map's file descriptor.
    pub fn map(&self, name: &str) -> Result<BorrowedFd<'_>> {
        let map = self.ebpf.map(name).ok_or_else(|| DatapathError::Missing(format!("map {name}")))?;
        Ok(data(map)?.fd().as_fd())
    }

    /// The ring buffer of samples; it can be taken once.
    pub fn take_samples(&mut self) -> Result<RingBuf<MapData>> {
        let map = self.ebpf.take_map(maps::SAMPLES).ok_or_else(|| DatapathError::Missing("ring of samples".into()))?;
        RingBuf::try_from(map).map_err(|e| DatapathError::Missing(format!("ring of samples ({e})")))
    }
}

fn data(map: &Map) -> Result<&MapData> {
    match map {
        Map::Array(d) | Map::HashMap(d) | Map::PerCpuArray(d) | Map::RingBuf(d) => Ok(d),
        _ => Err(DatapathError::Missing("map of a known type".into())),
    }
}
