//! What comes in an act: a flood, machines with connections of their own, more customers, or nothing.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use weir_datapath::traffic::Sent;

use super::act::SETTLE;
use super::{Audience, Options, Stage};
use crate::bots::{Bots, Done};
use crate::flood::{self, Stretch};
use crate::scenario::{Attack, Scenario};
use crate::stop;

/// An attack may last so much longer than the window, on a machine that is busy with it.
const SLACK: Duration = Duration::from_secs(10);

/// What is under way.
pub enum Coming {
    /// Nothing, or nothing but customers.
    Nothing,
    /// A flood.
    Flood(flood::Running),
    /// Machines at work.
    Bots(Bots),
}

/// What it came to.
#[derive(Debug, Clone, Default)]
pub struct Came {
    /// The flood.
    pub sent: Sent,
    /// Its phases.
    pub stretches: Vec<Stretch>,
    /// The machines.
    pub bots: Option<Done>,
}

impl Coming {
    /// Starts it, and says before what it is bounded by.
    pub fn start(
        stage: &Stage,
        scenario: &Scenario,
        pps: u64,
        options: Options,
        audience: &mut dyn Audience,
    ) -> Result<Coming> {
        let layout = stage.lab.layout();
        let time = SETTLE + options.window + SLACK;
        match scenario.attack {
            Attack::None | Attack::Surge(_) => Ok(Coming::Nothing),
            Attack::Bots(habit) => {
                let (machines, within) = (2 * stage.lab.shape().bots, layout.bots.as_ref().map(|ns| ns.name()));
                audience.note(&format!(
                    "attack: {machines} machines in namespace {}, for at most {} s",
                    within.unwrap_or("?"),
                    time.as_secs()
                ));
                Ok(Coming::Bots(Bots::start(&stage.lab, habit, time)?))
            }
            Attack::Flood(_) | Attack::Pulses(_) | Attack::Growing(_) => {
                let train = scenario.train(pps, time);
                let packets: u64 = train.iter().map(|phase| phase.flood.packets).sum();
                let lasts: Duration = train.iter().map(|phase| phase.flood.time + phase.rest).sum();
                audience.note(&format!(
                    "flood: {pps} packets/s, at most {packets} packets and {} s, out of {} in namespace {}",
                    lasts.as_secs(),
                    layout.attack_interface,
                    layout.attackers.name(),
                ));
                Ok(Coming::Flood(flood::start_train(&stage.lab, train, options.seed)?))
            }
        }
    }

    /// When it began: just before the first packet, which is waited for.
    pub fn began(&self) -> Result<Option<SystemTime>> {
        let start = Instant::now();
        loop {
            let began = match self {
                Coming::Nothing => return Ok(None),
                Coming::Bots(bots) => bots.began(),
                Coming::Flood(running) if running.so_far() == 0 => None,
                Coming::Flood(running) => running.stretches().first().map(|stretch| stretch.began),
            };
            if began.is_some() {
                return Ok(began);
            }
            if start.elapsed() > SLACK || self.is_over() {
                bail!("the attack does not begin");
            }
            stop::pass(Duration::from_millis(1))?;
        }
    }

    /// Packets so far, or connections.
    pub fn so_far(&self) -> u64 {
        match self {
            Coming::Nothing => 0,
            Coming::Flood(running) => running.so_far(),
            Coming::Bots(bots) => bots.so_far(),
        }
    }

    /// A flood's phases so far.
    pub fn stretches(&self) -> Vec<Stretch> {
        if let Coming::Flood(running) = self { running.stretches() } else { Vec::new() }
    }

    /// Whether an attack has ended by itself.
    pub fn is_over(&self) -> bool {
        match self {
            Coming::Nothing => false,
            Coming::Flood(running) => !running.is_running(),
            Coming::Bots(bots) => !bots.are_running(),
        }
    }

    /// Ends it.
    pub fn stop(self) -> Result<Came> {
        match self {
            Coming::Nothing => Ok(Came::default()),
            Coming::Bots(bots) => Ok(Came { bots: Some(bots.stop()?), ..Came::default() }),
            Coming::Flood(running) => {
                let (sent, stretches) = running.stop_and_tell()?;
                Ok(Came { sent, stretches, bots: None })
            }
        }
    }
}
