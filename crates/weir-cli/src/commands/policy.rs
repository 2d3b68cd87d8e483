//! `weir policy check`.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;
use serde::Serialize;
use weir_agent::host::Host;
use weir_agent::policy::load;
use weir_api::local::FindingRow;
use weir_api::to_policy::Clock;

use super::compiled::{Compiled, HZ, compiled};
use super::status::show;
use crate::Outcome;
use crate::cli::{CheckArgs, PolicyArgs, PolicyCommand};
use crate::out::{Out, units};

/// `weir policy …`.
pub fn policy(out: Out, args: &PolicyArgs) -> anyhow::Result<Outcome> {
    match &args.command {
        PolicyCommand::Check(args) => check(out, args),
    }
}

/// What became of one path.
#[derive(Serialize)]
struct Checked {
    path: String,
    ok: bool,
    files: usize,
    objects: usize,
    targets: usize,
    list_entries: usize,
    findings: Vec<FindingRow>,
}

/// Checks each path by itself. Refused files are a finding.
fn check(out: Out, args: &CheckArgs) -> anyhow::Result<Outcome> {
    for path in &args.paths {
        // A path that is not there is a slip of the command line, not a finding about a policy.
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let host = Host::read().unwrap_or_default();
    let checked: Vec<Checked> = args.paths.iter().map(|path| one(path, &host)).collect();
    out.write(&checked, |w| checked.iter().try_for_each(|c| table(w, c)))?;
    Ok(if checked.iter().all(|c| c.ok) { Outcome::Fine } else { Outcome::Finding })
}

fn one(path: &Path, host: &Host) -> Checked {
    // Any tick will do, if only it leaves room for what has expired.
    let clock = Clock { now: SystemTime::now(), ticks: 1 << 40, hz: HZ };
    let rows = |problems: &[_]| problems.iter().map(FindingRow::from).collect();
    let path_shown = path.display().to_string();
    match compiled(load(path), path, &host.addresses, clock) {
        Ok(Compiled { files, objects, targets, list_entries, warnings, image: _ }) => {
            Checked { path: path_shown, ok: true, files, objects, targets, list_entries, findings: rows(&warnings) }
        }
        Err(problems) => Checked {
            path: path_shown,
            ok: false,
            files: 0,
            objects: 0,
            targets: 0,
            list_entries: 0,
            findings: rows(&problems),
        },
    }
}

fn table(w: &mut impl Write, c: &Checked) -> io::Result<()> {
    for finding in &c.findings {
        writeln!(w, "{}", show(finding))?;
    }
    if c.ok {
        let [objects, files, targets, entries] =
            [(c.objects, "object"), (c.files, "file"), (c.targets, "target"), (c.list_entries, "list entry")]
                .map(|(n, what)| units::of(n as u64, what));
        writeln!(w, "{}: fine ({objects} in {files}, {targets}, {entries})", c.path)
    } else {
        let wrong = c.findings.iter().filter(|f| f.severity == "error").count();
        writeln!(w, "{}: refused ({})", c.path, units::of(wrong as u64, "error"))
    }
}
