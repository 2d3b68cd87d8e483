//! A flood: one or more kinds of frames, mixed by weight, at a steady rate, with an end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::abi::KINDS;
use super::{Error, Frame, Generator, Prepared};

/// Frames of one kind that leave together. A veth's ring takes 256: smaller steps leave room for others in it.
static STEP: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| std::env::var("STEP").map_or(64, |x| x.parse().unwrap()));
/// A thread that fell behind by more than this (it was not scheduled) does not catch up: a burst is not what was asked for.
const FORGIVEN: Duration = Duration::from_millis(4);
/// The longest sleep, so that the stop flag is seen in time.
const LONGEST_SLEEP: Duration = Duration::from_millis(20);

/// One kind of frame in a flood.
#[derive(Debug, Clone)]
pub struct Stream {
    /// What it is called in reports.
    pub name: String,
    /// What it looks like.
    pub frame: Frame,
    /// Its share of the frames, against the other streams' weights.
    pub weight: u32,
}

/// Traffic with a rate and an end: it is over after `packets` frames or after `time`, whichever is first.
#[derive(Debug, Clone)]
pub struct Flood {
    /// Up to sixteen kinds of frames.
    pub streams: Vec<Stream>,
    /// Frames a second, together.
    pub pps: u64,
    /// The most frames.
    pub packets: u64,
    /// The longest time.
    pub time: Duration,
}

/// What a flood came to.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Frames that left.
    pub frames: u64,
    /// The same by stream.
    pub by_stream: Vec<(String, u64)>,
    /// From the first frame to the last.
    pub elapsed: Duration,
}

impl Sent {
    /// Frames a second.
    pub fn pps(&self) -> f64 {
        if self.elapsed.is_zero() { 0.0 } else { self.frames as f64 / self.elapsed.as_secs_f64() }
    }
}

impl Flood {
    /// Runs in the calling thread, which must be in the interface's network namespace, until the bounds or `stop`.
    pub fn run(&self, generator: &mut Generator, stop: &AtomicBool) -> Result<Sent, Error> {
        let mut mix = self.mix(generator)?;
        let before = self.sent(generator)?;
        let start = Instant::now();
        let mut pace = Pace::new(start, self.pps);
        let mut left = self.packets;
        while left > 0 && !stop.load(Ordering::Relaxed) && start.elapsed() < self.time {
            let now = Instant::now();
            if let Some(wait) = pace.wait(now) {
                if wait > Duration::from_micros(25) { std::thread::sleep(wait.min(LONGEST_SLEEP) - Duration::from_micros(10)); } else { std::hint::spin_loop(); }
                continue;
            }
            let count = left.min(u64::from(*STEP)) as u32;
            generator.send(mix.next(), count)?;
            pace.spent(count);
            left -= u64::from(count);
        }
        let elapsed = start.elapsed();
        let after = self.sent(generator)?;
        let by_stream = self.streams.iter().zip(after.iter().zip(&before));
        let by_stream: Vec<_> = by_stream.map(|(stream, (after, before))| (stream.name.clone(), after - before)).collect();
        Ok(Sent { frames: by_stream.iter().map(|(_, frames)| frames).sum(), by_stream, elapsed })
    }

    fn mix(&self, generator: &mut Generator) -> Result<Mix, Error> {
        if self.packets == 0 || self.pps == 0 || self.time.is_zero() {
            return Err(Error::Unbounded("packets, rate and time must all be given and not be zero"));
        }
        if self.streams.is_empty() || self.streams.len() > KINDS as usize {
            return Err(Error::Unbounded("it has one to sixteen streams"));
        }
        generator.forget();
        let prepare = |(slot, stream): (usize, &Stream)| {
            Ok(Lane { prepared: generator.prepare(&stream.frame, slot as u32)?, weight: stream.weight.max(1).into(), credit: 0 })
        };
        Ok(Mix { lanes: self.streams.iter().enumerate().map(prepare).collect::<Result<_, Error>>()? })
    }

    fn sent(&self, generator: &Generator) -> Result<Vec<u64>, Error> {
        (0..self.streams.len()).map(|slot| generator.sent(slot as u32)).collect()
    }
}

struct Lane {
    prepared: Prepared,
    weight: i64,
    credit: i64,
}

/// Smooth weighted round robin: each turn everybody earns its weight, the richest goes and pays the sum.
struct Mix {
    lanes: Vec<Lane>,
}

impl Mix {
    fn next(&mut self) -> &Prepared {
        let total: i64 = self.lanes.iter().map(|lane| lane.weight).sum();
        let mut richest = 0;
        for i in 0..self.lanes.len() {
            self.lanes[i].credit += self.lanes[i].weight;
            if self.lanes[i].credit > self.lanes[richest].credit {
                richest = i;
            }
        }
        self.lanes[richest].credit -= total;
        &self.lanes[richest].prepared
    }
}

/// When the next frames are due.
struct Pace {
    due: Instant,
    nanos_per_frame: f64,
}

impl Pace {
    fn new(start: Instant, pps: u64) -> Pace {
        Pace { due: start, nanos_per_frame: 1e9 / pps as f64 }
    }

    /// How long to wait still; `None` when frames are due.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        if let Some(floor) = now.checked_sub(FORGIVEN) {
            self.due = self.due.max(floor);
        }
        self.due.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    fn spent(&mut self, frames: u32) {
        self.due += Duration::from_nanos((f64::from(frames) * self.nanos_per_frame) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_kept_and_lost_time_is_not_made_up() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 64_000);
        assert_eq!(pace.wait(start), None);
        pace.spent(64);
        assert_eq!(pace.wait(start), Some(Duration::from_millis(1)));
        let late = start + Duration::from_secs(1);
        assert_eq!(pace.wait(late), None);
        for _ in 0..4 {
            pace.spent(64);
        }
        assert_eq!(pace.wait(late), None, "four milliseconds are made up");
        pace.spent(64);
        assert_eq!(pace.wait(late), Some(Duration::from_millis(1)), "and no more");
    }
}
