//! `weir replay`: captures through the packet pipeline of the kernel, on the host, with the captures' own clock.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde::Serialize;
use weir_agent::policy::{Texts, load};
use weir_api::to_policy::Clock;
use weir_policy::image::TableImage;
use weir_sim::replay::{Mode, Options, Replay, Report};

use super::compiled::{HZ, compiled};
use super::incident_row::{self, IncidentRow};
use crate::Outcome;
use crate::cli::{Format, ModeArg, ReplayArgs};
use crate::out::table::Table;
use crate::out::{Out, note, units};

/// One capture's result; the contract of `-o json`.
#[derive(Serialize)]
struct Replayed {
    file: String,
    packets: u64,
    bytes: u64,
    duration_s: f64,
    dropped: u64,
    passed: u64,
    would_drop: u64,
    verdicts: BTreeMap<&'static str, u64>,
    incidents: Vec<IncidentRow>,
}

impl From<&Report> for Replayed {
    fn from(r: &Report) -> Self {
        Self {
            file: r.file.clone(),
            packets: r.packets,
            bytes: r.bytes,
            duration_s: r.duration_s,
            dropped: r.dropped,
            passed: r.passed,
            would_drop: r.would_drop,
            verdicts: r.verdicts.clone(),
            incidents: r.incidents.iter().map(IncidentRow::from).collect(),
        }
    }
}

/// Replays each capture by itself, after the baseline. One that ends early gives what could be read, and an error at the end.
pub fn replay(out: Out, args: &ReplayArgs) -> anyhow::Result<Outcome> {
    for path in args.captures.iter().chain(&args.baseline) {
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let mode = args.mode.map(|mode| match mode {
        ModeArg::Observe => Mode::Observe,
        ModeArg::Enforce => Mode::Enforce,
    });
    let mut replay = Replay::new(&image(args)?, Options { mode, tick_hz: HZ, ..Options::default() })?;
    if !args.baseline.is_empty() {
        let learned = replay.learn(&args.baseline);
        learned.iter().filter_map(|report| report.error.as_ref()).for_each(|error| note(&error.to_string()));
    }
    let mut broken = 0;
    for path in &args.captures {
        let report = replay.file(path);
        write(out, &Replayed::from(&report))?;
        if let Some(error) = &report.error {
            broken += 1;
            note(&error.to_string());
        }
    }
    match broken {
        0 => Ok(Outcome::Fine),
        n => bail!("{n} of {} captures could not be read to the end", args.captures.len()),
    }
}

/// The tables of `--protections`. Without them: the node's own checks, and the safe ones for `--host`.
fn image(args: &ReplayArgs) -> anyhow::Result<TableImage> {
    // Nothing has expired at the beginning of time: the same files and captures give the same result on any day.
    let clock = Clock { now: SystemTime::UNIX_EPOCH, ticks: 0, hz: HZ };
    let compiled = match &args.protections {
        Some(path) => compiled(load(path), path, &args.host, clock),
        None => {
            let object = "apiVersion: weir.dev/v1alpha1\nkind: ClusterProtection\nmetadata: {name: host}\nspec: {}\n";
            let yaml = BTreeMap::from([("default".to_owned(), object.to_owned())]);
            let texts = Texts { yaml, ..Texts::default() };
            // Without --host this protects nothing, which is no news to whoever left it out.
            let texts = if args.host.is_empty() { Texts::default() } else { texts };
            compiled(texts.load(), Path::new("default"), &args.host, clock)
        }
    };
    match compiled {
        Ok(compiled) => {
            compiled.warnings.iter().for_each(|warning| note(&warning.to_string()));
            Ok(compiled.image)
        }
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(|p| format!("  {p}")).collect();
            bail!("the protections are refused:\n{}", lines.join("\n"))
        }
    }
}

fn write(out: Out, replayed: &Replayed) -> anyhow::Result<()> {
    let mut w = io::stdout().lock();
    match out.format {
        Format::Json => {
            // One object a line: one capture is one JSON document, several are a stream of them.
            serde_json::to_writer(&mut w, replayed).map_err(io::Error::from)?;
            writeln!(w)?;
        }
        Format::Yaml => write!(w, "---\n{}", serde_saphyr::to_string(replayed)?)?,
        Format::Table => table(&mut w, out, replayed)?,
    }
    w.flush()?;
    Ok(())
}

fn table(w: &mut impl Write, out: Out, r: &Replayed) -> io::Result<()> {
    writeln!(
        w,
        "{}: {}, {} in {:.3} s; dropped {}, would drop {}",
        r.file,
        units::of(r.packets, "packet"),
        units::bytes(r.bytes),
        r.duration_s,
        units::count(r.dropped),
        units::count(r.would_drop)
    )?;
    let mut rows: Vec<(&str, u64)> = r.verdicts.iter().map(|(reason, n)| (*reason, *n)).collect();
    rows.sort_by_key(|(reason, n)| (std::cmp::Reverse(*n), *reason));
    let mut table = Table::new(["  REASON", "PACKETS>", "SHARE>"], out.colour);
    for (reason, n) in rows {
        let share = format!("{:.1} %", 100.0 * n as f64 / r.packets.max(1) as f64);
        table.row([format!("  {reason}").into(), units::count(n).into(), share.into()]);
    }
    table.write(w)?;
    incident_row::table(w, &r.incidents)
}
