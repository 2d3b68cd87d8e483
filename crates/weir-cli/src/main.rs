//! The command `weir`: runs the node agent, asks it, checks policy files, replays captures.
//!
//! Data goes to stdout, talk to stderr. Exit codes: 0 fine, 1 a finding or a failed check, 2 an error.
#![forbid(unsafe_code)]

mod cli;
mod client;
mod commands;
mod out;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use out::Out;
use weir_api::local::Ruling;

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All is well.
    Fine,
    /// It worked, and there is something to look into.
    Finding,
}

fn main() -> ExitCode {
    // Usage errors end here, with status 2.
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Finding) => ExitCode::from(1),
        Err(e) if is_broken_pipe(&e) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("weir: {e:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Outcome> {
    let Cli { output, socket, command } = cli;
    let out = Out::new(output);
    match command {
        Command::Run(args) => commands::run::run(*args, socket),
        Command::Status => commands::status::status(out, &socket),
        Command::Counters(args) => commands::counters::counters(out, &socket, &args),
        Command::Block(args) => commands::entries::block(out, &socket, args),
        Command::Unblock(args) => commands::entries::unblock(out, &socket, &args),
        Command::Allow(args) => commands::entries::allow(out, &socket, args),
        Command::Explain(args) => commands::explain::explain(out, &socket, &args),
        Command::Incidents => commands::incidents::incidents(out, &socket),
        Command::Incident(args) => commands::incidents::incident(out, &socket, &args),
        Command::Baseline(args) => commands::baseline::baseline(out, &socket, &args),
        Command::Rules => commands::rules::rules(out, &socket),
        Command::Approve(args) => commands::rules::say(out, &socket, &args, Ruling::Approved),
        Command::Reject(args) => commands::rules::say(out, &socket, &args, Ruling::Rejected),
        Command::Detach(args) => commands::detach::detach(out, &socket, &args),
        Command::Policy(args) => commands::policy::policy(out, &args),
        Command::Replay(args) => commands::replay::replay(out, &args),
        Command::Eval(args) => commands::eval::eval(out, &args),
        Command::Completions(args) => commands::shell::completions(&args),
        Command::Man(args) => commands::shell::man(&args),
    }
}

/// Whoever read our output has seen enough: no reason to complain.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
}
