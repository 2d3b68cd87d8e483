//! Who protects the node in the third act: Weir; nobody; a program of the per-source class; or the stand-in that knows the
//! customers and drops everybody else, which shows what the best of all defences could reach on this machine.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;
use weir_api::local::IncidentRow;
use weir_datapath::traffic::{Attached, LabInterface, SeedLike, SeedSettings, StandIn};

use crate::lab::Lab;
use crate::plan::{CUSTOMERS_V4, CUSTOMERS_V6, UPLINK};
use crate::scenario::Policy;
use crate::weir::{Counter, Usage, Weir};

/// The reason in the stand-in's counters.
pub const STAND_IN: &str = "not_a_customer";

/// The reason in the per-source program's counters.
const SEED_LIKE: &str = "source_over_threshold";

/// Who is to protect the node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Nobody
    None,
    /// A counter for each IPv4 source, a thousand packets a second, a block for a minute
    SeedLike,
    /// A filter that knows the customers
    StandIn,
    /// Weir
    #[default]
    Weir,
}

impl Arm {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Arm::None => "none",
            Arm::SeedLike => "seed-like",
            Arm::StandIn => "stand-in",
            Arm::Weir => "weir",
        }
    }

    /// What an audience is told.
    pub fn introduction(self) -> &'static str {
        match self {
            Arm::None => "nobody protects the node",
            Arm::SeedLike => "a program that counts packets of each source filters on the node's uplink",
            Arm::StandIn => "the stand-in filters on the node's uplink",
            Arm::Weir => "Weir runs on the node's uplink and enforces its policy",
        }
    }

    /// The reasons that this one gives in a scenario in which Weir gives those.
    pub fn reasons(self, weirs: &[&str]) -> Vec<String> {
        match self {
            Arm::Weir => weirs.iter().map(|reason| (*reason).to_owned()).collect(),
            Arm::StandIn if !weirs.is_empty() => vec![STAND_IN.to_owned()],
            _ => Vec::new(),
        }
    }
}

/// A protected node, or one that is not.
pub enum Guard {
    /// By nobody.
    Nobody,
    /// By a counter for each source.
    SeedLike {
        /// The program.
        program: SeedLike,
        /// Its place; held for its Drop.
        attached: Attached,
    },
    /// By Weir.
    Weir(Weir),
    /// By the stand-in.
    StandIn {
        /// The program.
        program: StandIn,
        /// Its place; held for its Drop.
        attached: Attached,
    },
}

impl Guard {
    /// Puts an arm in place and waits until it is ready. Weir is given the policy, and time to learn rates where that is said.
    pub fn start(arm: Arm, lab: &Lab, policy: &Policy, learn: Option<Duration>) -> Result<Guard> {
        match arm {
            Arm::None => Ok(Guard::Nobody),
            Arm::SeedLike => Guard::seed_like(lab),
            Arm::StandIn => Guard::stand_in(lab),
            Arm::Weir => Weir::start_and_learn(lab, policy, learn).map(Guard::Weir),
        }
    }

    fn seed_like(lab: &Lab) -> Result<Guard> {
        lab.layout().node.within(|| {
            let mut program = SeedLike::load(SeedSettings::default())?;
            let attached = program.attach(&LabInterface::open(UPLINK)?)?;
            Ok(Guard::SeedLike { program, attached })
        })
    }

    fn stand_in(lab: &Lab) -> Result<Guard> {
        lab.layout().node.within(|| {
            let mut program = StandIn::load(CUSTOMERS_V4, CUSTOMERS_V6)?;
            let attached = program.attach(&LabInterface::open(UPLINK)?)?;
            Ok(Guard::StandIn { program, attached })
        })
    }

    /// What it did with packets so far.
    pub fn counters(&self) -> Result<Vec<Counter>> {
        let row = |reason: &str, verdict: &str, packets, text: &str| Counter {
            reason: reason.to_owned(),
            verdict: verdict.to_owned(),
            packets,
            text: text.to_owned(),
        };
        match self {
            Guard::Nobody => Ok(Vec::new()),
            Guard::Weir(weir) => weir.counters(),
            Guard::SeedLike { program, .. } => {
                let tally = program.tally()?;
                Ok(vec![
                    row("source", "pass", tally.passed, "the source is below the threshold, or not IPv4"),
                    row(SEED_LIKE, "drop", tally.dropped, "the source was above a thousand packets a second"),
                ])
            }
            Guard::StandIn { program, .. } => {
                let (passed, dropped) = program.counts()?;
                Ok(vec![
                    row("customer", "pass", passed, "the source is one of the lab's customers, or no IP address"),
                    row(STAND_IN, "drop", dropped, "the source is none of the lab's customers"),
                ])
            }
        }
    }

    /// The same when no packets come any more.
    pub fn settled_counters(&self) -> Result<Vec<Counter>> {
        match self {
            Guard::Weir(weir) => weir.settled_counters(),
            _ => self.counters(),
        }
    }

    /// What it noticed.
    pub fn incidents(&self) -> Result<Vec<IncidentRow>> {
        match self {
            Guard::Weir(weir) => weir.incidents(),
            _ => Ok(Vec::new()),
        }
    }

    /// What it used in user space.
    pub fn usage(&self) -> Result<Usage> {
        match self {
            Guard::Weir(weir) => weir.usage(),
            _ => Ok(Usage::default()),
        }
    }

    /// Takes it away, with all that it has learned: the next one begins anew.
    pub fn stop(self, lab: &Lab) -> Result<()> {
        if let Guard::Weir(weir) = self {
            weir.stop()?;
            Weir::detach(lab)?;
            Weir::forget(lab)?;
        }
        Ok(())
    }
}
