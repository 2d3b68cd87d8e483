//! `weir completions`, `weir man`: from the one definition of the command line.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;

use crate::Outcome;
use crate::cli::{Cli, CompletionsArgs, ManArgs};

/// Writes completions for a shell.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "weir", &mut text);
    std::io::stdout().write_all(&text)?;
    Ok(Outcome::Fine)
}

/// Writes a man page for every subcommand.
pub fn man(args: &ManArgs) -> anyhow::Result<Outcome> {
    clap_mangen::generate_to(Cli::command(), &args.directory).with_context(|| {
        format!("cannot write man pages into {}; does the directory exist?", args.directory.display())
    })?;
    Ok(Outcome::Fine)
}
