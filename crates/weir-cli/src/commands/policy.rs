//! `weir policy check`.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;
use serde::Serialize;
use weir_agent::host::Host;
use weir_agent::policy::load;
use weir_agent::tables;
use weir_api::local::FindingRow;
use weir_api::problem::Problem;
use weir_api::to_policy::{Clock, Context, Converted, to_policy};

use super::status::show;
use crate::Outcome;
use crate::cli::{CheckArgs, PolicyArgs, PolicyCommand};
use crate::out::{Out, units};

/// Ticks per second of most kernels (CONFIG_HZ); the running one's may differ, and is used by `weir run`.
const HZ: u32 = 250;

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

/// Reads, converts and compiles each path as `weir run` would.
fn check(out: Out, args: &CheckArgs) -> anyhow::Result<Outcome> {
    for path in &args.paths {
        // A path that is not there is a slip of the command line, not a finding about a policy.
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    let host = Host::read().unwrap_or_default();
    let checked: Vec<Checked> = args.paths.iter().map(|path| one(path, &host)).collect();
    out.write(&checked, |w| {
        for c in &checked {
            for finding in &c.findings {
                writeln!(w, "{}", show(finding))?;
            }
            let wrong = c.findings.iter().filter(|f| f.severity == "error").count();
            if c.ok {
                let n = |n: usize| units::count(n as u64);
                writeln!(
                    w,
                    "{}: fine ({} objects in {} files, {} targets, {} list entries)",
                    c.path,
                    n(c.objects),
                    n(c.files),
                    n(c.targets),
                    n(c.list_entries)
                )?;
            } else {
                writeln!(w, "{}: refused ({wrong} {})", c.path, if wrong == 1 { "error" } else { "errors" })?;
            }
        }
        Ok(())
    })?;
    Ok(if checked.iter().all(|c| c.ok) { Outcome::Fine } else { Outcome::Finding })
}

fn one(path: &Path, host: &Host) -> Checked {
    let mut checked = Checked {
        path: path.display().to_string(),
        ok: false,
        files: 0,
        objects: 0,
        targets: 0,
        list_entries: 0,
        findings: Vec::new(),
    };
    if let Err(problems) = try_one(path, host, &mut checked) {
        checked.findings.extend(problems.iter().map(FindingRow::from));
    } else {
        checked.ok = true;
    }
    checked
}

fn try_one(path: &Path, host: &Host, checked: &mut Checked) -> Result<(), Vec<Problem>> {
    let loaded = load(path)?;
    checked.files = loaded.texts.yaml.len() + loaded.texts.lists.len();
    checked.objects = loaded.objects.len();
    let clock = Clock { now: SystemTime::now(), ticks: 1 << 32, hz: HZ };
    let context = Context {
        mode: None,
        host: &host.addresses,
        files: &loaded.lists,
        clock,
        names: Default::default(),
        sets: Default::default(),
    };
    let Converted { policy, warnings, places } = to_policy(&loaded.objects, context)?;
    checked.findings.extend(warnings.iter().map(FindingRow::from));
    checked.targets = policy.targets.len();
    checked.list_entries = policy.lists.len();
    match tables::build(&policy, None, clock) {
        Ok(_) => Ok(()),
        Err(errors) => Err(tables::findings(&errors, &places, &checked.path)),
    }
}
