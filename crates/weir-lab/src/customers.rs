//! Customers: real sockets that ask for pages and names at a fixed rate, whatever becomes of earlier requests (open loop),
//! from many addresses, and keep book of what they got.

mod book;
mod figures;
mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::task::LocalSet;

use book::Book;
use figures::Kind;
pub use figures::{Failure, Figures, KindFigures, Totals};
use request::Asker;

use crate::cpu::{self, Rank};
use crate::lab::Lab;
use crate::plan::{DNS_PORT, HTTP_PORT, by_chance};

/// A request that takes longer has failed: people do not wait.
pub const TIME_LIMIT: Duration = Duration::from_secs(1);

/// How long after the time limit the last request may take to be told.
const PATIENCE: Duration = Duration::from_secs(10);
/// For the first answers in a new lab.
const SERVED_IN: Duration = Duration::from_secs(15);
const PROBE_LIMIT: Duration = Duration::from_millis(250);

/// How often requests that are due are sent out.
const TICK: Duration = Duration::from_millis(2);

/// How much the customers ask for.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Pages a second.
    pub pages: u32,
    /// Names a second.
    pub names: u32,
    /// How many times as many people, and requests, there may be at most: at ordinary times one address in so many asks.
    pub room: u32,
}

impl Default for Load {
    fn default() -> Self {
        Load { pages: 300, names: 200, room: 1 }
    }
}

impl Load {
    /// Requests a second.
    pub fn per_second(&self) -> f64 {
        f64::from(self.pages + self.names)
    }
}

/// Customers, in a thread of their own.
pub struct Customers {
    stop: Arc<AtomicBool>,
    /// How many times as many as usual.
    times: Arc<AtomicU32>,
    book: Arc<Book>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Customers {
    /// Gathers them; they will ask the first pod, in IPv4 and IPv6 by turns.
    pub fn gather(lab: &Lab, load: Load) -> Result<Customers> {
        let (stop, book) = (Arc::<AtomicBool>::default(), Arc::<Book>::default());
        let times = Arc::new(AtomicU32::new(1));
        let ns = lab.layout().customers.clone();
        let asker = Arc::new(Asker::of(lab));
        let thread = thread::Builder::new().name("lab-customers".into()).spawn({
            let (stop, book, times) = (stop.clone(), book.clone(), times.clone());
            move || {
                ns.enter()?;
                cpu::tie(None, &[cpu::cores()?.customers])?;
                cpu::rank(None, Rank::Customers)?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                LocalSet::new().block_on(&runtime, ask(asker, load, times, stop, book));
                Ok(())
            }
        })?;
        Ok(Customers { stop, times, book, thread: Some(thread) })
    }

    /// Lets them ask; nobody counts yet.
    pub fn begin(&self) {
        self.book.begin();
    }

    /// From now on so many times as many people come as usual, as far as there is room.
    pub fn surge(&self, times: u32) {
        self.times.store(times, Ordering::Relaxed);
    }

    /// Starts counting afresh: requests sent from now on, for so long, belong to the window.
    pub fn open_window(&self, length: Duration) {
        self.book.open(length);
    }

    /// Waits for the window's end and for the last answers to its requests, and returns what they came to.
    pub fn close_window(&self) -> Result<Figures> {
        self.book.close(PATIENCE)
    }

    /// Lets them ask no more, and waits until no request is under way.
    pub fn pause(&self) -> Result<()> {
        self.book.pause(PATIENCE)
    }

    /// Requests of the open window so far: finished well, and failed.
    pub fn so_far(&self) -> Totals {
        self.book.so_far()
    }

    /// Ends the customers' work and reports an error of their thread.
    pub fn stop(mut self) -> Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take() {
            Some(thread) => {
                thread.join().map_err(|_| anyhow!("the customers' thread panicked"))?.context("the customers")
            }
            None => Ok(()),
        }
    }
}

impl Drop for Customers {
    fn drop(&mut self) {
        if let Err(error) = self.finish() {
            eprintln!("warning: {error:#}");
        }
    }
}

async fn ask(asker: Arc<Asker>, load: Load, times: Arc<AtomicU32>, stop: Arc<AtomicBool>, book: Arc<Book>) {
    let room = load.room.max(1);
    let usual = asker.sources.len() as u64 / u64::from(room);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut numbers = [0u64; 2];
    let mut last = Instant::now();
    let mut due = [0.0f64; 2];
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let passed = last.elapsed().as_secs_f64();
        last = Instant::now();
        if !book.asking() {
            due = [0.0; 2];
            continue;
        }
        let times = times.load(Ordering::Relaxed).clamp(1, room);
        let people = (usual * u64::from(times)).max(1);
        // The first ones of all, by chance.
        let turn = |number: u64| number / people * asker.sources.len() as u64 + by_chance(number, people);
        due[0] += passed * f64::from(load.pages * times);
        due[1] += passed * f64::from(load.names * times);
        while due[0] >= 1.0 {
            let (asker, entry, number) = (asker.clone(), book.entry(Kind::Page), turn(numbers[0]));
            tokio::task::spawn_local(async move { entry.finish(asker.page(number, HTTP_PORT).await) });
            (due[0], numbers[0]) = (due[0] - 1.0, numbers[0] + 1);
        }
        while due[1] >= 1.0 {
            let (asker, entry, number) = (asker.clone(), book.entry(Kind::Name), turn(numbers[1]));
            tokio::task::spawn_local(async move { entry.finish(asker.name(number, DNS_PORT).await) });
            (due[1], numbers[1]) = (due[1] - 1.0, numbers[1] + 1);
        }
    }
}

/// One request of each kind in each IP version, by one customer.
pub fn probe(lab: &Lab, time_limit: Duration) -> Result<Vec<(SocketAddr, Result<Duration, Failure>)>> {
    let asker = Asker { time_limit, ..Asker::of(lab) };
    lab.layout().customers.within(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(async {
            let mut answers = Vec::new();
            for (turn, server) in asker.servers.into_iter().enumerate() {
                let turn = turn as u64;
                answers.push((SocketAddr::new(server, HTTP_PORT), asker.page(turn, HTTP_PORT).await));
                answers.push((SocketAddr::new(server, DNS_PORT), asker.name(turn, DNS_PORT).await));
            }
            answers
        }))
    })
}

/// Waits until a customer gets every kind of answer: neighbours are then known along the whole path.
pub fn wait_until_served(lab: &Lab) -> Result<()> {
    let deadline = Instant::now() + SERVED_IN;
    loop {
        let failed: Vec<_> = probe(lab, PROBE_LIMIT)?.into_iter().filter(|(_, answer)| answer.is_err()).collect();
        if failed.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("a customer is not served, in a lab without any flood: {failed:?}");
        }
    }
}
