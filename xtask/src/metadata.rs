//! The parts of `cargo metadata` that tests, tidy and the licence check read.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

use crate::sh;

/// A workspace, with its own packages only or with all that it depends on.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    pub packages: Vec<Package>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    /// `None` for a package of this repository.
    pub source: Option<String>,
    pub dependencies: Vec<Dependency>,
    pub targets: Vec<Target>,
    pub features: BTreeMap<String, Vec<String>>,
    pub manifest_path: PathBuf,
}

#[derive(Debug, Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` for an ordinary one, else `dev` or `build`.
    pub kind: Option<String>,
    pub features: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Target {
    pub name: String,
    pub kind: Vec<String>,
    #[serde(default, rename = "required-features")]
    pub required_features: Vec<String>,
}

impl Package {
    /// Its integration tests.
    pub fn tests(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "test"))
    }
}

/// Asks cargo for a workspace's own packages.
pub fn own(cargo: Command) -> Result<Metadata> {
    read(cargo, &["--no-deps"])
}

/// Asks cargo for everything that a workspace is built from on Linux.
pub fn all(cargo: Command) -> Result<Metadata> {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    read(cargo, &["--filter-platform", &platform])
}

fn read(mut cargo: Command, args: &[&str]) -> Result<Metadata> {
    let text = sh::output(cargo.args(["metadata", "--format-version=1"]).args(args))?;
    serde_json::from_str(&text).context("cargo metadata printed something that xtask does not understand")
}
