//! `weir rules`.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::bail;
use weir_api::local::{RuleAction, RuleRow, Ruling, Standing};

use crate::Outcome;
use crate::cli::RuleArgs;
use crate::client::Client;
use crate::out::table::{Cell, Style, Table};
use crate::out::{Out, units};

/// Lists the rules there are.
pub fn rules(out: Out, socket: &Path) -> anyhow::Result<Outcome> {
    let rows: Vec<RuleRow> = Client::new(socket)?.get("/api/v1/rules")?;
    out.write(&rows, |w| list(w, out, &rows))?;
    Ok(Outcome::Fine)
}

/// Says something of an incident's rule.
pub fn say(out: Out, socket: &Path, args: &RuleArgs, ruling: Ruling) -> anyhow::Result<Outcome> {
    // What is no name of a rule is no path either.
    if !args.rule.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') {
        bail!("`{}` is no rule of an incident: they are called 7.3 and the like, see `weir rules`", args.rule);
    }
    let verb = if ruling == Ruling::Approved { "approve" } else { "reject" };
    let row: RuleRow = Client::new(socket)?.post(&format!("/api/v1/rules/{}/{verb}", args.rule), &())?;
    let now = if ruling == Ruling::Approved { "drops" } else { "is withdrawn" };
    out.write(&row, |w| writeln!(w, "rule {} {now}: {}", row.id, row.rule))?;
    Ok(Outcome::Fine)
}

fn list(w: &mut impl Write, out: Out, rows: &[RuleRow]) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(w, "no rule: neither the policy nor an incident wrote one");
    }
    let heads = ["ID", "TARGET", "ACTION", "STANDING", "MATCHED>", "COVERS>", "CUSTOMERS>", "ENDS", "RULE"];
    let mut table = Table::new(heads, out.colour);
    let dash = || "-".to_owned();
    for row in rows {
        let style =
            if row.action == RuleAction::Drop && row.standing == Standing::InForce { Style::Bad } else { Style::Plain };
        table.row([
            row.id.as_str().into(),
            row.targets.join(", ").into(),
            Cell::styled(row.action.label(), style),
            row.standing.label().replace('_', " ").into(),
            row.matched_packets.map_or_else(dash, units::count).into(),
            row.coverage.map_or_else(dash, |share| format!("{:.1} %", 100.0 * share)).into(),
            row.collateral.map_or_else(dash, |share| format!("<{:.3} %", 100.0 * share)).into(),
            ends(row).into(),
            row.rule.as_str().into(),
        ]);
    }
    table.write(w)?;
    let mut told: Vec<(Standing, &str)> = Vec::new();
    for row in rows.iter().filter(|row| row.standing != Standing::InForce) {
        if !told.contains(&(row.standing, &row.why)) {
            told.push((row.standing, &row.why));
            let same = rows.iter().filter(|other| other.standing == row.standing && other.why == row.why);
            let ids = same.map(|row| row.id.as_str()).collect::<Vec<_>>().join(", ");
            writeln!(w, "{}: {}: {}", row.standing.label().replace('_', " "), ids, row.why)?;
        }
    }
    Ok(())
}

/// When a rule ends, or on what.
fn ends(row: &RuleRow) -> String {
    match (row.ends_at, row.incident) {
        (Some(_), _) => units::until(row.ends_at, SystemTime::now()),
        (None, Some(_)) => "after the attack".to_owned(),
        (None, None) => "with the policy".to_owned(),
    }
}
