//! `weir counters`.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use weir_api::local::{CounterRow, Verdict};

use crate::Outcome;
use crate::cli::{CountersArgs, Format};
use crate::client::Client;
use crate::out::table::{Cell, Style, Table};
use crate::out::{Out, units};

/// Shows counters, once or every second.
pub fn counters(out: Out, socket: &Path, args: &CountersArgs) -> anyhow::Result<Outcome> {
    let client = Client::new(socket)?;
    loop {
        let mut rows: Vec<CounterRow> = client.get("/api/v1/counters")?;
        if let Some(target) = &args.target {
            rows.retain(|row| row.target_name == *target);
        }
        if args.watch && out.format == Format::Json {
            // One line a reading, for whoever reads them as they come.
            let mut w = io::stdout().lock();
            serde_json::to_writer(&mut w, &rows).map_err(io::Error::from)?;
            writeln!(w)?;
            w.flush()?;
        } else {
            if args.watch && io::stdout().is_terminal() {
                write!(io::stdout(), "\x1b[H\x1b[2J")?;
            } else if args.watch && out.format == Format::Yaml {
                writeln!(io::stdout(), "---")?;
            }
            out.write(&rows, |w| table(w, out, &rows))?;
        }
        if !args.watch {
            return Ok(Outcome::Fine);
        }
        thread::sleep(Duration::from_secs(1));
    }
}

fn table(w: &mut impl Write, out: Out, rows: &[CounterRow]) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(w, "nothing counted yet");
    }
    let heads = ["TARGET", "VERDICT", "REASON", "PACKETS>", "BYTES>", "PACKETS/S>", "BITS/S>", "MEANING"];
    let mut table = Table::new(heads, out.colour);
    for row in rows {
        table.row([
            row.target_name.as_str().into(),
            verdict(row.verdict),
            row.reason.as_str().into(),
            units::count(row.packets).into(),
            units::bytes(row.bytes).into(),
            units::packets_per_s(row.packets_per_s).into(),
            units::bits_per_s(row.bytes_per_s).into(),
            row.text.as_str().into(),
        ]);
    }
    table.write(w)
}

/// A verdict in its colour.
pub fn verdict(verdict: Verdict) -> Cell {
    let style = match verdict {
        Verdict::Pass => Style::Plain,
        Verdict::Drop => Style::Bad,
        Verdict::WouldDrop => Style::Warn,
    };
    Cell::styled(verdict.label(), style)
}
