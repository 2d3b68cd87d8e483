//! `weir incidents` and `weir incident`.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, bail};

use weir_api::local::{IncidentRow, KnownFlowsRow, RulingRow, Verdict};

use super::incident_row::targets;
use crate::Outcome;
use crate::cli::IncidentArgs;
use crate::client::Client;
use crate::out::table::Table;
use crate::out::{Out, note, units};

/// Lists what was noticed, the newest first.
pub fn incidents(out: Out, socket: &Path) -> anyhow::Result<Outcome> {
    let rows: Vec<IncidentRow> = Client::new(socket)?.get("/api/v1/incidents")?;
    out.write(&rows, |w| list(w, out, &rows))?;
    Ok(Outcome::Fine)
}

/// Shows one of them.
pub fn incident(out: Out, socket: &Path, args: &IncidentArgs) -> anyhow::Result<Outcome> {
    if let Some(file) = &args.pcap {
        return pcap(socket, args.id, file);
    }
    let row: IncidentRow = Client::new(socket)?.get(&format!("/api/v1/incidents/{}", args.id))?;
    out.write(&row, |w| one(w, &row))?;
    Ok(Outcome::Fine)
}

/// Writes its packets as a capture.
fn pcap(socket: &Path, id: u64, file: &Path) -> anyhow::Result<Outcome> {
    let to_stdout = file == Path::new("-");
    if to_stdout && io::stdout().is_terminal() {
        bail!(
            "a capture is no text for a terminal: name a file, or send it on, such as `weir incident {id} --pcap - | tshark -r -`"
        );
    }
    let bytes = Client::new(socket)?.get_bytes(&format!("/api/v1/incidents/{id}/pcap"))?;
    if to_stdout {
        let mut w = io::stdout().lock();
        w.write_all(&bytes)?;
        w.flush()?;
    } else {
        std::fs::write(file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
        note(&format!("{} written to {}", units::bytes(bytes.len() as u64), file.display()));
    }
    Ok(Outcome::Fine)
}

/// What it is, in one word or two.
fn what(row: &IncidentRow) -> &str {
    if row.label == "SURGE" { "surge" } else { &row.vector }
}

fn list(w: &mut impl Write, out: Out, rows: &[IncidentRow]) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(w, "no incident so far");
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
        writeln!(w, "ended     {at}{}", if row.cut_short.is_some() { ", not seen to its end" } else { "" })?;
    }
    if let Some(why) = &row.cut_short {
        writeln!(w, "          {why}")?;
    }
    let rate = |rate: f64| units::count(rate as u64);
    let (noticed, usual) = (rate(row.packets_per_s), rate(row.usual_packets_per_s));
    writeln!(w, "rate      {noticed} packets/s, usual {usual}, peak {}", rate(row.peak_packets_per_s))?;
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
        writeln!(w, "{:<9} {}: {}", s.action, s.id, s.rule)?;
        let standing = match (s.in_force, s.matched_packets) {
            (true, Some(n)) => units::of(n, "packet"),
            (false, Some(n)) => format!("{}; not in force any more", units::of(n, "packet")),
            (_, None) => "not in force".to_owned(),
        };
        let (covers, harms) = (100.0 * s.coverage, 100.0 * s.collateral);
        writeln!(w, "          {standing}; covers {covers:.1} % of the attack, at most {harms:.3} % of customers")?;
        if let Some(RulingRow { ruling, by_uid, at }) = s.ruling {
            let who = by_uid.map_or_else(|| "somebody".to_owned(), |uid| format!("uid {uid}"));
            writeln!(w, "          {} by {who}, {at}", ruling.label())?;
        }
    }
    if row.sources.estimate > 0 {
        let spoofed = if row.sources.spoofed { ", hardly one twice: forged, or a very large botnet" } else { "" };
        writeln!(w, "sources   about {}{spoofed}", units::count(row.sources.estimate))?;
        for top in row.sources.top.iter().filter(|_| !row.sources.spoofed) {
            writeln!(w, "          {} {:.1} %", top.source, 100.0 * top.share)?;
        }
    }
    losses(w, row)?;
    steps(w, row)
}

/// What the target's packets met meanwhile.
fn losses(w: &mut impl Write, row: &IncidentRow) -> io::Result<()> {
    for lost in &row.dropped {
        let drops = lost.verdict == Verdict::Drop;
        let (word, would) = if drops { ("dropped", "") } else { ("observed", "would have been dropped ") };
        writeln!(w, "{word:<9} {} {would}at the target: {}", units::of(lost.packets, "packet"), lost.text)?;
    }
    match row.known_flows {
        Some(KnownFlowsRow { packets, dropped_at_most: 0 }) => {
            writeln!(w, "customers {} of known connections came, none was dropped", units::of(packets, "packet"))
        }
        Some(KnownFlowsRow { packets, dropped_at_most }) => writeln!(
            w,
            "customers {} of known connections came, at most {} of them dropped",
            units::of(packets, "packet"),
            units::count(dropped_at_most)
        ),
        None => Ok(()),
    }
}

fn steps(w: &mut impl Write, row: &IncidentRow) -> io::Result<()> {
    for (n, step) in row.steps.iter().enumerate() {
        let head = if n == 0 { "steps" } else { "" };
        writeln!(w, "{head:<9} {} {:<12} {}", step.time, step.step, step.text)?;
    }
    Ok(())
}
