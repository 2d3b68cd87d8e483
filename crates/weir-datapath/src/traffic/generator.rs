//! The loaded generator: prepared frames, the pace and bounds of a flood, and runs of the kernel program.

use std::io::ErrorKind;
use std::time::Duration;

use aya::programs::{ProgramError, TestRun, TestRunOptions};

use super::abi::{KINDS, META, PACE_UNIT, Running};
use super::frame::Template;
use super::object::Object;
use super::path::Attached;
use super::{Error, Frame, LabInterface};

/// Frames that the kernel makes and passes on together. 64 is its own NAPI budget: larger batches only fill caches.
const BATCH: u32 = 64;

/// The traffic source, aimed at one interface. Frames leave in the network namespace of the thread that sends: it must be
/// the one that the interface was opened in, and should stay on one CPU.
pub struct Generator {
    object: Object,
    interface: LabInterface,
    seed: u64,
    loaded: Option<u32>,
    _registered: Attached,
}

/// A frame, translated for the kernel, with its slot in the counters.
#[derive(Debug, Clone)]
pub struct Prepared {
    template: Template,
    slot: u32,
}

impl Generator {
    /// Loads the program for one interface, which must be of the lab's kind. Equal seeds give equal floods.
    pub fn load(interface: &LabInterface, seed: u64) -> Result<Generator, Error> {
        interface.may_send()?;
        let mut object = Object::load()?;
        let registered = object.register("generate")?;
        let mut generator =
            Generator { object, interface: interface.clone(), seed, loaded: None, _registered: registered };
        generator.set_running(Running::default())?;
        Ok(generator)
    }

    /// The interface that frames leave by.
    pub fn interface(&self) -> &LabInterface {
        &self.interface
    }

    /// Translates a frame; `slot` names its counter. A slot that is used for another frame needs a [`Generator::forget`].
    pub fn prepare(&self, frame: &Frame, slot: u32) -> Result<Prepared, Error> {
        let mut template = frame.template()?;
        template.plan.ifindex = self.interface.index();
        let slot = slot % KINDS;
        template.plan.kind = slot;
        Ok(Prepared { template, slot })
    }

    /// Sends `count` frames as fast as the path takes them: for measurements of the path.
    ///
    /// The kernel stops early when a signal arrives for this thread; [`Generator::sent`] says what really left.
    pub fn send(&mut self, prepared: &Prepared, count: u32) -> Result<(), Error> {
        self.run(prepared, count).map(|_| ())
    }

    /// Makes one frame and shows it instead of sending it; it counts as sent.
    pub fn preview(&mut self, prepared: &Prepared) -> Result<Vec<u8>, Error> {
        self.aim(prepared)?;
        let mut frame = vec![0; META + prepared.template.bytes.len()];
        let mut options = TestRunOptions { repeat: 1, ..TestRunOptions::default() };
        options.data_in = Some(&prepared.template.bytes);
        options.data_out = Some(&mut frame);
        let failed = |source| Error::Program { what: "generate", source };
        let done = self.object.program("generate")?.test_run(options).map_err(failed)?;
        frame.truncate(done.data_size_out as usize);
        Ok(frame.split_off(META.min(frame.len())))
    }

    /// Sets pace and bounds of the frames that [`Generator::run`] sends from now on. The time starts with the first frame.
    pub(super) fn pace(&mut self, pps: u64, packets: u64, time: Duration) -> Result<(), Error> {
        let interval = (1_000_000_000 * PACE_UNIT / pps.max(1)).max(1);
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2);
        self.set_running(Running { interval, left: packets, time, ..Running::default() })
    }

    /// Removes pace and bounds.
    pub(super) fn unpace(&mut self) -> Result<(), Error> {
        self.set_running(Running::default())
    }

    /// Runs the program so often. With a pace, most runs find that no frame is due yet. Returns the time for one of them, as
    /// the kernel took it: without what goes before and after; `None` when a signal came in between.
    pub(super) fn run(&mut self, prepared: &Prepared, runs: u32) -> Result<Option<Duration>, Error> {
        self.aim(prepared)?;
        let mut options = TestRunOptions { repeat: runs, ..TestRunOptions::default() };
        options.data_in = Some(&prepared.template.bytes);
        options.attrs = options.attrs.xdp_live_frames(BATCH.min(runs.max(1)));
        match self.object.program("generate")?.test_run(options) {
            Ok(done) => Ok(Some(done.duration)),
            Err(ProgramError::SyscallError(error)) if error.io_error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(source) => Err(Error::Program { what: "generate", source }),
        }
    }

    fn aim(&mut self, prepared: &Prepared) -> Result<(), Error> {
        if self.loaded != Some(prepared.slot) {
            self.object.set("PLAN", prepared.template.plan)?;
            self.loaded = Some(prepared.slot);
        }
        Ok(())
    }

    /// Makes the next run load its frame anew.
    pub fn forget(&mut self) {
        self.loaded = None;
    }

    /// Frames that left so far with this slot.
    pub fn sent(&self, slot: u32) -> Result<u64, Error> {
        self.object.sum("SENT", slot % KINDS)
    }

    fn set_running(&mut self, running: Running) -> Result<(), Error> {
        // The seed moves on, or every flood of this generator would begin with the same packets.
        self.seed = self.seed.wrapping_add(0xA076_1D64_78BD_642F);
        let seed = self.seed;
        self.object.set_per_cpu("RUNNING", |_| Running { random: seed, ..running })
    }
}
