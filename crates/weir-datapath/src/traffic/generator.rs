//! The loaded generator: prepared frames, and sending a number of them at once.

use aya::programs::{ProgramError, TestRun, TestRunOptions};

use super::abi::KINDS;
use super::frame::Template;
use super::object::Object;
use super::path::Attached;
use super::{Error, Frame, LabInterface};

/// Frames that the kernel makes and passes on together. 64 is its own NAPI budget: larger batches only fill caches.
const BATCH: u32 = 64;

/// The traffic source, aimed at one interface. Frames leave in the network namespace of the thread that sends: it must be
/// the one that the interface was opened in.
pub struct Generator {
    object: Object,
    interface: LabInterface,
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
    /// Loads the program for one interface, which must be of the lab's kind. Equal seeds give equal floods as long as the
    /// thread stays on one CPU.
    pub fn load(interface: &LabInterface, seed: u64) -> Result<Generator, Error> {
        interface.may_send()?;
        let mut object = Object::load()?;
        object.set_per_cpu("RANDOM", |cpu| seed ^ cpu.wrapping_mul(0xA076_1D64_78BD_642F))?;
        let registered = object.register("generate")?;
        Ok(Generator { object, interface: interface.clone(), loaded: None, _registered: registered })
    }

    /// The interface that frames leave by.
    pub fn interface(&self) -> &LabInterface {
        &self.interface
    }

    /// Translates a frame; `slot` names its counter.
    pub fn prepare(&self, frame: &Frame, slot: u32) -> Result<Prepared, Error> {
        let mut template = frame.template()?;
        template.plan.ifindex = self.interface.index();
        let slot = slot % KINDS;
        template.plan.kind = slot;
        Ok(Prepared { template, slot })
    }

    /// Sends `count` frames as fast as the path takes them.
    ///
    /// The kernel stops early when a signal arrives for this thread; [`Generator::sent`] says what really left.
    pub fn send(&mut self, prepared: &Prepared, count: u32) -> Result<(), Error> {
        if self.loaded != Some(prepared.slot) {
            self.object.set("PLAN", prepared.template.plan)?;
            self.loaded = Some(prepared.slot);
        }
        let mut options = TestRunOptions { repeat: count, ..TestRunOptions::default() };
        options.data_in = Some(&prepared.template.bytes);
        options.attrs = options.attrs.xdp_live_frames(BATCH.min(count.max(1)));
        match self.object.program("generate")?.test_run(options) {
            Ok(_) => Ok(()),
            Err(ProgramError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            Err(source) => Err(Error::Program { what: "generate", source }),
        }
    }

    /// Makes the next [`Generator::send`] load the frame anew: needed when another frame takes a slot over.
    pub fn forget(&mut self) {
        self.loaded = None;
    }

    /// Frames that left so far with this slot.
    pub fn sent(&self, slot: u32) -> Result<u64, Error> {
        self.object.sum("SENT", slot % KINDS)
    }
}
