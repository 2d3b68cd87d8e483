//! The lab's kernel object and the few things done with it everywhere.

use std::time::Duration;

use aya::maps::{Array, MapData, PerCpuArray, PerCpuValues};
use aya::programs::{TestRun, TestRunOptions, Xdp, XdpMode};
use aya::{Ebpf, Pod};

use super::abi::{Keep, Plan, Running, SeedConfig};
use super::path::Attached;
use super::{Error, LabInterface};

static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("WEIR_LAB_EBPF_OBJECT"));

// SAFETY: `repr(C)`, without padding bytes (see the size assertions), of integers only.
unsafe impl Pod for Plan {}
// SAFETY: as above.
unsafe impl Pod for Running {}
// SAFETY: as above.
unsafe impl Pod for Keep {}
// SAFETY: as above.
unsafe impl Pod for SeedConfig {}

/// A loaded copy of the object, with maps of its own.
pub(super) struct Object(pub(super) Ebpf);

impl Object {
    pub(super) fn load() -> Result<Object, Error> {
        if OBJECT.is_empty() {
            return Err(Error::NoObject);
        }
        Ok(Object(Ebpf::load(OBJECT)?))
    }

    /// The program, loaded into the kernel.
    pub(super) fn program(&mut self, what: &'static str) -> Result<&mut Xdp, Error> {
        let program = self.0.program_mut(what).ok_or(Error::Missing(what))?;
        let program: &mut Xdp = program.try_into().map_err(|source| Error::Program { what, source })?;
        if program.fd().is_err() {
            program.load().map_err(|source| Error::Program { what, source })?;
        }
        Ok(program)
    }

    /// Attaches the program to an interface of the calling thread's namespace, natively, until the result is dropped.
    pub(super) fn attach(&mut self, what: &'static str, interface: &LabInterface) -> Result<Attached, Error> {
        attach(self.program(what)?, what, interface, XdpMode::Driver)
    }

    /// Attaches the program to the loopback interface of the calling thread's namespace, which must be one of the lab's.
    ///
    /// A test run of an XDP program enters it into the kernel's dispatcher before and takes it out after, each of which
    /// waits until every core has passed a quiet point: some 10 to 30 ms a run. A program that is attached somewhere is in
    /// there already, and a run costs microseconds. Loopback, because no packet comes that way in a namespace without servers.
    pub(super) fn register(&mut self, what: &'static str) -> Result<Attached, Error> {
        let loopback = LabInterface::open("lo")?;
        attach(self.program(what)?, what, &loopback, XdpMode::Skb)
    }

    /// Average time for one frame over `repeat` runs of the program on that frame (`BPF_PROG_TEST_RUN`).
    pub(super) fn time(&mut self, what: &'static str, frame: &[u8], repeat: u32) -> Result<Duration, Error> {
        let options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::default() };
        let done = self.program(what)?.test_run(options).map_err(|source| Error::Program { what, source })?;
        Ok(done.duration)
    }

    /// Sets element 0 of an array.
    pub(super) fn set<V: Pod>(&mut self, map: &'static str, value: V) -> Result<(), Error> {
        let mut array: Array<&mut MapData, V> = self.0.map_mut(map).ok_or(Error::Missing(map))?.try_into()?;
        Ok(array.set(0, value, 0)?)
    }

    /// Sets element 0 of a per-CPU array, on each CPU to what `value` says.
    pub(super) fn set_per_cpu<V: Pod>(&mut self, map: &'static str, value: impl Fn(u64) -> V) -> Result<(), Error> {
        let mut array: PerCpuArray<&mut MapData, V> = self.0.map_mut(map).ok_or(Error::Missing(map))?.try_into()?;
        let cpus = aya::util::nr_cpus().map_err(|(what, source)| Error::Io { what: what.to_owned(), source })?;
        let values = PerCpuValues::try_from((0..cpus as u64).map(value).collect::<Vec<_>>())
            .map_err(|source| Error::Io { what: "per-CPU values".to_owned(), source })?;
        Ok(array.set(0, values, 0)?)
    }

    /// An element of a per-CPU array of counters, over all CPUs.
    pub(super) fn sum(&self, map: &'static str, index: u32) -> Result<u64, Error> {
        let array: PerCpuArray<&MapData, u64> = self.0.map(map).ok_or(Error::Missing(map))?.try_into()?;
        Ok(array.get(&index, 0)?.iter().sum())
    }
}

/// Attaches a loaded program to an interface, until the result is dropped.
pub(super) fn attach(
    program: &mut Xdp,
    what: &'static str,
    interface: &LabInterface,
    mode: XdpMode,
) -> Result<Attached, Error> {
    let failed = |source| Error::Program { what, source };
    let link = program.attach_to_if_index(interface.index(), mode).map_err(failed)?;
    program.take_link(link).map(Attached::new).map_err(failed)
}
