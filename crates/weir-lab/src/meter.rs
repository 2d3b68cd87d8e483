//! Packets that enter the pod, from one hundredth of a second to the next: when an attack stopped to arrive, as the victim saw it.
//!
//! Weir says when it had rules in force; this asks the kernel's own count of the pod's interface instead, and so can be asked
//! of any defence.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};

use crate::cpu::{self, Rank};
use crate::device;
use crate::lab::Lab;

/// Between two readings.
const STEP: Duration = Duration::from_millis(10);
/// A rate is judged over so many readings: single ones are as uneven as whoever shares the core.
const BIN: usize = 2;

/// A reading: the moment, and packets that entered the pod before.
pub type Reading = (SystemTime, u64);

/// A meter at work.
pub struct Meter {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Vec<Reading>>>>,
}

impl Meter {
    /// Begins to read.
    pub fn start(lab: &Lab) -> Result<Meter> {
        let stop = Arc::<AtomicBool>::default();
        let ns = lab.layout().pods[0].clone();
        let thread = thread::Builder::new().name("lab-meter".into()).spawn({
            let stop = stop.clone();
            move || {
                ns.enter()?;
                cpu::tie(None, &[cpu::cores()?.customers])?;
                cpu::rank(None, Rank::Customers)?;
                let mut readings = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let devices = fs::read_to_string("/proc/thread-self/net/dev")?;
                    let figures = device::parse(&devices, "eth0").context("the pod has no eth0")?;
                    readings.push((SystemTime::now(), figures.received));
                    thread::sleep(STEP);
                }
                Ok(readings)
            }
        })?;
        Ok(Meter { stop, thread: Some(thread) })
    }

    /// Ends, and returns what was read.
    pub fn stop(mut self) -> Result<Vec<Reading>> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().ok_or_else(|| anyhow!("the meter was stopped already"))?;
        thread.join().map_err(|_| anyhow!("the meter's thread panicked"))?.context("the meter")
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whoever drops it is on the way out with an error of his own.
            let _ = thread.join();
        }
    }
}

/// How long after `began` the pod last received more than `level` packets a second, before `ended`; `None` where it still did at the end.
pub fn quiet_after(readings: &[Reading], began: SystemTime, ended: SystemTime, level: f64) -> Option<Duration> {
    let inside: Vec<&Reading> = readings.iter().filter(|(at, _)| *at >= began && *at <= ended).collect();
    let mut last = Duration::ZERO;
    let mut loud = false;
    for pair in inside.windows(BIN + 1) {
        let (Some((from, before)), Some((to, after))) = (pair.first(), pair.last()) else { continue };
        let seconds = to.duration_since(*from).unwrap_or_default().as_secs_f64();
        loud = seconds > 0.0 && after.saturating_sub(*before) as f64 / seconds > level;
        if loud {
            last = to.duration_since(began).unwrap_or_default();
        }
    }
    (!loud && inside.len() > BIN).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_begins_after_the_last_loud_moment() {
        let began = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let at = |ms: u64| began + Duration::from_millis(ms);
        // A thousand packets in each hundredth of a second for 300 ms, then ten.
        let mut packets = 0;
        let mut readings: Vec<Reading> = Vec::new();
        for step in 0..100 {
            readings.push((at(step * 10), packets));
            packets += if step < 30 { 1000 } else { 10 };
        }
        let quiet = |ended, level| quiet_after(&readings, began, at(ended), level);
        assert_eq!(quiet(1000, 2_000.0), Some(Duration::from_millis(310)));
        assert_eq!(quiet(250, 2_000.0), None, "it was never quiet while that lasted");
        assert_eq!(quiet(1000, 500_000.0), Some(Duration::ZERO), "never loud");
        assert_eq!(quiet_after(&[], began, at(10), 1.0), None, "nobody looked");
    }
}
