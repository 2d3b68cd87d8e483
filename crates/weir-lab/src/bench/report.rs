//! The table, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::machine::Machine;
use super::row::Row;

/// Rows that stand beside two: id, the row whose figure it is, the row that it stands beside, what it is.
const DERIVED: [(&str, &str, &str, &str); 2] = [
    (
        "random_source_vs_nft_meter",
        "random_source_1m_prefixes",
        "random_source_nft_meter",
        "Weir, 1,000,000 prefixes, random sources",
    ),
    (
        "random_source_vs_seed_like",
        "random_source_1m_prefixes",
        "random_source_seed_like_1m",
        "Weir, 1,000,000 prefixes, random sources",
    ),
];

/// The whole result.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where it was taken.
    pub machine: Machine,
    /// Too few and too short runs for a verdict.
    pub quick: bool,
    /// How long it took.
    pub seconds: f64,
    /// The figures.
    pub rows: Vec<Row>,
}

/// The rows that are worked out from this one.
pub fn derived_from(id: &str) -> impl Iterator<Item = &'static str> {
    DERIVED.iter().filter(move |(_, own, other, _)| *own == id || *other == id).map(|(row, ..)| *row)
}

/// Works out the rows that stand beside two, as far as both are there.
pub fn derived(rows: &[Row]) -> Vec<Row> {
    let find = |id: &str| rows.iter().find(|row| row.id == id);
    let one = |&(id, own, other, about): &(&str, &str, &str, &str)| {
        let (own, other) = (find(own)?, find(other)?);
        let row =
            Row { median: own.median, runs: own.runs, ..Row::new(id, about, own.unit, own.value.unwrap_or(f64::NAN)) };
        let note = if own.value.is_none() { &own.note } else { &other.note };
        match (own.value, other.value) {
            (Some(_), Some(value)) => Some(row.against(&other.about, Some(value)).note(&own.note)),
            _ => Some(Row { note: note.clone(), ..Row::missing(id, about, own.unit, "") }.against(&other.about, None)),
        }
    };
    DERIVED.iter().filter_map(one).collect()
}

impl Report {
    /// Whether no bar is missed.
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.met != Some(false))
    }

    /// As a table: what has a bar first.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let Machine { cpu, cores, kernel, .. } = &self.machine;
        let _ = writeln!(
            out,
            "{cpu}, {cores} cores, Linux {kernel}; {:.0} s{}",
            self.seconds,
            if self.quick { ", quick: no verdict" } else { "" }
        );
        let (barred, others): (Vec<&Row>, Vec<&Row>) = self.rows.iter().partition(|row| row.bar.is_some());
        for (title, rows) in [("bars", barred), ("more", others)] {
            if !rows.is_empty() {
                let _ = writeln!(out, "\n{title:38} {:>9} {:5} {:>6} {:>8} {:4} what", "", "", "ratio", "bar", "met");
                rows.iter().for_each(|row| line(&mut out, row));
            }
        }
        out
    }
}

fn line(out: &mut String, row: &Row) {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), short);
    let met = row.met.map_or("", |met| if met { "yes" } else { "NO" });
    let against = row.against.as_ref().map(|name| format!(" ÷ {name} ({})", number(row.against_value)));
    let note = if row.note.is_empty() { String::new() } else { format!("; {}", row.note) };
    let _ = writeln!(
        out,
        "{:38} {:>9} {:5} {:>6} {:>8} {:4} {}{}{note}",
        row.id,
        number(row.value),
        row.unit,
        row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
        row.bar.as_deref().unwrap_or(""),
        met,
        row.about,
        against.unwrap_or_default(),
    );
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beside_two_are_worked_out() {
        let row = |id: &str, mpps| Row::new(id, id, "Mpps", mpps);
        let rows = [row("random_source_1m_prefixes", 4.0), row("random_source_nft_meter", 1.0)];
        let derived = derived(&rows);
        assert_eq!(derived.len(), 1);
        assert_eq!((derived[0].ratio, derived[0].met), (Some(4.0), Some(true)));
        let mut missing = rows.clone();
        missing[1] = Row::missing("random_source_nft_meter", "", "Mpps", "no nft");
        let derived = super::derived(&missing);
        assert_eq!((derived[0].ratio, derived[0].met), (None, None));
        assert!(derived[0].note.contains("no nft"));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0123, 1.234, 45.67, 678.9].map(short), ["0.012", "1.23", "45.7", "679"]);
    }
}
