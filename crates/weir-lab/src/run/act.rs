//! One act: customers ask, perhaps an attack comes, everybody's packets are counted.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use weir_datapath::traffic::Sent;

use super::coming::Coming;
use super::{Audience, Options, Stage};
use crate::bots::Done;
use crate::customers::{Figures, Totals};
use crate::device;
use crate::flood::Stretch;
use crate::meter::{Meter, Reading};
use crate::plan::by_chance;
use crate::scenario::{Attack, Scenario};
use crate::stop;
use crate::tally::{self, Counts};

/// Before the window opens: connections are warm, the flood has filled what it fills.
pub const SETTLE: Duration = Duration::from_secs(1);
/// Machines with connections need longer for that.
const GATHER: Duration = Duration::from_secs(4);
const SECOND: Duration = Duration::from_secs(1);
/// An attack keeps no time with the windows of a defence: it begins at any time of one, from run to run at another.
const AT_ANY_TIME_MS: u64 = 100;
/// Between looks at what goes on.
const LOOK: Duration = Duration::from_millis(50);
/// So long into a rest, the last packets before it have arrived wherever they go.
const ARRIVED: Duration = Duration::from_millis(250);
/// Counters are read so often while a steady attack goes on: to read them costs the machine a little.
const READ: usize = 5;

/// What came of an act.
#[derive(Debug, Clone)]
pub struct Act {
    /// What the customers got.
    pub figures: Figures,
    /// Packets, from the act's beginning to its end.
    pub counts: Counts,
    /// How long that was.
    pub elapsed: Duration,
    /// The flood.
    pub sent: Sent,
    /// Its phases.
    pub stretches: Vec<Stretch>,
    /// Attackers with connections.
    pub bots: Option<Done>,
    /// When the first packet was sent, or more customers came; where neither happens, when the act began.
    pub began: SystemTime,
    /// When the last one was.
    pub ended: SystemTime,
    /// Counters in between.
    pub readings: Vec<Tallied>,
    /// Packets into the pod, finely.
    pub meter: Vec<Reading>,
}

/// Counters in the middle of an act.
#[derive(Debug, Clone, Copy)]
pub struct Tallied {
    /// Just before they were read.
    pub at: SystemTime,
    /// Packets since the act began.
    pub counts: Counts,
    /// Frames that the flood had sent, as far as it has told: it tells after each slice of at most a tenth of a second.
    pub sent: u64,
    /// Phases of the flood that had begun.
    pub stretches: usize,
}

/// What a second of an act brought.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// Seconds since the window opened.
    pub second: u64,
    /// Right answers.
    pub answered: u64,
    /// Failed requests.
    pub failed: u64,
    /// Packets that attackers sent, or connections that they opened.
    pub attack: u64,
    /// Packets that entered the pod, from whomever.
    pub pod: u64,
}

