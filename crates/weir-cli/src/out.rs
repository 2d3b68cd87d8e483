//! Output: tables for people, JSON and YAML for programs.

pub mod table;
pub mod units;

use std::io::{self, IsTerminal, StdoutLock, Write};

use serde::Serialize;

use crate::cli::Format;

/// Where answers go, and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    /// The form.
    pub format: Format,
    /// Whether colours are welcome.
    pub colour: bool,
}

impl Out {
    /// Stdout in this form; colours on a terminal unless `NO_COLOR` is set.
    pub fn new(format: Format) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self { format, colour: io::stdout().is_terminal() && !no_colour }
    }

    /// Writes the value as the format asks; `table` writes the form for people.
    pub fn write<T: Serialize>(
        &self,
        value: &T,
        table: impl FnOnce(&mut StdoutLock<'_>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Table => table(&mut out)?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Format::Yaml => out.write_all(serde_saphyr::to_string(value)?.as_bytes())?,
        }
        out.flush()?;
        Ok(())
    }
}

/// Something for whoever sits in front of it: on stderr, and only talk.
pub fn note(text: &str) {
    // Nobody hears it: nothing to be done.
    let _ = writeln!(io::stderr(), "weir: {text}");
}
