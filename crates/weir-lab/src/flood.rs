//! Floods of the lab: a thread in the attackers' namespace, on a core of its own, out of the lab's own interface only.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow};
use weir_datapath::traffic::{Flood, Generator, LabInterface, Sent};

use crate::cpu::{self, Rank};
use crate::lab::Lab;
use crate::netns::Netns;
use crate::state;

/// How often somebody who waits out a rest looks whether the flood is to end.
const LOOK: Duration = Duration::from_millis(5);

/// A flood, and quiet after it.
#[derive(Debug, Clone)]
pub struct Phase {
    /// The flood.
    pub flood: Flood,
    /// The quiet.
    pub rest: Duration,
}

/// What a phase came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// Its kinds of packets.
    pub kinds: Vec<String>,
    /// Just before its first packet.
    pub began: SystemTime,
    /// After its last one; none while it goes on.
    pub ended: Option<SystemTime>,
    /// Frames that it sent.
    pub frames: u64,
    /// Frames a second that it had.
    pub pps: f64,
}

/// A flood under way, or several one after another. It ends by its own bounds; dropping this ends it at once.
pub struct Running {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    stretches: Arc<Mutex<Vec<Stretch>>>,
    thread: Option<JoinHandle<Result<Sent>>>,
}

impl Running {
    /// Ends it now.
    pub fn stop(self) -> Result<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.wait()
    }

    /// Ends it now, and returns its phases as well.
    pub fn stop_and_tell(self) -> Result<(Sent, Vec<Stretch>)> {
        let stretches = Arc::clone(&self.stretches);
        let sent = self.stop()?;
        let stretches = lock(&stretches).clone();
        Ok((sent, stretches))
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

    /// Its phases so far.
    pub fn stretches(&self) -> Vec<Stretch> {
        lock(&self.stretches).clone()
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
    start_train(lab, vec![Phase { flood, rest: Duration::ZERO }], seed)
}

/// Starts floods that come one after another.
pub fn start_train(lab: &Lab, train: Vec<Phase>, seed: u64) -> Result<Running> {
    let layout = lab.layout();
    start_on(lab, &layout.attackers, &layout.attack_interface, train, seed)
}

/// Starts floods out of a named interface. They are refused unless the lab recorded that interface as its own, the name is of
/// the lab's kind, and the namespace is not the machine's.
pub fn start_on(lab: &Lab, ns: &Netns, interface: &str, train: Vec<Phase>, seed: u64) -> Result<Running> {
    state::check_recorded(lab.id(), ns.name(), interface)?;
    let (stop, sent, stretches) =
        (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default(), Arc::<Mutex<Vec<Stretch>>>::default());
    let (ready, readiness) = std::sync::mpsc::channel();
    let thread = thread::Builder::new().name("lab-flood".into()).spawn({
        let (stop, sent, stretches, ns, interface) =
            (stop.clone(), sent.clone(), Arc::clone(&stretches), ns.clone(), interface.to_owned());
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
            send(&train, &mut generator, &stop, &sent, &stretches)
        }
    })?;
    let running = Running { stop, sent, stretches, thread: Some(thread) };
    readiness.recv().map_err(|_| anyhow!("the flood's thread ended at once"))??;
    Ok(running)
}

fn send(
    train: &[Phase],
    generator: &mut Generator,
    stop: &AtomicBool,
    sent: &AtomicU64,
    stretches: &Mutex<Vec<Stretch>>,
) -> Result<Sent> {
    let mut all = Sent::default();
    for phase in train {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let kinds = phase.flood.streams.iter().map(|stream| stream.name.clone()).collect();
        let began = SystemTime::now();
        lock(stretches).push(Stretch { kinds, began, ended: None, frames: 0, pps: 0.0 });
        let tell = |frames: u64| sent.store(all.frames + frames, Ordering::Relaxed);
        let now = phase.flood.run_and_tell(generator, stop, tell).context("the flood")?;
        if let Some(last) = lock(stretches).last_mut() {
            (last.ended, last.frames, last.pps) = (Some(SystemTime::now()), now.frames, now.pps());
        }
        all.frames += now.frames;
        all.elapsed += now.elapsed;
        all.by_stream.extend(now.by_stream);
        let rested = Instant::now() + phase.rest;
        while Instant::now() < rested && !stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK.min(rested.saturating_duration_since(Instant::now())));
        }
    }
    Ok(all)
}

fn lock(stretches: &Mutex<Vec<Stretch>>) -> MutexGuard<'_, Vec<Stretch>> {
    // Times stay times when somebody else has panicked.
    stretches.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In the flood's own thread: enters the namespace, takes its core, loads the generator.
fn prepare(ns: &Netns, interface: &str, seed: u64) -> Result<Generator> {
    ns.enter()?;
    cpu::tie(None, &[cpu::cores()?.attack])?;
    cpu::rank(None, Rank::Packets)?;
    cpu::sleep_exactly()?;
    Ok(Generator::load(&LabInterface::open(interface)?, seed)?)
}
