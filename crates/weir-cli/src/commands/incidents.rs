//! `weir incidents` and `weir incident`.

use std::io::{self, Write};
use std::path::Path;

use weir_api::local::IncidentRow;

use super::incident_row::targets;
use crate::Outcome;
use crate::cli::IncidentArgs;
use crate::client::Client;
use crate::out::table::Table;
use crate::out::{Out, units};

/// Lists what was noticed, the newest first.
pub fn incidents(out: Out, socket: &Path) -> anyhow::Result<Outcome> {
    let rows: Vec<IncidentRow> = Client::new(socket)?.get("/api/v1/incidents")?;
    out.write(&rows, |w| list(w, out, &rows))?;
    Ok(Outcome::Fine)
}

/// Shows one of them.
pub fn incident(out: Out, socket: &Path, args: &IncidentArgs) -> anyhow::Result<Outcome> {
    let row: IncidentRow = Client::new(socket)?.get(&format!("/api/v1/incidents/{}", args.id))?;
    out.write(&row, |w| one(w, &row))?;
    Ok(Outcome::Fine)
}

/// What it is, in one word or two.
fn what(row: &IncidentRow) -> &str {
    if row.label == "SURGE" { "surge" } else { &row.vector }
}

fn list(w: &mut impl Write, out: Out, rows: &[IncidentRow]) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(w, "no incident since the agent started");
    }
    let mut table = Table::new(["ID>", "BEGAN", "TARGET", "WHAT", "STATE", "PACKETS/S>", "RULES>"], out.colour);
    for row in rows {
        table.row([
            row.id.to_string().into(),
            row.started.to_string().into(),
            targets(&row.target, &row.targets).into(),
            what(row).to_owned().into(),
            row.state.clone().into(),
            units::count(row.packets_per_s as u64).into(),
            row.signatures.len().to_string().into(),
        ]);
    }
    table.write(w)
}

fn one(w: &mut impl Write, row: &IncidentRow) -> io::Result<()> {
    writeln!(w, "incident  {}: {} on {}, {}", row.id, what(row), targets(&row.target, &row.targets), row.state)?;
    writeln!(w, "began     {}, noticed {}", row.started, row.detected)?;
    match &row.mitigated {
        Some(at) => writeln!(w, "rules     since {at}")?,
        None if row.label == "SURGE" => writeln!(w, "rules     none: it looks like customers, nothing is dropped")?,
        None => writeln!(w, "rules     none yet: no rule tells it from customers")?,
    }
    if let Some(at) = &row.ended {
        writeln!(w, "ended     {at}")?;
    }
    let rate = |rate: f64| units::count(rate as u64);
    writeln!(w, "rate      {} packets/s, usual {}", rate(row.packets_per_s), rate(row.usual_packets_per_s))?;
    for seen in &row.evidence {
        writeln!(w, "seen      {seen}")?;
    }
    if row.targets.len() > 1 {
        writeln!(w, "targets   {}", row.targets.join(", "))?;
    }
    if let Some(challenged) = &row.challenged {
        let until = challenged.until.as_ref().map_or_else(String::new, |until| format!(" until {until}"));
        writeln!(w, "challenge SYNs of sources that have proven nothing, from {}{until}", challenged.from)?;
    }
    if let Some(strays) = row.strays_packets_per_s {
        writeln!(w, "limit     {} packets/s of no known connection, all together", units::count(strays))?;
    }
    for s in &row.signatures {
        let matched = s.matched_packets.map_or_else(|| "not in force".to_owned(), |n| units::of(n, "packet"));
        writeln!(w, "{:<9} {}", s.action, s.rule)?;
        let (covers, harms) = (100.0 * s.coverage, 100.0 * s.collateral);
        writeln!(w, "          {matched}; covers {covers:.1} % of the attack, at most {harms:.3} % of customers")?;
    }
    if row.sources.estimate > 0 {
        let spoofed = if row.sources.spoofed { ", hardly one twice: forged, or a very large botnet" } else { "" };
        writeln!(w, "sources   about {}{spoofed}", units::count(row.sources.estimate))?;
        for top in row.sources.top.iter().filter(|_| !row.sources.spoofed) {
            writeln!(w, "          {} {:.1} %", top.source, 100.0 * top.share)?;
        }
    }
    Ok(())
}
