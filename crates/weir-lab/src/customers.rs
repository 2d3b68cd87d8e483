//! Customers: real sockets that ask for pages and names at a fixed rate, whatever becomes of earlier requests (open loop),
//! from many addresses, and keep book of what they got.

mod book;
mod request;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::task::LocalSet;

pub use book::{Failure, Figures, KindFigures, Totals};
use book::Book;
use request::Asker;

use crate::lab::Lab;
use crate::plan::{self, DNS_PORT, HTTP_PORT};

/// A request that takes longer has failed: people do not wait.
pub const TIME_LIMIT: Duration = Duration::from_secs(1);

/// How often requests that are due are sent out.
const TICK: Duration = Duration::from_millis(2);

/// How much the customers ask for.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Pages a second.
    pub pages: u32,
    /// Names a second.
    pub names: u32,
}

impl Default for Load {
    fn default() -> Self {
        Load { pages: 300, names: 200 }
    }
}

impl Load {
    /// Requests a second.
    pub fn per_second(&self) -> f64 {
        f64::from(self.pages + self.names)
    }
}

/// Customers at work, in a thread of their own.
pub struct Customers {
    stop: Arc<AtomicBool>,
    book: Arc<Book>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Customers {
    /// Lets them ask the first pod, in IPv4 and IPv6 by turns, until this is dropped.
    pub fn start(lab: &Lab, load: Load) -> Result<Customers> {
        let (stop, book) = (Arc::<AtomicBool>::default(), Arc::<Book>::default());
        let ns = lab.layout().customers.clone();
        let asker = Arc::new(Asker {
            sources: plan::customers(lab.shape().customers),
            servers: [IpAddr::V4(plan::pod_v4(0)), IpAddr::V6(plan::pod_v6(0))],
            time_limit: TIME_LIMIT,
        });
        let thread = thread::Builder::new().name("lab-customers".into()).spawn({
            let (stop, book) = (stop.clone(), book.clone());
            move || {
                ns.enter()?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                LocalSet::new().block_on(&runtime, ask(asker, load, stop, book));
                Ok(())
            }
        })?;
        Ok(Customers { stop, book, thread: Some(thread) })
    }

    /// Starts counting afresh: requests sent from now on belong to the new window.
    pub fn open_window(&self) {
        self.book.open();
    }

    /// Ends the window, waits for the last answers to its requests and returns what they came to.
    pub fn close_window(&self) -> Result<Figures> {
        self.book.close(TIME_LIMIT * 3)
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
            Some(thread) => thread.join().map_err(|_| anyhow!("the customers' thread panicked"))?.context("the customers"),
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

async fn ask(asker: Arc<Asker>, load: Load, stop: Arc<AtomicBool>, book: Arc<Book>) {
    let start = Instant::now();
    let (mut pages, mut names) = (0u64, 0u64);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let elapsed = start.elapsed().as_secs_f64();
        while pages < (elapsed * f64::from(load.pages)) as u64 {
            let (asker, entry) = (asker.clone(), book.entry(book::Kind::Page));
            tokio::task::spawn_local(async move { entry.finish(asker.page(pages, HTTP_PORT).await) });
            pages += 1;
        }
        while names < (elapsed * f64::from(load.names)) as u64 {
            let (asker, entry) = (asker.clone(), book.entry(book::Kind::Name));
            tokio::task::spawn_local(async move { entry.finish(asker.name(names, DNS_PORT).await) });
            names += 1;
        }
    }
}

/// One request of each kind and IP version, for tests that only ask whether the path is open.
pub fn probe(lab: &Lab) -> Result<Vec<(SocketAddr, Result<Duration, Failure>)>> {
    let asker = Asker {
        sources: plan::customers(1),
        servers: [IpAddr::V4(plan::pod_v4(0)), IpAddr::V6(plan::pod_v6(0))],
        time_limit: TIME_LIMIT,
    };
    lab.layout().customers.within(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(async {
            let mut answers = Vec::new();
            for turn in 0..2 {
                let server = asker.servers[turn as usize];
                answers.push((SocketAddr::new(server, HTTP_PORT), asker.page(turn, HTTP_PORT).await));
                answers.push((SocketAddr::new(server, DNS_PORT), asker.name(turn, DNS_PORT).await));
            }
            answers
        }))
    })
}
