//! A lab from the first namespace to the last: building it, and removing every trace of it.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::clean;
use crate::name::LabId;
use crate::state::{Claim, State};
use crate::topology::{self, Layout, Path, Shape};

/// A running lab. Dropping it removes it; [`Lab::down`] does the same and tells what went wrong.
pub struct Lab {
    claim: Option<Claim>,
    layout: Layout,
    shape: Shape,
    path: Option<Path>,
}

impl Lab {
    /// Builds one. Nothing is left behind when that fails.
    pub fn up(shape: Shape, purpose: &str) -> Result<Lab> {
        let claim = Claim::new()?;
        let layout = Layout::of(&claim.id, shape);
        let state = State {
            pid: std::process::id(),
            purpose: purpose.to_owned(),
            namespaces: layout.namespaces().map(|ns| ns.name().to_owned()).collect(),
            attack_interfaces: vec![(layout.attackers.name().to_owned(), layout.attack_interface.clone())],
        };
        // From here on, dropping cleans up.
        let mut lab = Lab { claim: Some(claim), layout, shape, path: None };
        lab.claim().write(&state)?;
        lab.path = Some(topology::build(&lab.layout, shape).context("cannot build the lab's network")?);
        Ok(lab)
    }

    fn claim(&self) -> &Claim {
        self.claim.as_ref().expect("held until the lab goes down")
    }

    /// Its identity.
    pub fn id(&self) -> &LabId {
        &self.claim().id
    }

    /// Its directory, for files of servers and of Weir; removed with it.
    pub fn dir(&self) -> PathBuf {
        self.claim().dir()
    }

    /// Its namespaces.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What was built.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Attackers' frames that reached the node's uplink, or were lost in its full queue.
    pub fn forwarded(&self) -> Result<u64> {
        self.path.as_ref().map_or(Ok(0), Path::forwarded)
    }

    /// Removes it.
    pub fn down(mut self) -> Result<()> {
        self.remove()
    }

    fn remove(&mut self) -> Result<()> {
        self.path = None;
        match self.claim.take() {
            Some(claim) => clean::remove(claim),
            None => Ok(()),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("warning: the lab is not gone completely: {error:#}; `weir-lab clean` tries again");
        }
    }
}
