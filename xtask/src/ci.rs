//! `ci`: everything a change must pass. Each step runs even where an earlier one failed; the tests come last, so that
//! their sum is the last line.

use anyhow::Result;

use crate::project::Project;
use crate::setup;
use crate::sh::{self, say};
use crate::{bpf, test, tidy};

/// One check: its name, and the command that repairs what it finds.
struct Step {
    name: &'static str,
    repair: &'static str,
    run: fn(&Project) -> Result<bool>,
}

const STEPS: [Step; 5] = [
    Step { name: "format", repair: "cargo fmt --all, here and in ebpf/ and fuzz/", run: format },
    Step { name: "clippy", repair: "cargo clippy --workspace --all-targets --fix", run: clippy },
    Step { name: "clippy of ebpf/", repair: "see what it says", run: bpf::clippy },
    Step { name: "clippy of fuzz/", repair: "see what it says", run: clippy_fuzz },
    Step { name: "tidy", repair: "see what it says", run: tidy::run },
];

/// Runs all steps; `false` when one found something.
pub fn run(project: &Project) -> Result<bool> {
    setup::run(project)?;
    let mut failed = Vec::new();
    for step in &STEPS {
        say(step.name);
        if !(step.run)(project)? {
            failed.push(step);
        }
    }
    let mut tally = test::run_rings(project, None)?;
    for step in &failed {
        tally.step_failed(format!("{} failed; repair: {}", step.name, step.repair));
    }
    Ok(test::conclude(&tally))
}

fn format(project: &Project) -> Result<bool> {
    let mut clean = sh::succeeds(project.cargo().args(["fmt", "--all", "--check"]))?;
    for workspace in project.nested_workspaces() {
        clean &= sh::succeeds(project.cargo_in(&workspace).args(["fmt", "--all", "--check"]))?;
    }
    Ok(clean)
}

fn clippy(project: &Project) -> Result<bool> {
    sh::succeeds(project.cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn clippy_fuzz(project: &Project) -> Result<bool> {
    let workspace = project.root.join("fuzz");
    if !workspace.join("Cargo.toml").is_file() {
        say("no fuzz/ here");
        return Ok(true);
    }
    if sh::which("c++").is_none() {
        say("left out: libFuzzer needs a C++ compiler (apt-get install g++)");
        return Ok(true);
    }
    let mut clippy = project.cargo_in(&workspace);
    clippy.arg("clippy").arg("--target-dir").arg(project.target.join("fuzz"));
    sh::succeeds(clippy.args(["--workspace", "--all-targets", "--", "--deny", "warnings"]))
}
