//! A flood: one or more kinds of frames, mixed by weight, at a steady rate, with an end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::abi::KINDS;
use super::{Error, Frame, Generator, Prepared};

/// How long the kernel is to go on before it looks up: the stop flag is seen that late, and kinds of frames change so often.
/// Shorter slices cost more, because each has a memory pool of its own to which every frame must return.
const SLICE: Duration = Duration::from_millis(3);
/// … or so many times as long as it takes to begin a slice: the kernel lets only one process at a time begin or end a test
/// run or attach an XDP program, and another one may be slow at it.
const WORTH: u32 = 9;
const LONGEST_SLICE: Duration = Duration::from_millis(100);
/// Between slices, a moment for whoever else needs this core; the pace makes up for it. A real-time thread that never rests
/// would be stopped by the kernel for a twentieth of each second instead.
const REST: Duration = Duration::from_micros(160);
const FIRST_RUNS: u32 = 20_000;
const FEWEST_RUNS: u32 = 640;
const MOST_RUNS: u32 = 1_000_000;

/// One kind of frame in a flood.
#[derive(Debug, Clone)]
pub struct Stream {
    /// What it is called in reports.
    pub name: String,
    /// What it looks like.
    pub frame: Frame,
    /// Its share of the time, against the other streams' weights.
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
    /// Runs in the calling thread, which must be in the interface's network namespace, until the bounds or `stop`. It keeps
    /// one core busy nearly all the time: waiting for the next frame's moment is part of sending evenly.
    pub fn run(&self, generator: &mut Generator, stop: &AtomicBool) -> Result<Sent, Error> {
        self.run_and_tell(generator, stop, |_| {})
    }

    /// The same, and tells now and then how many frames have left.
    pub fn run_and_tell(
        &self,
        generator: &mut Generator,
        stop: &AtomicBool,
        tell: impl Fn(u64),
    ) -> Result<Sent, Error> {
        let mut mix = self.mix(generator)?;
        let before = self.sent(generator)?;
        let total_before: u64 = before.iter().sum();
        generator.pace(self.pps, self.packets, self.time)?;
        let start = Instant::now();
        let (mut runs, mut total) = (FIRST_RUNS, 0);
        while total < self.packets && start.elapsed() < self.time && !stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            if let Some(each) = generator.run(mix.next(), runs)? {
                runs = next_runs(each, begun.elapsed().saturating_sub(each * runs));
            }
            total = self.sent(generator)?.iter().sum::<u64>() - total_before;
            tell(total);
            std::thread::sleep(REST);
        }
        let elapsed = start.elapsed();
        generator.unpace()?;
        let after = self.sent(generator)?;
        let by_stream = self.streams.iter().zip(after.iter().zip(&before));
        let by_stream = by_stream.map(|(stream, (after, before))| (stream.name.clone(), after - before)).collect();
        Ok(Sent { frames: after.iter().sum::<u64>() - total_before, by_stream, elapsed })
    }

    fn mix(&self, generator: &mut Generator) -> Result<Mix, Error> {
        if self.packets == 0 || self.pps == 0 || self.time.is_zero() {
            return Err(Error::Unbounded("packets, rate and time must all be given and not be zero"));
        }
        if self.streams.is_empty() || self.streams.len() > KINDS as usize {
            return Err(Error::Unbounded("it has one to sixteen streams"));
        }
        generator.forget();
        let lane = |(slot, stream): (usize, &Stream)| {
            let prepared = generator.prepare(&stream.frame, slot as u32)?;
            Ok(Lane { prepared, weight: stream.weight.max(1).into(), credit: 0 })
        };
        Ok(Mix { lanes: self.streams.iter().enumerate().map(lane).collect::<Result<_, Error>>()? })
    }

    fn sent(&self, generator: &Generator) -> Result<Vec<u64>, Error> {
        (0..self.streams.len()).map(|slot| generator.sent(slot as u32)).collect()
    }
}

/// How many runs should fill the next slice, when each takes so long and beginning took so long.
fn next_runs(each: Duration, beginning: Duration) -> u32 {
    let slice = SLICE.max(beginning * WORTH).min(LONGEST_SLICE);
    let runs = slice.as_nanos() / each.as_nanos().max(1);
    u32::try_from(runs).unwrap_or(MOST_RUNS).clamp(FEWEST_RUNS, MOST_RUNS)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_as_long_as_is_worth_it() {
        let next = |each_ns: u64, beginning_us: u64| {
            next_runs(Duration::from_nanos(each_ns), Duration::from_micros(beginning_us))
        };
        assert_eq!(next(100, 20), 30_000, "three milliseconds");
        assert_eq!(next(100, 1_000), 90_000, "nine times the beginning");
        assert_eq!(next(100, 50_000), 1_000_000, "a tenth of a second at most");
        assert_eq!(next(100_000, 20), FEWEST_RUNS, "a jam");
        assert_eq!(next(0, 20), MOST_RUNS);
    }
}
