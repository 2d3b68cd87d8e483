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
    if said.seen.is_empty() {
        return writeln!(w, "\nno recent packet sample is from {}", said.address);
    }
    let mut table =
        Table::new(["TARGET", "VERDICT", "REASON", "PACKETS (ABOUT)>", "SAMPLES>", "LAST", "MEANING"], out.colour);
    for row in &said.seen {
        table.row([
            row.target.as_str().into(),
            verdict(row.verdict),
            row.reason.as_str().into(),
            units::count(row.packets_estimate).into(),
            units::count(row.samples).into(),
            row.last.to_string().into(),
            row.text.as_str().into(),
        ]);
    }
    writeln!(w)?;
    table.write(w)
}
