//! Tries a scenario in three acts: customers alone; the attack without Weir; the same attack with Weir.

mod act;
mod coming;
pub(crate) mod judge;
mod timing;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use weir_api::local::IncidentRow;

pub use act::{Act, Moment, Tallied};

use crate::customers::{self, Customers};
use crate::guard::{Arm, Guard};
use crate::lab::Lab;
use crate::report::Report;
use crate::scenario::{Learns, Scenario};
use crate::server::Servers;
use crate::tally;
use crate::weir::{self, Counter};

/// Above this share of its goodput a service was not really attacked.
pub const HARDLY_HURT: f64 = 0.5;
/// How often the rate is doubled, mostly, when a flood hardly hurts.
pub const DOUBLINGS: u32 = 2;
/// How long Weir learns rates where it is to, and how long customers are alone with it then.
const LEARN: Duration = Duration::from_secs(5);
const ALONE: Duration = Duration::from_secs(7);
/// The same where it is to get to know the customers themselves: each of them comes at a time of his own, and again ten seconds later.
const TOGETHER: Duration = Duration::from_secs(22);

/// How to try it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Length of what is measured of each act.
    pub window: Duration,
    /// Packets a second; without it the scenario's own.
    pub pps: Option<u64>,
    /// How often that is doubled when it hardly hurts.
    pub doublings: u32,
    /// Of the random numbers.
    pub seed: u64,
    /// Who protects the node in the third act.
    pub arm: Arm,
}

impl Default for Options {
    fn default() -> Self {
        Options { window: Duration::from_secs(8), pps: None, doublings: DOUBLINGS, seed: 1, arm: Arm::Weir }
    }
}

/// Whoever watches: a person at a terminal, or nobody.
pub trait Audience {
    /// An act begins.
    fn act(&mut self, number: u32, title: &str);
    /// Something happens that is worth a line.
    fn note(&mut self, text: &str);
    /// A second has passed.
    fn moment(&mut self, moment: &Moment);
}

/// The lab with its people: servers in the pod, customers, packet counters. Fields drop in this order.
pub struct Stage {
    customers: Customers,
    _servers: Servers,
    lab: Lab,
}

impl Stage {
    /// Builds it for a scenario and waits until customers are served.
    pub fn set(purpose: &str, scenario: &Scenario) -> Result<Stage> {
        crate::bots::allow_many_files()?;
        let lab = Lab::up(scenario.shape(), purpose)?;
        let servers = Servers::start(&lab, 0)?;
        tally::install(&lab)?;
        customers::wait_until_served(&lab)?;
        let customers = Customers::gather(&lab, scenario.load())?;
        Ok(Stage { customers, _servers: servers, lab })
    }

    /// The lab.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The customers.
    pub fn customers(&self) -> &Customers {
        &self.customers
    }

    /// Takes everything down and tells what went wrong with that.
    pub fn strike(self) -> Result<()> {
        let Stage { customers, _servers, lab } = self;
        customers.stop()?;
        drop(_servers);
        lab.down()
    }
}

/// What the third act left: figures of the act, and Weir's own account.
#[derive(Debug, Clone)]
pub struct Protected {
    /// The act.
    pub act: Act,
    /// Counters that grew in it.
    pub counters: Vec<Counter>,
    /// Reasons that were to be expected.
    pub expected: Vec<String>,
    /// What Weir noticed.
    pub incidents: Vec<IncidentRow>,
    /// Cores that Weir's user space used.
    pub cpu_cores: f64,
    /// Its memory at the end.
    pub rss_mib: f64,
}

/// What all acts came to.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// Weir's counters, for telling what they mean.
    #[serde(skip)]
    pub counters: Vec<Counter>,
}

/// The acts without Weir: what it is measured against.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    alone: Act,
    unprotected: Option<Act>,
    /// Packets a second of the flood.
    pub pps: u64,
}

/// Tries a scenario on a stage.
pub fn play(stage: &Stage, scenario: &Scenario, options: Options, audience: &mut dyn Audience) -> Result<Outcome> {
    let rehearsal = rehearse(stage, scenario, options, audience)?;
    perform(stage, scenario, &rehearsal, options, audience)
}

