//! The thread that writes: it takes what there is, writes it, and waits for more.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::file::StoreFile;
use super::{Batch, Shared, Waiting};

/// How long it rests after a write that failed.
const REST: Duration = Duration::from_secs(10);
/// How often it looks for what is not urgent.
const SOON: Duration = Duration::from_secs(60);

/// Starts it. From an ordinary thread: one with a priority would pass that on.
pub(super) fn start(file: StoreFile, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("weir-store".into()).spawn(move || {
        work(file, &shared);
        shared.lock().closed = true;
        shared.changed.notify_all();
    })
}

fn work(mut file: StoreFile, shared: &Shared) {
    let mut failing = false;
    // A clock that is set while it runs makes nothing old.
    let (opened, began) = (file.opened(), Instant::now());
    loop {
        let (batch, closing) = next(shared, if failing { REST } else { SOON }, failing);
        let result = if batch.is_empty() { Ok(()) } else { file.write(&batch, opened + began.elapsed()) };
        match result {
            Ok(()) => {
                if !batch.is_empty() {
                    shared.stats.written.fetch_add(1, Ordering::Relaxed);
                }
                failing = false;
            }
            Err(e) => {
                shared.stats.failed.fetch_add(1, Ordering::Relaxed);
                if !failing {
                    tracing::error!(error = %e, "what was noticed cannot be kept: after a restart it is not known");
                }
                failing = true;
                put_back(shared, batch);
            }
        }
        if closing {
            if let Err(e) = file.close() {
                tracing::warn!(error = %e, "what was noticed is not closed as it should be");
            }
            return;
        }
    }
}

/// Waits for something to write, and takes it. After a failure nothing is urgent.
fn next(shared: &Shared, longest: Duration, failing: bool) -> (Batch, bool) {
    let idle = |waiting: &mut Waiting| !waiting.closing && (failing || !waiting.urgent);
    let waited = shared.changed.wait_timeout_while(shared.lock(), longest, idle);
    let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
    waiting.urgent = false;
    (std::mem::take(&mut waiting.batch), waiting.closing)
}

/// What was not written, under what came since.
fn put_back(shared: &Shared, mut batch: Batch) {
    let mut waiting = shared.lock();
    batch.extend(std::mem::take(&mut waiting.batch));
    waiting.batch = batch;
}
