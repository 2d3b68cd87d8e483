//! Loads the kernel object: sizes of the machine, pins adopted where they fit.

mod callable;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use aya::maps::{Map, MapData, RingBuf};
use aya::programs::{Extension, ProgramError, SchedClassifier, Xdp, loaded_programs};
use aya::{Ebpf, EbpfLoader};
use weir_abi::flow::PENDING_PER_LINE;
use weir_abi::rules::SLOTS;
use weir_abi::{Config, maps};

use crate::error::{DatapathError, Result};
use crate::sys;

/// The compiled kernel object. Aligned, because it is read as ELF.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("WEIR_EBPF_OBJECT"));

/// Name of the XDP program.
pub const XDP: &str = "weir_xdp";
/// Name of the XDP program for a slot of libxdp's dispatcher.
pub const CHAINED: &str = "weir_chained";
/// Name of the tcx program.
pub const TCX: &str = "weir_tcx";
/// Names of the programs behind these two that settle what a challenge concerns.
pub const SETTLE_XDP: &str = "weir_settle_xdp";
/// See [`SETTLE_XDP`].
pub const SETTLE_TCX: &str = "weir_settle_tcx";
/// Names of the programs behind these that judge what is no plain packet.
pub const ANY_XDP: &str = "weir_any_xdp";
/// See [`ANY_XDP`].
pub const ANY_CHAINED: &str = "weir_any_chained";
/// See [`ANY_XDP`].
pub const ANY_TCX: &str = "weir_any_tcx";
/// Name of the program that sends back what XDP answers.
pub const RETURN: &str = "weir_return";
/// Name of the program that sees what the host sends.
pub const EGRESS: &str = "weir_egress";
/// Name of the clock program.
pub const CLOCK: &str = "weir_clock";

/// Sizes that are chosen when the maps are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Targets, the node's own number 0 included.
    pub targets: u32,
    /// Source lines, a power of two; at most [`maps::DEFAULT_SOURCE_LINES`].
    pub source_lines: u32,
    /// Fragment slots, a power of two.
    pub fragment_slots: u32,
    /// Lines of known flows, a power of two.
    pub flow_lines: u32,
    /// Lines of proven sources, and of regular ones, a power of two.
    pub proven_lines: u32,
    /// Challenged SYNs that are remembered, a power of two.
    pub retry_slots: u32,
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
            flow_lines: maps::DEFAULT_FLOW_LINES,
            proven_lines: maps::DEFAULT_PROVEN_LINES,
            retry_slots: maps::DEFAULT_RETRY_SLOTS,
            parts: 1 << 20,
            prefixes: 1 << 21,
            cpus: highest_cpu() + 1,
        }
    }

    /// What a map is made for; nothing for maps whose size is no choice.
    pub(crate) fn entries(&self, map: &str) -> Option<u32> {
        let per_cpu_and_target = self.cpus * self.targets;
        Some(match map {
            maps::POLICIES => 2 * self.targets,
            maps::TARGET_CELLS => self.targets,
            maps::SOURCE_PREFIXES | maps::SOURCE_EXTRAS | maps::PREFIX_EXTRAS => self.source_lines,
            maps::FRAGMENTS => self.fragment_slots,
            maps::FLOWS => self.flow_lines,
            maps::PENDING => self.flow_lines * PENDING_PER_LINE,
            maps::PROVEN | maps::REGULARS => self.proven_lines,
            maps::RETRIES => self.retry_slots,
            maps::PARTS4 => self.parts,
            maps::PREFIXES => self.prefixes,
            maps::COUNTERS | maps::FEATURES => per_cpu_and_target,
            maps::RULE_COUNTERS => self.cpus * SLOTS as u32,
            maps::SAMPLE_BUDGETS | maps::TARGET_CACHE | maps::PART_CACHE => self.cpus,
            _ => return None,
        })
    }

    /// Whether a configuration block says the same.
    pub(crate) fn agree(&self, config: &Config) -> bool {
        config.targets == self.targets
            && config.source_mask == self.source_lines - 1
            && config.fragment_mask == self.fragment_slots - 1
            && config.flow_mask == self.flow_lines - 1
            && config.proven_mask == self.proven_lines - 1
            && config.retry_mask == self.retry_slots - 1
            && config.cpus == self.cpus
            && config.zero == 0
    }
}

