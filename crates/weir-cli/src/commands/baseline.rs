//! `weir baseline`.

use std::io::{self, Write};
use std::path::Path;

use weir_api::local::{BaselineKind, BaselineRow};

use crate::Outcome;
use crate::cli::BaselineArgs;
use crate::client::Client;
use crate::out::table::Table;
use crate::out::{Out, units};

/// Shows what is usual for a target.
pub fn baseline(out: Out, socket: &Path, args: &BaselineArgs) -> anyhow::Result<Outcome> {
    let row: BaselineRow = Client::new(socket)?.get(&format!("/api/v1/baselines/{}", args.target))?;
    out.write(&row, |w| table(w, out, &row))?;
    Ok(Outcome::Fine)
}

fn table(w: &mut impl Write, out: Out, row: &BaselineRow) -> io::Result<()> {
    writeln!(w, "target    {}, watched since {}", row.target, row.since)?;
    match row.rates_judged_from {
        None => writeln!(w, "rates     are judged: what is unusual is noticed")?,
        Some(at) => writeln!(w, "rates     are judged from {at} on, if it stays calm until then")?,
    }
    let (known, needed) = (units::count(row.benign_packets), units::count(row.benign_packets_needed));
    if row.benign_packets >= row.benign_packets_needed {
        writeln!(w, "rules     are tried on {known} packets of calm times before they drop")?;
    } else {
        writeln!(
            w,
            "rules     have {known} packets of calm times to be tried on; most need {needed} before they drop"
        )?;
    }
    if row.kinds.iter().all(|kind| kind.this_hour.is_none()) {
        let hours = row.kinds.iter().map(|kind| kind.hours).max().unwrap_or(0);
        writeln!(w, "hours     what is usual at an hour of the week is known after 168 hours; {hours} are over")?;
    }
    if row.waiting > 0 || row.usually_waiting > 0 {
        let (now, usual) = (units::of(row.waiting, "connection"), units::count(row.usually_waiting));
        writeln!(w, "waiting   {now} for an answer, rarely more than {usual}")?;
    }
    if row.busiest_source_connections_per_s > 0.0 {
        let most = row.busiest_source_connections_per_s;
        writeln!(w, "sources   open rarely more than {most:.1} connections/s each, seen over ten seconds")?;
    }
    let heads = ["KIND", "PACKETS/S>", "DEVIATION>", "P50>", "P95>", "P99>", "MAX>", "SLEEPING RULES>"];
    let mut table = Table::new(heads, out.colour);
    let came = |kind: &&BaselineKind| kind.packets_per_s > 0.0 || kind.this_hour.is_some() || kind.sleeping_rules > 0;
    let mut others = 0;
    for kind in &row.kinds {
        if !came(&kind) {
            others += 1;
            continue;
        }
        let at = |rate: fn(&weir_api::local::BaselineHour) -> f64| {
            kind.this_hour.as_ref().map_or("-".to_owned(), |h| shown(rate(h)))
        };
        table.row([
            kind.kind.clone().into(),
            shown(kind.packets_per_s).into(),
            shown(kind.deviation_per_s).into(),
            at(|h| h.p50).into(),
            at(|h| h.p95).into(),
            at(|h| h.p99).into(),
            at(|h| h.max).into(),
            units::count(kind.sleeping_rules).into(),
        ]);
    }
    table.write(w)?;
    if others > 0 {
        writeln!(w, "{} of which none came are not shown", units::of(others, "kind"))?;
    }
    Ok(())
}

fn shown(rate: f64) -> String {
    if rate < 9.95 { format!("{rate:.1}") } else { units::count(rate.round() as u64) }
}
