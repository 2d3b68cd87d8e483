//! `weir-lab list`: the scenarios, and the labs on this machine.

use anyhow::Result;
use serde::Serialize;

use crate::scenario::{self, Scenario};
use crate::state;

/// Everything that is listed.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// What can be tried.
    pub scenarios: Vec<Entry>,
    /// Labs that are open, or whose owners crashed.
    pub labs: Vec<Lab>,
}

/// One scenario.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// In one line.
    pub about: &'static str,
    /// Attack packets a second.
    pub pps: u64,
    /// Reasons that Weir should drop for.
    pub expected_reasons: &'static [&'static str],
}

/// One lab.
#[derive(Debug, Serialize)]
pub struct Lab {
    /// Its identity.
    pub id: String,
    /// What it is about; unknown in its first moments.
    pub purpose: Option<String>,
    /// Its owner.
    pub pid: Option<u32>,
    /// Whether the owner lives; if not, `weir-lab clean` removes it.
    pub alive: bool,
}

impl Listing {
    /// Looks.
    pub fn of_this_machine() -> Result<Listing> {
        let entry =
            |it: &Scenario| Entry { name: it.name, about: it.about, pps: it.pps, expected_reasons: it.expected };
        let lab = |id| {
            let state = state::read(&id)?;
            let (purpose, pid) = state.map(|state| (state.purpose, state.pid)).unzip();
            Ok(Lab { alive: state::is_owned(&id)?, id: id.to_string(), purpose, pid })
        };
        Ok(Listing {
            scenarios: scenario::ALL.iter().map(entry).collect(),
            labs: state::all()?.into_iter().map(lab).collect::<Result<_>>()?,
        })
    }

    /// For people.
    pub fn print(&self) {
        println!("scenarios:");
        for Entry { name, about, .. } in &self.scenarios {
            println!("  {name:20}{about}");
        }
        println!("labs on this machine:{}", if self.labs.is_empty() { " none" } else { "" });
        for Lab { id, purpose, pid, alive } in &self.labs {
            let purpose = purpose.as_deref().unwrap_or("in its first moments");
            let owner = match (alive, pid) {
                (true, Some(pid)) => format!("process {pid}"),
                (true, None) => "starting".to_owned(),
                (false, _) => "crashed, `weir-lab clean` removes it".to_owned(),
            };
            println!("  {id:20}{purpose}: {owner}");
        }
    }
}
