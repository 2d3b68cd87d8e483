//! Floods of the lab: a thread in the attackers' namespace, on a core of its own, out of the lab's own interface only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use weir_datapath::traffic::{Flood, Generator, LabInterface, Sent};

use crate::cpu;
use crate::lab::Lab;
use crate::netns::Netns;
use crate::state;

/// An attacker's machine is not slowed down by what else runs on the victim's.
const NICE: i32 = -15;

/// A flood under way. It ends by its own bounds; dropping this ends it at once.
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Sent>>>,
}

impl Running {
    /// Ends it now.
    pub fn stop(self) -> Result<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<Sent> {
        let thread = self.thread.take().ok_or_else(|| anyhow!("the flood was waited for already"))?;
        thread.join().map_err(|_| anyhow!("the flood's thread panicked"))?
    }

    /// Whether it is still going on.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whoever drops it is on the way out with an error of his own.
            let _ = thread.join();
        }
    }
}

/// Starts a flood out of the lab's attackers' interface.
pub fn start(lab: &Lab, flood: Flood, seed: u64) -> Result<Running> {
    let layout = lab.layout();
    start_on(lab, &layout.attackers, &layout.attack_interface, flood, seed)
}

/// Starts a flood out of a named interface. It is refused unless the lab recorded that interface as its own, the name is of
/// the lab's kind, and the namespace is not the machine's.
pub fn start_on(lab: &Lab, ns: &Netns, interface: &str, flood: Flood, seed: u64) -> Result<Running> {
    state::check_recorded(lab.id(), ns.name(), interface)?;
    let stop = Arc::<AtomicBool>::default();
    let (ready, readiness) = std::sync::mpsc::channel();
    let thread = thread::Builder::new().name("lab-flood".into()).spawn({
        let (stop, ns, interface) = (stop.clone(), ns.clone(), interface.to_owned());
        move || {
            let prepared = prepare(&ns, &interface, seed);
            let mut generator = match prepared {
                Ok(generator) => {
                    let _ = ready.send(Ok(()));
                    generator
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return Ok(Sent::default());
                }
            };
            flood.run(&mut generator, &stop).context("the flood")
        }
    })?;
    let running = Running { stop, thread: Some(thread) };
    readiness.recv().map_err(|_| anyhow!("the flood's thread ended at once"))??;
    Ok(running)
}

/// In the flood's own thread: enters the namespace, takes its core, loads the generator.
fn prepare(ns: &Netns, interface: &str, seed: u64) -> Result<Generator> {
    ns.enter()?;
    cpu::pin(None, cpu::cores()?.attack, NICE)?;
    cpu::sleep_exactly()?;
    Ok(Generator::load(&LabInterface::open(interface)?, seed)?)
}
