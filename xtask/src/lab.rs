//! The lab's programs: built for release, named to the tests, run for the demo and the bench.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use signal_hook::consts::SIGINT;

use crate::metadata::{self, Package};
use crate::project::Project;
use crate::setup;
use crate::sh::{self, say};

/// The packages of the lab's programs and the binaries they yield. Built one by one: together, the lab's features
/// (its traffic sources) would be unified into `weir`.
const PROGRAMS: [(&str, &str); 2] = [("weir-cli", "weir"), ("weir-lab", "weir-lab")];

/// `demo`: the story, told by the lab.
pub fn demo(project: &Project, args: &[String]) -> Result<bool> {
    prepare(project)?;
    let mut demo = weir_lab(project);
    demo.arg("demo").args(args);
    run_and_clean(project, &mut demo)
}

/// `bench`: the side-by-side table, measured by the lab.
pub fn bench(project: &Project, json: Option<&Path>, args: &[String]) -> Result<bool> {
    prepare(project)?;
    let mut bench = weir_lab(project);
    bench.arg("bench");
    if let Some(file) = json {
        bench.arg("--json").arg(file);
    }
    bench.args(args);
    run_and_clean(project, &mut bench)
}

/// `eval`: detection on the reference captures, beside filters by source.
pub fn eval(project: &Project, args: &[String]) -> Result<bool> {
    let manifest = project.shared().join("corpus/manifest.csv");
    if !manifest.is_file() {
        bail!("there are no captures at {}; WEIR_SHARED names another place", manifest.display());
    }
    sh::run(project.cargo().args(["build", "--release", "--package", "weir-cli"]))?;
    let status = Command::new(project.release_binary("weir")).arg("eval").arg(manifest).args(args).status();
    Ok(status.context("cannot start weir")?.success())
}

/// `cost`: detection's cost, and replay's speed where there are captures.
pub fn cost(project: &Project, args: &[String]) -> Result<bool> {
    let corpus = project.shared().join("corpus");
    let named = corpus.is_dir().then(|| ["--corpus".to_owned(), corpus.display().to_string()]);
    example(project, "cost", &named.into_iter().flatten().chain(args.iter().cloned()).collect::<Vec<_>>())
}

/// A program beside the simulator: `crates/weir-sim/examples`.
pub fn example(project: &Project, name: &str, args: &[String]) -> Result<bool> {
    let mut run = project.cargo();
    run.args(["run", "--quiet", "--release", "--package", "weir-sim", "--example", name, "--"]).args(args);
    sh::succeeds(&mut run)
}

/// Builds `weir` and `weir-lab`.
pub fn build(project: &Project, packages: &[Package]) -> Result<()> {
    for (package, _) in PROGRAMS {
        if !packages.iter().any(|own| own.name == package) {
            bail!("there is no crate {package} in this workspace: the clone is incomplete");
        }
        sh::run(project.cargo().args(["build", "--release", "--package", package]))?;
    }
    Ok(())
}

/// Tells a command, by environment, where the programs are: `WEIR_BIN`, `WEIR_LAB_BIN`.
pub fn name_binaries(project: &Project, command: &mut Command) {
    command.env("WEIR_BIN", project.release_binary("weir"));
    command.env("WEIR_LAB_BIN", project.release_binary("weir-lab"));
}

/// Lets the lab remove what a run left whose owner is gone; `false` where the lab was never built.
pub fn clean(project: &Project) -> Result<bool> {
    let built = project.release_binary("weir-lab").is_file();
    if built {
        sh::run(weir_lab(project).arg("clean"))?;
    }
    Ok(built)
}

fn prepare(project: &Project) -> Result<()> {
    setup::run(project)?;
    say("building weir and weir-lab (the first time takes some minutes)");
    build(project, &metadata::own(project.cargo())?.packages)
}

fn weir_lab(project: &Project) -> Command {
    let mut command = sh::as_root(project.release_binary("weir-lab"));
    name_binaries(project, &mut command);
    command
}

/// Runs the lab and then removes what it should have crashed over. Ctrl-C reaches both processes of the terminal: the
/// lab ends by it, and this one must outlive the lab to clean.
fn run_and_clean(project: &Project, command: &mut Command) -> Result<bool> {
    signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false))).context("cannot catch Ctrl-C")?;
    let done = sh::succeeds(command);
    clean(project)?;
    done
}
