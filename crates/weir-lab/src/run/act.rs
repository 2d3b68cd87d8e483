//! One act: customers ask, perhaps a flood comes, everybody's packets are counted.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use weir_datapath::traffic::Sent;

use super::{Audience, Options, Stage};
use crate::customers::{Figures, Totals};
use crate::device;
use crate::flood;
use crate::scenario::Scenario;
use crate::stop;
use crate::tally::{self, Counts};

/// Before the window opens: connections are warm, the flood has filled what it fills.
const SETTLE: Duration = Duration::from_secs(1);
/// A flood may last so much longer than the window, on a machine that is busy with it.
const SLACK: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

/// What came of an act.
#[derive(Debug, Clone)]
pub struct Act {
    /// What the customers got.
    pub figures: Figures,
    /// Packets, from the act's beginning to its end.
    pub counts: Counts,
    /// The flood.
    pub sent: Sent,
    /// When its first packet was sent.
    pub began: Option<SystemTime>,
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
    /// Packets that attackers sent.
    pub attack: u64,
    /// Packets that entered the pod, from whomever.
    pub pod: u64,
}

/// Performs an act, with a flood or without.
pub fn perform(
    stage: &Stage,
    attack: Option<(&Scenario, u64)>,
    options: Options,
    audience: &mut dyn Audience,
) -> Result<Act> {
    stop::check()?;
    let before = tally::read(&stage.lab)?;
    stage.customers.begin();
    let running = match attack {
        Some((scenario, pps)) => {
            let flood = scenario.flood(pps, SETTLE + options.window + SLACK).context("this scenario has no flood")?;
            audience.note(&format!(
                "flood: {} packets/s, at most {} packets and {} s, out of {} in namespace {}",
                flood.pps,
                flood.packets,
                flood.time.as_secs(),
                stage.lab.layout().attack_interface,
                stage.lab.layout().attackers.name(),
            ));
            Some(flood::start(&stage.lab, flood, options.seed)?)
        }
        None => None,
    };
    let began = running.as_ref().map(first_packet).transpose()?;
    stop::pass(SETTLE)?;
    stage.customers.open_window(options.window);
    watch(stage, running.as_ref(), options.window, audience)?;
    let figures = stage.customers.close_window()?;
    let sent = match running {
        Some(running) if !running.is_running() => {
            running.wait()?;
            bail!("the flood ended before the customers' window did: this machine is too busy for figures");
        }
        Some(running) => running.stop()?,
        None => Sent::default(),
    };
    stage.customers.pause()?;
    Ok(Act { figures, counts: tally::read(&stage.lab)? - before, sent, began })
}

/// Waits for a flood's first packet.
fn first_packet(running: &flood::Running) -> Result<SystemTime> {
    let start = Instant::now();
    while running.so_far() == 0 {
        if start.elapsed() > SLACK {
            bail!("the flood does not begin");
        }
        stop::pass(Duration::from_millis(1))?;
    }
    Ok(SystemTime::now())
}

/// Tells the audience of every second until the window is over.
fn watch(stage: &Stage, running: Option<&flood::Running>, window: Duration, audience: &mut dyn Audience) -> Result<()> {
    let start = Instant::now();
    let look = || -> Result<(Totals, u64, u64)> {
        let attack = running.map_or(0, flood::Running::so_far);
        Ok((stage.customers.so_far(), attack, device::figures(&stage.lab.layout().pods[0], "eth0")?.received))
    };
    let mut last = look()?;
    for second in 1..=window.as_secs() {
        stop::pass((start + SECOND * second as u32).saturating_duration_since(Instant::now()))?;
        let now = look()?;
        audience.moment(&Moment {
            second,
            answered: now.0.answered - last.0.answered,
            failed: now.0.failed - last.0.failed,
            attack: now.1 - last.1,
            pod: now.2.saturating_sub(last.2),
        });
        last = now;
    }
    Ok(())
}
