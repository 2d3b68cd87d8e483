//! `weir explain`.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use weir_api::local::Explanation;

use super::counters::verdict;
use crate::Outcome;
use crate::cli::ExplainArgs;
use crate::client::Client;
use crate::out::table::Table;
use crate::out::{Out, units};

/// Shows all that touches an address.
pub fn explain(out: Out, socket: &Path, args: &ExplainArgs) -> anyhow::Result<Outcome> {
    let said: Explanation = Client::new(socket)?.get(&format!("/api/v1/explain/{}", args.address))?;
    out.write(&said, |w| table(w, out, &said))?;
    Ok(Outcome::Fine)
}

fn table(w: &mut impl Write, out: Out, said: &Explanation) -> io::Result<()> {
    writeln!(w, "{}", said.summary)?;
    if !said.lists.is_empty() {
        let mut table = Table::new(["SCOPE", "LIST", "ENTRY", "ENDS", "DECIDES", "FROM"], out.colour);
        for hit in &said.lists {
            table.row([
                hit.scope.as_str().into(),
                hit.list.label().into(),
                hit.cidr.to_string().into(),
                units::until(hit.expires, SystemTime::now()).into(),
                if hit.decides { "yes" } else { "" }.into(),
                hit.rule.as_str().into(),
            ]);
        }
        writeln!(w)?;
        table.write(w)?;
    }
    if !said.limits.is_empty() {
        let mut table = Table::new(["TARGET", "MODE", "LIMIT", "AVERAGE>", "BURST>", "PERIOD>"], out.colour);
        for limit in &said.limits {
            table.row([
                limit.target.as_str().into(),
                limit.mode.label().into(),
                format!("{} {}", limit.dimension, limit.scope.replace('_', " ")).into(),
                units::count(limit.average).into(),
                units::count(limit.burst).into(),
                limit.period.as_str().into(),
            ]);
        }
        writeln!(w)?;
        table.write(w)?;
    }
    incidents(w, said)?;
    if said.seen.is_empty() {
        return writeln!(w, "\nno recent packet sample is from {}", said.address);
    }
    let mut table = Table::new(
        ["TARGET", "VERDICT", "REASON", "RULE", "PACKETS (ABOUT)>", "SAMPLES>", "LAST", "MEANING"],
        out.colour,
    );
    for row in &said.seen {
        table.row([
            row.target.as_str().into(),
            verdict(row.verdict),
            row.reason.as_str().into(),
            row.rule.as_deref().unwrap_or("-").into(),
            units::count(row.packets_estimate).into(),
            units::count(row.samples).into(),
            row.last.to_string().into(),
            row.text.as_str().into(),
        ]);
    }
    writeln!(w)?;
    table.write(w)
}

/// Incidents that concern it, and their rules.
fn incidents(w: &mut impl Write, said: &Explanation) -> io::Result<()> {
    for (n, hit) in said.incidents.iter().enumerate() {
        if n == 0 {
            writeln!(w)?;
        }
        let share = hit.share.map(|share| format!("it sends {:.1} % of it", 100.0 * share));
        let attacked = hit.attacked.then(|| "it is what is attacked".to_owned());
        let met = || "its packets met rules of it".to_owned();
        let how: Vec<String> = attacked.into_iter().chain(share).collect();
        let how = if how.is_empty() { met() } else { how.join(", ") };
        writeln!(w, "incident {}: {} on {}, {}: {how}", hit.incident, hit.vector, hit.target, hit.state)?;
        for rule in &hit.rules {
            let force = if rule.in_force { "" } else { " (not in force)" };
            let met = if rule.samples > 0 {
                format!(", met by {}", units::of(rule.samples, "recent sample"))
            } else {
                String::new()
            };
            writeln!(w, "  rule {}{force}{met}: {}", rule.id, rule.rule)?;
        }
    }
    Ok(())
}