/// The loaded object.
pub struct Object {
    ebpf: Ebpf,
    /// What the program for a dispatcher's slot calls is in its tables.
    behind_chained: bool,
    /// The ring of samples, once it has been taken.
    samples: Option<OwnedFd>,
}

impl Object {
    /// Loads the maps and the programs. With a directory, maps pinned there are adopted and new ones pinned.
    pub fn load(sizes: &Sizes, pins: Option<&Path>) -> Result<Self> {
        if OBJECT.is_empty() {
            return Err(DatapathError::NoObject);
        }
        let mut loader = EbpfLoader::new();
        let sized = maps::PINNED.into_iter().chain(maps::CACHES);
        for (name, entries) in sized.filter_map(|name| Some((name, sizes.entries(name)?))) {
            loader.map_max_entries(name, entries);
        }
        if let Some(dir) = pins {
            for name in maps::PINNED {
                loader.map_pin_path(name, dir.join(name));
            }
        }
        let ebpf = loader.load(OBJECT).map_err(|e| DatapathError::Load { source: Box::new(e) })?;
        let mut object = Self { ebpf, behind_chained: false, samples: None };
        for name in [XDP, ANY_XDP, SETTLE_XDP] {
            let program = object.xdp_program(name)?;
            load(name, || program.load())?;
        }
        for name in [TCX, ANY_TCX, SETTLE_TCX, RETURN, EGRESS, CLOCK] {
            let program = object.classifier(name)?;
            load(name, || program.load())?;
        }
        object.put_behind()?;
        Ok(object)
    }

    /// Puts the programs that are reached by tail calls behind those that call them. What was there is of the same layouts.
    fn put_behind(&mut self) -> Result<()> {
        let program = |name, error| DatapathError::Program { name, source: Box::new(error) };
        for (table, name) in [(maps::ANY_XDP, ANY_XDP), (maps::SETTLE_XDP, SETTLE_XDP)] {
            let fd = self.xdp_program(name)?.fd().and_then(|fd| Ok(fd.try_clone()?));
            self.put(table, &fd.map_err(|e| program(name, e))?)?;
        }
        for (table, name) in [(maps::ANY_TCX, ANY_TCX), (maps::SETTLE_TCX, SETTLE_TCX)] {
            let fd = self.classifier(name)?.fd().and_then(|fd| Ok(fd.try_clone()?));
            self.put(table, &fd.map_err(|e| program(name, e))?)?;
        }
        Ok(())
    }

    /// The same for the program in a slot of libxdp's dispatcher.
    fn put_behind_chained(&self) -> Result<()> {
        let callable = callable::load(OBJECT, &[ANY_CHAINED, SETTLE_XDP], |map| self.map(map))?;
        for (table, program) in [maps::ANY_CHAINED, maps::SETTLE_CHAINED].into_iter().zip(&callable) {
            self.put(table, program)?;
        }
        Ok(())
    }

    fn put(&self, table: &str, program: &impl AsFd) -> Result<()> {
        let put = sys::map_set(self.map(table)?, 0, program.as_fd());
        put.map_err(|e| DatapathError::Missing(format!("table {table} ({e})")))
    }

    /// A program behind [`Self::xdp`].
    pub fn behind_xdp(&mut self, name: &'static str) -> Result<&mut Xdp> {
        self.xdp_program(name)
    }

    fn xdp_program(&mut self, name: &'static str) -> Result<&mut Xdp> {
        let program = self.ebpf.program_mut(name).ok_or_else(|| DatapathError::Missing(name.into()))?;
        program.try_into().map_err(|e| DatapathError::Program { name, source: Box::new(e) })
    }

    /// A program of traffic control.
    pub fn classifier(&mut self, name: &'static str) -> Result<&mut SchedClassifier> {
        let program = self.ebpf.program_mut(name).ok_or_else(|| DatapathError::Missing(name.into()))?;
        program.try_into().map_err(|e| DatapathError::Program { name, source: Box::new(e) })
    }

    /// The program that tells the kernel's tick; it is only ever run by hand.
    pub(crate) fn clock(&mut self) -> Result<&mut SchedClassifier> {
        self.classifier(CLOCK)
    }

    /// The XDP program.
    pub fn xdp(&mut self) -> Result<&mut Xdp> {
        self.xdp_program(XDP)
    }