/// Performs an act, with an attack or without. `closely`: counters are read in between, too.
pub fn perform(
    stage: &Stage,
    attack: Option<(&Scenario, u64)>,
    options: Options,
    closely: bool,
    audience: &mut dyn Audience,
) -> Result<Act> {
    stop::check()?;
    let before = tally::read(&stage.lab)?;
    let (start, opened) = (Instant::now(), SystemTime::now());
    stage.customers.begin();
    let meter = attack.map(|_| Meter::start(&stage.lab)).transpose()?;
    let coming = match attack {
        Some((scenario, pps)) => {
            stop::pass(Duration::from_millis(by_chance(options.seed, AT_ANY_TIME_MS)))?;
            Coming::start(stage, scenario, pps, options, audience)?
        }
        None => Coming::Nothing,
    };
    let came = coming.began()?;
    let in_pulses = attack.is_some_and(|(scenario, _)| matches!(scenario.attack, Attack::Pulses(_)));
    let watch = Watch { stage, coming: &coming, before, closely, in_pulses };
    let mut readings = Vec::new();
    if matches!(coming, Coming::Bots(_)) {
        readings.extend(watch.gathering()?);
    } else {
        stop::pass(SETTLE)?;
    }
    let window = attack.map_or(options.window, |(scenario, _)| scenario.lasts(SETTLE + options.window) - SETTLE);
    let surge = attack.map_or(1, |(scenario, _)| scenario.surge());
    let began = came.unwrap_or(if surge > 1 { SystemTime::now() } else { opened });
    stage.customers.surge(surge);
    stage.customers.open_window(window);
    let later = watch.until_the_end(window, audience);
    stage.customers.surge(1);
    readings.extend(later?);
    let figures = stage.customers.close_window()?;
    if !in_pulses && coming.is_over() {
        coming.stop()?;
        bail!("the attack ended before the customers' window did: this machine is too busy for figures");
    }
    let came = coming.stop()?;
    let ended = SystemTime::now();
    let meter = meter.map(Meter::stop).transpose()?.unwrap_or_default();
    stage.customers.pause()?;
    let elapsed = start.elapsed();
    let counts = tally::read(&stage.lab)? - before;
    let (sent, stretches, bots) = (came.sent, came.stretches, came.bots);
    Ok(Act { figures, counts, elapsed, sent, stretches, bots, began, ended, readings, meter })
}

struct Watch<'a> {
    stage: &'a Stage,
    coming: &'a Coming,
    before: Counts,
    closely: bool,
    in_pulses: bool,
}

impl Watch<'_> {
    /// Lets machines with connections gather, and reads counters once a second meanwhile.
    fn gathering(&self) -> Result<Vec<Tallied>> {
        let mut readings = Vec::new();
        for second in 1..=GATHER.as_secs() {
            stop::pass(SECOND)?;
            // With the last one the window opens, and has readings of its own.
            if self.closely && second < GATHER.as_secs() {
                readings.push(self.read()?);
            }
        }
        Ok(readings)
    }

    /// Tells the audience of every second until the window is over, and reads counters now and then.
    fn until_the_end(&self, window: Duration, audience: &mut dyn Audience) -> Result<Vec<Tallied>> {
        let start = Instant::now();
        let (mut last, mut second) = (self.look()?, 0);
        let mut readings = Vec::new();
        loop {
            if self.closely && self.is_time_to_read(&readings, start.elapsed()) {
                readings.push(self.read()?);
            }
            let elapsed = start.elapsed();
            if elapsed >= SECOND * (second + 1) {
                second += 1;
                let now = self.look()?;
                audience.moment(&Moment {
                    second: second.into(),
                    answered: now.0.answered - last.0.answered,
                    failed: now.0.failed - last.0.failed,
                    attack: now.1 - last.1,
                    pod: now.2.saturating_sub(last.2),
                });
                last = now;
            }
            if elapsed >= window {
                return Ok(readings);
            }
            stop::pass(LOOK.min(window - elapsed))?;
        }
    }

    fn look(&self) -> Result<(Totals, u64, u64)> {
        let pod = device::figures(&self.stage.lab.layout().pods[0], "eth0")?.received;
        Ok((self.stage.customers.so_far(), self.coming.so_far(), pod))
    }

    /// Once in each rest between pulses; in a steady attack once a second, a few times.
    fn is_time_to_read(&self, readings: &[Tallied], elapsed: Duration) -> bool {
        if !self.in_pulses {
            return readings.len() < READ && elapsed >= SECOND * readings.len() as u32;
        }
        let stretches = self.coming.stretches();
        let rested = stretches.last().and_then(|stretch| stretch.ended?.elapsed().ok());
        let read = readings.last().map_or(0, |reading| reading.stretches);
        stretches.len() > read && rested.is_some_and(|rested| rested >= ARRIVED)
    }

    fn read(&self) -> Result<Tallied> {
        let (at, stretches) = (SystemTime::now(), self.coming.stretches().len());
        let counts = tally::read(&self.stage.lab).context("in the middle of an act")? - self.before;
        Ok(Tallied { at, counts, sent: self.coming.so_far(), stretches })
    }
}
