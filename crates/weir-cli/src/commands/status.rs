//! `weir status`.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use weir_api::local::{EntryRow, FindingRow, NodeMode, Status};

use crate::Outcome;
use crate::client::Client;
use crate::out::table::{Cell, Style, Table};
use crate::out::{Out, units};

/// Addresses shown of one target.
const SHOWN: usize = 4;

/// Shows how the agent is. Not ready, or with refused policy files: a finding.
pub fn status(out: Out, socket: &Path) -> anyhow::Result<Outcome> {
    let status: Status = Client::new(socket)?.get("/api/v1/status")?;
    out.write(&status, |w| {
        summary(w, &status)?;
        attachments(w, out, &status)?;
        targets(w, out, &status)?;
        entries(w, out, "BLOCKED", &status.blocks)?;
        entries(w, out, "ALLOWED", &status.allows)
    })?;
    Ok(if status.ready && !status.policy.stale { Outcome::Fine } else { Outcome::Finding })
}

fn summary(w: &mut impl Write, s: &Status) -> io::Result<()> {
    let up = SystemTime::now().duration_since(s.started.to_system()).unwrap_or_default();
    if s.ready {
        writeln!(w, "agent     ready, version {}, pid {}, up {}", s.version, s.pid, units::span(up))?;
    } else {
        writeln!(w, "agent     NOT READY: {}", s.not_ready.join("; "))?;
    }
    let what = match s.mode {
        NodeMode::Observe => "observe: node-wide checks count what they would drop",
        NodeMode::Enforce => "enforce: node-wide checks drop",
    };
    let forced = if s.mode_forced { " (--mode, for every target too)" } else { "" };
    writeln!(w, "mode      {what}{forced}")?;
    let p = &s.policy;
    let from = p.directory.as_deref().unwrap_or("no policy directory");
    let (files, objects) = (units::of(p.files.len() as u64, "file"), units::of(p.objects, "object"));
    writeln!(
        w,
        "policy    generation {}, {objects} in {files} of {from}, {}, applied in {:.1} ms",
        p.generation,
        units::of(p.prefixes, "list entry"),
        p.apply_ms
    )?;
    if p.stale {
        writeln!(w, "          the files are REFUSED, an earlier policy is in force:")?;
    }
    for finding in p.errors.iter().chain(&p.warnings) {
        writeln!(w, "          {}", show(finding))?;
    }
    let t = &s.totals;
    writeln!(
        w,
        "traffic   passed {} ({}), dropped {} ({}), would drop {} ({})",
        units::count(t.passed_packets),
        units::packets_per_s(t.passed_packets_per_s),
        units::count(t.dropped_packets),
        units::packets_per_s(t.dropped_packets_per_s),
        units::count(t.would_drop_packets),
        units::packets_per_s(t.would_drop_packets_per_s)
    )
}

/// A finding as compilers write them.
pub fn show(f: &FindingRow) -> String {
    let place = if f.line > 0 { format!("{}:{}:{}", f.file, f.line, f.column) } else { f.file.clone() };
    let severity = if f.severity == "error" { String::new() } else { format!("{}: ", f.severity) };
    let field = if f.field.is_empty() { String::new() } else { format!("{}: ", f.field) };
    format!("{place}: {severity}{field}{}", f.message)
}

fn attachments(w: &mut impl Write, out: Out, s: &Status) -> io::Result<()> {
    let mut table = Table::new(["INTERFACE", "HOOK", "ADOPTED", "BESIDE", "WHY"], out.colour);
    for a in &s.attachments {
        let beside = if a.foreign.is_empty() { "-".to_owned() } else { a.foreign.join(", ") };
        let adopted = if a.adopted { "yes" } else { "no" };
        table.row([
            a.interface.as_str().into(),
            a.hook.label().into(),
            adopted.into(),
            beside.into(),
            a.reason.as_str().into(),
        ]);
    }
    writeln!(w)?;
    table.write(w)?;
    for (interface, why) in s.attachments.iter().filter_map(|a| Some((&a.interface, a.blind.as_ref()?))) {
        writeln!(w, "{interface}: what the host sends is not seen, so connections are not known: {why}")?;
    }
    for (interface, why) in s.attachments.iter().filter_map(|a| Some((&a.interface, a.mute.as_ref()?))) {
        writeln!(w, "{interface}: nothing can be sent back, so SYNs are not challenged: {why}")?;
    }
    Ok(())
}

fn targets(w: &mut impl Write, out: Out, s: &Status) -> io::Result<()> {
    if s.targets.is_empty() {
        return writeln!(w, "\nno targets: a Protection with `target` in the policy directory makes one");
    }
    let mut table = Table::new(["TARGET", "MODE", "ADDRESSES"], out.colour);
    for t in &s.targets {
        let mut addresses: Vec<&str> = t.addresses.iter().take(SHOWN).map(String::as_str).collect();
        let more = format!("and {} more", t.entries.saturating_sub(SHOWN as u64));
        if t.entries > SHOWN as u64 {
            addresses.push(&more);
        }
        table.row([t.name.as_str().into(), t.mode.label().into(), addresses.join(", ").into()]);
    }
    writeln!(w)?;
    table.write(w)
}

fn entries(w: &mut impl Write, out: Out, head: &'static str, rows: &[EntryRow]) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([head, "ENDS", "REASON"], out.colour);
    for row in rows {
        let ends = units::until(row.expires, SystemTime::now());
        table.row([Cell::styled(row.cidr.to_string(), Style::Plain), ends.into(), row.reason.as_str().into()]);
    }
    writeln!(w)?;
    table.write(w)
}