    /// The program for a slot of libxdp's dispatcher; loaded with the first dispatcher that it is for.
    pub(crate) fn chained(&mut self, dispatcher: u32, function: &str) -> Result<BorrowedFd<'_>> {
        let refused = |source: ProgramError| DatapathError::Program { name: CHAINED, source: Box::new(source) };
        if !self.behind_chained {
            self.put_behind_chained()?;
            self.behind_chained = true;
        }
        let program = self.ebpf.program_mut(CHAINED).ok_or_else(|| DatapathError::Missing(CHAINED.into()))?;
        let extension: &mut Extension = program.try_into().map_err(refused)?;
        if extension.fd().is_err() {
            let mut all = loaded_programs().filter_map(std::result::Result::ok);
            let target = all.find(|program| program.id() == dispatcher);
            let target = target.ok_or_else(|| DatapathError::Missing("dispatcher that was just loaded".into()))?;
            extension.load(target.fd().map_err(refused)?, function).map_err(refused)?;
        }
        Ok(extension.fd().map_err(refused)?.as_fd())
    }

    /// The tcx program.
    pub fn tcx(&mut self) -> Result<&mut SchedClassifier> {
        self.classifier(TCX)
    }

    /// The program that sees what the host sends.
    pub fn egress(&mut self) -> Result<&mut SchedClassifier> {
        self.classifier(EGRESS)
    }

    /// A map's file descriptor.
    pub fn map(&self, name: &str) -> Result<BorrowedFd<'_>> {
        if let (maps::SAMPLES, Some(taken)) = (name, &self.samples) {
            return Ok(taken.as_fd());
        }
        let map = self.ebpf.map(name).ok_or_else(|| DatapathError::Missing(format!("map {name}")))?;
        Ok(data(map)?.fd().as_fd())
    }

    /// The ring buffer of samples; it can be taken once.
    pub fn take_samples(&mut self) -> Result<RingBuf<MapData>> {
        let again = self.map(maps::SAMPLES)?.try_clone_to_owned();
        self.samples = Some(again.map_err(|e| DatapathError::Missing(format!("ring of samples ({e})")))?);
        let map = self.ebpf.take_map(maps::SAMPLES).ok_or_else(|| DatapathError::Missing("ring of samples".into()))?;
        RingBuf::try_from(map).map_err(|e| DatapathError::Missing(format!("ring of samples ({e})")))
    }
}

/// Times that a program is loaded before the kernel's answer counts, as in libbpf (`PROG_LOAD_ATTEMPTS`): it gives up verifying
/// when a signal comes.
const ATTEMPTS: usize = 5;

/// Tries until it is loaded, or refused for another reason than a signal.
fn again<T, E>(
    mut once: impl FnMut() -> std::result::Result<T, E>,
    interrupted: fn(&E) -> bool,
) -> std::result::Result<T, E> {
    for _ in 1..ATTEMPTS {
        match once() {
            Err(e) if interrupted(&e) => {}
            other => return other,
        }
    }
    once()
}

fn load(name: &'static str, once: impl FnMut() -> std::result::Result<(), ProgramError>) -> Result<()> {
    let interrupted = |e: &ProgramError| matches!(e, ProgramError::LoadError { io_error, .. } if io_error.kind() == std::io::ErrorKind::WouldBlock);
    again(once, interrupted).map_err(|e| DatapathError::Program { name, source: Box::new(e) })
}

/// The highest number that a CPU of this machine can have. Numbers may have gaps, so their count is not enough.
fn highest_cpu() -> u32 {
    let ranges = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    // SAFETY: no arguments that could be wrong.
    let configured = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) };
    last_of(&ranges).unwrap_or_else(|| u32::try_from(configured - 1).unwrap_or(0))
}

/// The last number of ranges like `0,2-3`.
fn last_of(ranges: &str) -> Option<u32> {
    ranges.trim().rsplit([',', '-']).next()?.parse().ok()
}

fn data(map: &Map) -> Result<&MapData> {
    match map {
        Map::Array(d) | Map::HashMap(d) | Map::PerCpuArray(d) | Map::RingBuf(d) | Map::ProgramArray(d) => Ok(d),
        _ => Err(DatapathError::Missing("map of a known type".into())),
    }
}

#[cfg(test)]
mod tests {
    //! Ranges of CPUs as the kernel writes them.
    use super::last_of;

    #[test]
    fn the_highest_cpu_counts_and_not_how_many_there_are() {
        assert_eq!(last_of("0\n"), Some(0));
        assert_eq!(last_of("0-3\n"), Some(3));
        assert_eq!(last_of("0,2-3,64-127\n"), Some(127));
        assert_eq!(last_of(""), None);
    }
}
