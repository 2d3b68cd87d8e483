//! Sends frames as fast as the path takes them, and counts what arrived.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weir_datapath::traffic::{Frame, Generator, LabInterface, Prepared};

use super::stage::{Place, RECEIVER};
use crate::stop;

/// Frames that settle caches and tell how many fit into the time.
const WARM_UP: u32 = 30_000;
/// No run sends more.
const MOST: f64 = 4_000_000.0;

/// The generator of a place. It lives in a thread that is in the place's namespace and tied to one core.
pub struct Sender {
    generator: Generator,
}

/// What one kind of traffic is, ready to be sent.
pub struct Traffic(Prepared);

impl Sender {
    /// Loads the generator.
    pub fn new(place: &Place) -> Result<Sender> {
        Ok(Sender { generator: Generator::load(&LabInterface::open(&place.sender)?, 1)? })
    }

    /// Prepares one kind of traffic.
    pub fn traffic(&mut self, frame: &Frame) -> Result<Traffic> {
        // Slots name counters that are not used here, but each frame is loaded when it differs from the last one's.
        self.generator.forget();
        Ok(Traffic(self.generator.prepare(frame, 0)?))
    }

    /// Sends for about `time`; millions of packets a second that arrived.
    pub fn run(&mut self, traffic: &Traffic, time: Duration) -> Result<f64> {
        self.generator.forget();
        let warm = self.send(traffic, WARM_UP)?;
        let count = (warm * 1e6 * time.as_secs_f64()).clamp(f64::from(WARM_UP), MOST);
        self.send(traffic, count as u32)
    }

    fn send(&mut self, traffic: &Traffic, count: u32) -> Result<f64> {
        stop::check()?;
        let before = received()?;
        let start = Instant::now();
        self.generator.send(&traffic.0, count)?;
        let took = start.elapsed();
        stop::check()?;
        let arrived = received()? - before;
        ensure!(arrived * 2 >= u64::from(count), "of {count} frames only {arrived} arrived");
        Ok(arrived as f64 / took.as_secs_f64() / 1e6)
    }
}

/// Packets that the receiving end in the calling thread's namespace has taken from its queue, whatever became of them.
fn received() -> Result<u64> {
    let table = fs::read_to_string("/proc/thread-self/net/dev").context("/proc/thread-self/net/dev")?;
    packets(&table, RECEIVER).with_context(|| format!("there is no {RECEIVER} in /proc/thread-self/net/dev"))
}

fn packets(table: &str, interface: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::packets;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "Inter-|   Receive\n face |bytes    packets errs\n    lo:       0       1    0\n   in0:      90       7    0\n";
        assert_eq!((packets(table, "in0"), packets(table, "lo"), packets(table, "in")), (Some(7), Some(1), None));
    }
}
