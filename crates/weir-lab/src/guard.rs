//! Who protects the node in the third act: Weir, or the stand-in that knows the customers and drops everybody else. The
//! stand-in shows what the best of all defences could reach on this machine, and that the lab itself works.

use anyhow::Result;
use weir_api::local::IncidentRow;
use weir_datapath::traffic::{Attached, LabInterface, StandIn};

use crate::lab::Lab;
use crate::plan::{CUSTOMERS_V4, CUSTOMERS_V6, UPLINK};
use crate::scenario::Policy;
use crate::weir::{Counter, Usage, Weir};

/// The reason in the stand-in's counters.
pub const STAND_IN: &str = "not_a_customer";

/// A protected node.
pub enum Guard {
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
    /// Starts Weir and waits until it is ready.
    pub fn weir(lab: &Lab, policy: &Policy) -> Result<Guard> {
        Weir::start(lab, policy).map(Guard::Weir)
    }

    /// Attaches the stand-in.
    pub fn stand_in(lab: &Lab) -> Result<Guard> {
        lab.layout().node.within(|| {
            let mut program = StandIn::load(CUSTOMERS_V4, CUSTOMERS_V6)?;
            let attached = program.attach(&LabInterface::open(UPLINK)?)?;
            Ok(Guard::StandIn { program, attached })
        })
    }

    /// What it did with packets so far.
    pub fn counters(&self) -> Result<Vec<Counter>> {
        match self {
            Guard::Weir(weir) => weir.counters(),
            Guard::StandIn { program, .. } => {
                let (passed, dropped) = program.counts()?;
                let row = |reason: &str, verdict: &str, packets, text: &str| Counter {
                    reason: reason.to_owned(),
                    verdict: verdict.to_owned(),
                    packets,
                    text: text.to_owned(),
                };
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
            Guard::StandIn { .. } => self.counters(),
        }
    }

    /// What it noticed.
    pub fn incidents(&self) -> Result<Vec<IncidentRow>> {
        match self {
            Guard::Weir(weir) => weir.incidents(),
            Guard::StandIn { .. } => Ok(Vec::new()),
        }
    }

    /// What it used in user space.
    pub fn usage(&self) -> Result<Usage> {
        match self {
            Guard::Weir(weir) => weir.usage(),
            Guard::StandIn { .. } => Ok(Usage::default()),
        }
    }

    /// Takes it away.
    pub fn stop(self) -> Result<()> {
        match self {
            Guard::Weir(weir) => weir.stop(),
            Guard::StandIn { .. } => Ok(()),
        }
    }
}
