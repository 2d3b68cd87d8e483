//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};

use crate::bench;
use crate::clean;
use crate::demo;
use crate::guard::Arm;
use crate::hold;
use crate::list::Listing;
use crate::run::{self, Audience, Moment, Options, Stage};
use crate::scenario::Scenario;
use crate::series;
use crate::weir;

/// A node, its pods, customers and attackers in network namespaces on this machine: to see and to test what Weir does.
///
/// Needs root. Floods stay in the namespaces that the lab makes, end by themselves, and everything is removed at the end.
#[derive(Debug, Parser)]
#[command(name = "weir-lab", version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try a scenario: customers alone, the attack without Weir, the attack with Weir
    Run {
        /// Its name, see `weir-lab list`
        scenario: String,
        /// So many runs with Weir in one lab, and percentiles of what came of them
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
        runs: Option<u32>,
        /// Who protects the node, by turns: whoever stands beside Weir is measured and not judged
        #[arg(long, value_enum, value_delimiter = ',', value_name = "ARM", conflicts_with = "stand_in")]
        arms: Vec<Arm>,
        /// How to print the result
        #[arg(short, long, value_enum, default_value_t = Format::Table)]
        output: Format,
        #[command(flatten)]
        how: How,
    },
    /// Tell the story of a flood, live, in about a minute
    Demo {
        /// Which scenario
        #[arg(long, default_value = "syn-flood-spoofed")]
        scenario: String,
        #[command(flatten)]
        how: How,
    },
    /// Measure Weir's packet path beside a bare drop, nftables, iptables, xdp-filter and a naive program: five minutes
    Bench {
        /// Write the table as JSON, too
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Fewer and shorter runs: a look within a minute, no verdict
        #[arg(long)]
        quick: bool,
        /// Only these rows
        #[arg(long, value_name = "ID", num_args = 1..)]
        only: Vec<String>,
    },
    /// Name the scenarios, and the labs on this machine
    List {
        /// How to print them
        #[arg(short, long, value_enum, default_value_t = Format::Table)]
        output: Format,
    },
    /// Build a lab and keep it until Ctrl-C or `weir-lab down`
    Up {
        /// Pods behind the node
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
        pods: u16,
    },
    /// End a lab that `weir-lab up` keeps
    Down {
        /// Which, see `weir-lab list`
        lab: String,
    },
    /// Remove what crashed runs left
    Clean,
}

#[derive(Debug, clap::Args)]
struct How {
    /// Seconds to measure in each act (8 by default, 12 in the demo)
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,
    /// Attack packets a second, instead of the scenario's own rate
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=20_000_000))]
    pps: Option<u64>,
    /// Of the random numbers: equal seeds give equal floods
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Instead of Weir, a filter that knows the customers: the best that any defence could reach on this machine
    #[arg(long)]
    stand_in: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl How {
    fn options(&self, usual_seconds: u64) -> Options {
        let window = Duration::from_secs(self.seconds.unwrap_or(usual_seconds));
        let arm = if self.stand_in { Arm::StandIn } else { Arm::Weir };
        // Who names a rate means that one.
        let doublings = if self.pps.is_some() { 0 } else { run::DOUBLINGS };
        Options { window, pps: self.pps, doublings, seed: self.seed, arm }
    }
}

/// Does what the command line says; `false` says that a run has findings.
pub fn main() -> Result<bool> {
    let args = Args::parse();
    crate::stop::catch()?;
    match args.command {
        Command::Run { scenario, runs: None, arms, output, how } if arms.is_empty() => {
            try_scenario(&scenario, output, how.options(8))
        }
        Command::Run { scenario, runs, arms, output, how } => {
            let options = how.options(8);
            let arms = if arms.is_empty() { vec![options.arm] } else { arms };
            try_many(&scenario, (runs.unwrap_or(1), &arms), output, options)
        }
        Command::Demo { scenario, how } => demo::tell(Scenario::named(&scenario)?, how.options(12)),
        Command::Bench { json, quick, only } => bench::run(&bench::Options { json, quick, only }),
        Command::List { output } => {
            let listing = Listing::of_this_machine()?;
            match output {
                Format::Json => println!("{}", serde_json::to_string_pretty(&listing)?),
                Format::Table => listing.print(),
            }
            Ok(true)
        }
        Command::Up { pods } => hold::keep(pods).map(|()| true),
        Command::Down { lab } => hold::end(&lab.parse()?).map(|()| true),
        Command::Clean => {
            let removed = clean::crashed()?;
            removed.iter().for_each(|id| println!("removed what lab {id} left"));
            Ok(true)
        }
    }
}

fn try_scenario(name: &str, output: Format, options: Options) -> Result<bool> {
    let scenario = prepare(name, options, &[options.arm])?;
    let stage = Stage::set(&format!("run {name}"), scenario)?;
    let outcome = run::play(&stage, scenario, options, &mut Progress)?;
    stage.strike().context("cleaning up")?;
    match output {
        Format::Json => println!("{}", serde_json::to_string_pretty(&outcome.report)?),
        Format::Table => print!("{}", outcome.report.table()),
    }
    Ok(outcome.report.findings.is_empty())
}

fn try_many(name: &str, (runs, arms): (u32, &[Arm]), output: Format, options: Options) -> Result<bool> {
    let scenario = prepare(name, options, arms)?;
    let stage = Stage::set(&format!("run {name}, {runs} times"), scenario)?;
    let series = series::play(&stage, scenario, (runs, arms), options, &mut Progress)?;
    stage.strike().context("cleaning up")?;
    match output {
        Format::Json => println!("{}", serde_json::to_string_pretty(&series)?),
        Format::Table => print!("{}", series.table()),
    }
    Ok(series.is_good())
}

/// What can be wrong is told before a lab is built.
fn prepare(name: &str, options: Options, arms: &[Arm]) -> Result<&'static Scenario> {
    let scenario = Scenario::named(name)?;
    if options.pps.is_some() && scenario.pps == 0 {
        bail!("--pps is the rate of a flood, and no flood comes in {name}");
    }
    if arms.contains(&Arm::Weir) {
        weir::find()?;
    }
    Ok(scenario)
}

/// Progress goes to stderr; the result alone goes to stdout.
struct Progress;

impl Audience for Progress {
    fn act(&mut self, number: u32, title: &str) {
        eprintln!("{number}/3 {title}");
    }

    fn note(&mut self, text: &str) {
        eprintln!("    {text}");
    }

    fn moment(&mut self, _: &Moment) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
        let args = Args::try_parse_from(["weir-lab", "run", "syn-flood-single", "-o", "json", "--seconds", "3"]);
        assert!(matches!(args.expect("good").command, Command::Run { output: Format::Json, .. }));
        assert!(Args::try_parse_from(["weir-lab", "run", "x", "--seconds", "0"]).is_err());
        let args = Args::try_parse_from(["weir-lab", "run", "x", "--runs", "10", "--arms", "none,seed-like,weir"]);
        let Command::Run { runs: Some(10), arms, .. } = args.expect("good").command else { panic!("ten runs") };
        assert_eq!(arms, [Arm::None, Arm::SeedLike, Arm::Weir]);
        assert!(Args::try_parse_from(["weir-lab", "run", "x", "--arms", "weir", "--stand-in"]).is_err());
    }
}