/// The first two acts.
pub fn rehearse(
    stage: &Stage,
    scenario: &Scenario,
    options: Options,
    audience: &mut dyn Audience,
) -> Result<Rehearsal> {
    audience.act(1, "customers alone");
    let alone = act::perform(stage, None, options, false, audience)?;
    let bare = alone.figures.goodput;

    let mut pps = options.pps.unwrap_or(scenario.pps);
    let mut unprotected = None;
    if scenario.happens() {
        audience.act(2, "the attack, without Weir");
        let mut act = act::perform(stage, Some((scenario, pps)), options, false, audience)?;
        for _ in 0..options.doublings {
            if !scenario.overwhelms() || act.figures.goodput < bare * HARDLY_HURT {
                break;
            }
            pps *= 2;
            audience.note(&format!("this machine takes that: once more with {pps} packets/s"));
            act = act::perform(stage, Some((scenario, pps)), options, false, audience)?;
        }
        unprotected = Some(act);
        // What the flood left in queues is not to be charged to Weir.
        customers::wait_until_served(&stage.lab).context("after the attack")?;
    }
    Ok(Rehearsal { alone, unprotected, pps })
}

/// The third act, which leaves the stage as it found it.
pub fn perform(
    stage: &Stage,
    scenario: &Scenario,
    rehearsal: &Rehearsal,
    options: Options,
    audience: &mut dyn Audience,
) -> Result<Outcome> {
    audience.act(3, if options.arm == Arm::Weir { "the same, with Weir" } else { options.arm.name() });
    let protected = protected(stage, scenario, rehearsal.pps, options, audience)?;
    Ok(judge::outcome(scenario, options.arm, rehearsal, protected))
}

fn protected(
    stage: &Stage,
    scenario: &Scenario,
    pps: u64,
    options: Options,
    audience: &mut dyn Audience,
) -> Result<Protected> {
    let alone = match scenario.learns {
        Learns::Nothing => None,
        Learns::Connections => Some(options.window),
        Learns::Rates => Some(options.window.max(ALONE)),
        Learns::Customers => Some(options.window.max(TOGETHER)),
    };
    let learn = matches!(scenario.learns, Learns::Rates | Learns::Customers).then_some(LEARN);
    let guard = Guard::start(options.arm, &stage.lab, &(scenario.policy)(), learn)?;
    audience.note(options.arm.introduction());
    // Attaching a program resets the uplink's queue: neighbours are found again before anything is measured.
    customers::wait_until_served(&stage.lab).context("with protection, before the attack")?;
    if let Some(window) = alone.filter(|_| options.arm == Arm::Weir) {
        audience.note("customers alone, while Weir gets to know them");
        let _ = act::perform(stage, None, Options { window, ..options }, false, audience)?;
    }
    let (before, start, usage) = (guard.settled_counters()?, Instant::now(), guard.usage()?);
    let attack = scenario.happens().then_some((scenario, pps));
    let act = act::perform(stage, attack, options, true, audience)?;
    let (after, incidents) = (guard.usage()?, guard.incidents()?);
    let cpu_cores = (after.cpu_seconds - usage.cpu_seconds) / start.elapsed().as_secs_f64();
    let counters = grown(&before, guard.settled_counters()?);
    guard.stop(&stage.lab)?;
    let expected = options.arm.reasons(scenario.expected);
    Ok(Protected { act, counters, expected, incidents, cpu_cores, rss_mib: after.rss_mib })
}

/// The counters that grew, by what they grew. Rows are told apart by reason and verdict; those of several targets add up.
fn grown(before: &[Counter], after: Vec<Counter>) -> Vec<Counter> {
    let mut rows: Vec<Counter> = Vec::new();
    for row in after {
        match rows.iter_mut().find(|known| known.reason == row.reason && known.verdict == row.verdict) {
            Some(known) => known.packets += row.packets,
            None => rows.push(row),
        }
    }
    for row in &mut rows {
        let earlier = weir::by_reason(before, &row.verdict).get(&row.reason).copied().unwrap_or(0);
        row.packets = row.packets.saturating_sub(earlier);
    }
    rows.retain(|row| row.packets > 0);
    rows.sort_by_key(|row| std::cmp::Reverse(row.packets));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_grow_by_reason_and_verdict() {
        let row = |reason: &str, verdict: &str, packets| Counter {
            reason: reason.into(),
            verdict: verdict.into(),
            packets,
            text: String::new(),
        };
        let before = [row("clean", "pass", 10), row("rule", "drop", 5)];
        let after =
            vec![row("clean", "pass", 12), row("rule", "drop", 5), row("block", "drop", 4), row("clean", "pass", 7)];
        let grown: Vec<_> = grown(&before, after).into_iter().map(|row| (row.reason, row.packets)).collect();
        assert_eq!(grown, [("clean".to_owned(), 9), ("block".to_owned(), 4)]);
    }
}
