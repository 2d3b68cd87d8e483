//! `cargo xtask`: everything about building and testing Weir that is not plain cargo. One command, one module.

mod bpf;
mod ci;
mod clean_host;
mod doctor;
mod kernel;
mod lab;
mod metadata;
mod project;
mod setup;
mod sh;
mod test;
mod tidy;
mod tools;
mod vm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use project::Project;
use test::Ring;

/// Builds, tests and demonstrates Weir
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make this machine able to build and test everything (Debian; installs only what is missing)
    Setup,
    /// List every needed piece, whether it is there, and how to repair what is not
    Doctor,
    /// Build the kernel objects of `ebpf/`
    BuildEbpf,
    /// Run the tests, after `setup`: all rings, or one
    Test {
        #[arg(long, value_enum)]
        only: Option<Ring>,
    },
    /// Check what compiler and clippy do not: module docs, unsafe, crate directions, licences, duplicates
    Tidy,
    /// Remove what a crashed run left: the lab's namespaces and links, pinned BPF objects
    CleanHost {
        /// Remove pinned objects even while a Weir agent runs
        #[arg(long)]
        force: bool,
    },
    /// Show a flood arrive and the service stay up, in network namespaces on this machine
    Demo {
        /// Passed on to `weir-lab demo`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measure the datapath side by side with its comparators
    Bench {
        /// Write the table as JSON, too
        #[arg(long)]
        json: Option<PathBuf>,
        /// Passed on to `weir-lab bench`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Judge detection on the reference captures, beside filters by source
    Eval {
        /// Passed on to `weir eval`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Simulate a week of services without an attack: how often does one meet an incident that is none?
    Simulate {
        /// Passed on; `--help` names them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measure what detection costs per packet and window, and how fast captures are replayed
    Cost {
        /// Passed on; `--help` names them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run a test binary in the virtual machine (cargo calls this)
    #[command(hide = true)]
    VmRun {
        binary: OsString,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Everything a change must pass: format, clippy, tidy, tests
    Ci,
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs one command; `false` says that a check failed or found something, an error that it could not be done.
fn run(command: Command) -> Result<bool> {
    let project = Project::locate()?;
    match command {
        Command::Setup => setup::run(&project).map(|()| true),
        Command::Doctor => doctor::run(&project),
        Command::BuildEbpf => bpf::build(&project).map(|()| true),
        Command::Test { only } => test::run(&project, only),
        Command::Tidy => tidy::run(&project),
        Command::CleanHost { force } => clean_host::run(&project, force),
        Command::Demo { args } => lab::demo(&project, &args),
        Command::Bench { json, args } => lab::bench(&project, json.as_deref(), &args),
        Command::Eval { args } => lab::eval(&project, &args),
        Command::Simulate { args } => lab::example(&project, "week", &args),
        Command::Cost { args } => lab::cost(&project, &args),
        Command::VmRun { binary, args } => vm::run(&project, &binary, &args),
        Command::Ci => ci::run(&project),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Command {
        Args::try_parse_from(line.split(' ')).unwrap().command
    }

    #[test]
    fn what_follows_is_passed_on() {
        let Command::Bench { json, args } = parse("xtask bench --json f.json --quick one_source") else { panic!() };
        assert_eq!((json, args.join(" ")), (Some(PathBuf::from("f.json")), "--quick one_source".to_owned()));
        let Command::Demo { args } = parse("xtask demo -- --fast") else { panic!() };
        assert_eq!(args, ["--fast"]);
        let Command::Test { only } = parse("xtask test --only lab") else { panic!() };
        assert_eq!(only, Some(Ring::Lab));
    }
}
