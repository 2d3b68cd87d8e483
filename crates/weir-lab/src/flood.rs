//! Floods of the lab: a thread in the attackers' namespace, on a core of its own, out of the lab's own interface only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use weir_datapath::traffic::{Flood, Generator, LabInterface, Sent};

use crate::cpu::{self, Rank};
use crate::lab::Lab;
use crate::netns::Netns;
use crate::state;

/// A flood under way. It ends by its own bounds; dropping this ends it at once.
pub struct Running {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
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

    /// Frames sent so far.
    pub fn so_far(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
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
    let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let (ready, readiness) = std::sync::mpsc::channel();
    let thread = thread::Builder::new().name("lab-flood".into()).spawn({
        let (stop, sent, ns, interface) = (stop.clone(), sent.clone(), ns.clone(), interface.to_owned());
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
            flood
                .run_and_tell(&mut generator, &stop, |frames| sent.store(frames, Ordering::Relaxed))
                .context("the flood")
        }
    })?;
    let running = Running { stop, sent, thread: Some(thread) };
    readiness.recv().map_err(|_| anyhow!("the flood's thread ended at once"))??;
    Ok(running)
}

/// In the flood's own thread: enters the namespace, takes its core, loads the generator.
fn prepare(ns: &Netns, interface: &str, seed: u64) -> Result<Generator> {
    ns.enter()?;
    cpu::tie(None, &[cpu::cores()?.attack])?;
    cpu::rank(None, Rank::Packets)?;
    cpu::sleep_exactly()?;
    Ok(Generator::load(&LabInterface::open(interface)?, seed)?)
}
