//! `weir eval`: detection on a labelled corpus.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use weir_sim::detect::Found;
use weir_sim::eval::{self, Entry, Judge, Judged, Label};

use super::incident_row::{IncidentRow, rounded};
use crate::Outcome;
use crate::cli::{EvalArgs, Format};
use crate::out::table::Table;
use crate::out::{Out, note, units};

/// The whole answer; the contract of `-o json`.
#[derive(Serialize)]
struct Answer {
    files: Vec<FileRow>,
    vectors: Vec<VectorRow>,
    benign: BenignRow,
}

/// One capture. For an attack within ordinary traffic, where there is any for such a victim; `alone` is the capture by itself.
#[derive(Serialize)]
struct FileRow {
    file: String,
    label: &'static str,
    vector: String,
    #[serde(flatten)]
    how: How,
    merged: bool,
    alone: Option<How>,
}

#[derive(Serialize)]
struct How {
    detected: bool,
    time_to_detect_s: Option<f64>,
    time_to_mitigate_s: Option<f64>,
    attack_drop_ratio: Option<f64>,
    attack_drop_ratio_after_mitigation: Option<f64>,
    benign_drop_ratio: Option<f64>,
    attack_packets: u64,
    benign_packets: u64,
    incidents: Vec<IncidentRow>,
    /// What filters that count each source by itself would have dropped.
    seed_like: Vec<BySourceRow>,
}

#[derive(Serialize)]
struct BySourceRow {
    threshold_pps: u64,
    attack_drop_ratio: Option<f64>,
    benign_drop_ratio: Option<f64>,
}

/// A part of a number; nothing of nothing.
fn ratio(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| rounded(part as f64 / of as f64))
}

/// Attacks of one kind: means over their captures.
#[derive(Serialize)]
struct VectorRow {
    vector: String,
    files: u64,
    detected: u64,
    mean_time_to_detect_s: Option<f64>,
    attack_drop_ratio: Option<f64>,
    benign_drop_ratio: Option<f64>,
}

/// All benign captures.
#[derive(Serialize)]
struct BenignRow {
    files: u64,
    packets: u64,
    dropped: u64,
    incidents: u64,
    incidents_acting: u64,
}

impl From<&eval::Outcome> for How {
    fn from(o: &eval::Outcome) -> Self {
        let seed_like = o.seed_like.iter().map(|by| BySourceRow {
            threshold_pps: by.threshold,
            attack_drop_ratio: ratio(by.attack_dropped, o.attack_packets),
            benign_drop_ratio: ratio(by.benign_dropped, o.benign_packets),
        });
        Self {
            detected: o.detected,
            time_to_detect_s: o.time_to_detect_s.map(rounded),
            time_to_mitigate_s: o.time_to_mitigate_s.map(rounded),
            attack_drop_ratio: o.attack_drop_ratio().map(rounded),
            attack_drop_ratio_after_mitigation: o.attack_drop_ratio_after().map(rounded),
            benign_drop_ratio: o.benign_drop_ratio().map(rounded),
            attack_packets: o.attack_packets,
            benign_packets: o.benign_packets,
            incidents: o.incidents.iter().map(IncidentRow::from).collect(),
            seed_like: seed_like.collect(),
        }
    }
}

/// Share of customers' packets beside an attack that may be dropped.
const MAY_BE_LOST: f64 = 0.001;

/// Judges the corpus. Harm to customers is a finding: an incident that acts on a benign capture, or drops beside an attack.
pub fn eval(out: Out, args: &EvalArgs) -> anyhow::Result<Outcome> {
    let entries = eval::entries(&args.manifest)?;
    let judge = Judge::new(&entries, Default::default())?;
    let wanted = |entry: &&Entry| args.only.is_empty() || args.only.iter().any(|text| entry.file.contains(text));
    let mut judged = Vec::new();
    for entry in entries.iter().filter(wanted) {
        judged.push(judge.judge(entry)?);
    }
    if judged.is_empty() {
        note("no capture of the manifest was judged: --only names none of them");
    }
    let answer = answer(&judged);
    write(out, &answer)?;
    let beside = answer.files.iter().filter(|row| row.label == Label::Attack.label());
    let lost = beside.filter_map(|row| row.how.benign_drop_ratio).fold(0.0, f64::max);
    let harmed = answer.benign.incidents_acting > 0 || lost > MAY_BE_LOST;
    Ok(if harmed { Outcome::Finding } else { Outcome::Fine })
}

/// How a capture is counted: within traffic where that was possible.
fn main_of(judged: &Judged) -> &eval::Outcome {
    judged.merged.as_ref().unwrap_or(&judged.alone)
}

fn answer(judged: &[Judged]) -> Answer {
    let files = judged.iter().map(|one| FileRow {
        file: one.entry.file.clone(),
        label: one.entry.label.label(),
        vector: one.entry.vector.clone(),
        how: How::from(main_of(one)),
        merged: one.merged.is_some(),
        alone: one.merged.is_some().then(|| How::from(&one.alone)),
    });
    let mut by_vector: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
    for one in judged.iter().filter(|one| one.entry.label == Label::Attack) {
        by_vector.entry(&one.entry.vector).or_default().push(one);
    }
    let vectors = by_vector.into_iter().map(|(vector, all)| {
        let mean = |pick: &dyn Fn(&eval::Outcome) -> Option<f64>| {
            let values = all.iter().filter_map(|one| pick(main_of(one))).collect::<Vec<_>>();
            (!values.is_empty()).then(|| rounded(values.iter().sum::<f64>() / values.len() as f64))
        };
        VectorRow {
            vector: vector.to_owned(),
            files: all.len() as u64,
            detected: all.iter().filter(|one| main_of(one).detected).count() as u64,
            mean_time_to_detect_s: mean(&|o| o.time_to_detect_s),
            attack_drop_ratio: mean(&eval::Outcome::attack_drop_ratio),
            benign_drop_ratio: mean(&eval::Outcome::benign_drop_ratio),
        }
    });
    let benign = || judged.iter().filter(|one| one.entry.label == Label::Benign);
    let found = || benign().flat_map(|one| &one.alone.incidents);
    let acting = |incident: &&Found| incident.mitigated_s.is_some();
    Answer {
        files: files.collect(),
        vectors: vectors.collect(),
        benign: BenignRow {
            files: benign().count() as u64,
            packets: benign().map(|one| one.alone.benign_packets).sum(),
            dropped: benign().map(|one| one.alone.benign_dropped).sum(),
            incidents: found().count() as u64,
            incidents_acting: found().filter(acting).count() as u64,
        },
    }
}

fn write(out: Out, answer: &Answer) -> anyhow::Result<()> {
    let mut w = io::stdout().lock();
    match out.format {
        Format::Json => {
            serde_json::to_writer(&mut w, answer).map_err(io::Error::from)?;
            writeln!(w)?;
        }
        Format::Yaml => write!(w, "{}", serde_saphyr::to_string(answer)?)?,
        Format::Table => table(&mut w, out, answer)?,
    }
    w.flush()?;
    Ok(())
}

/// The best that a filter by source can do without harm: what it drops of the attack, and of customers where it does.
fn by_source(how: &How) -> String {
    let share = |row: &BySourceRow| row.attack_drop_ratio.unwrap_or(0.0);
    let harmless = how.seed_like.iter().filter(|row| row.benign_drop_ratio.unwrap_or(0.0) <= 0.001);
    let best = harmless.map(share).reduce(f64::max);
    best.map_or_else(|| "-".to_owned(), |best| format!("{:.2} %", 100.0 * best))
}

fn table(w: &mut impl Write, out: Out, answer: &Answer) -> io::Result<()> {
    let percent = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", 100.0 * share));
    let seconds = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), |s| format!("{s:.2} s"));
    let headers =
        ["ATTACK", "NOTICED>", "RULES>", "DROPPED>", "AFTER RULES>", "CUSTOMERS DROPPED>", "ALONE>", "BY SOURCE>"];
    let mut table = Table::new(headers, out.colour);
    for row in answer.files.iter().filter(|row| row.label == Label::Attack.label()) {
        let alone = match &row.alone {
            Some(alone) if alone.detected => percent(alone.attack_drop_ratio),
            Some(_) => "not noticed".to_owned(),
            None => "-".to_owned(),
        };
        table.row([
            row.file.clone().into(),
            seconds(row.how.time_to_detect_s).into(),
            seconds(row.how.time_to_mitigate_s).into(),
            percent(row.how.attack_drop_ratio).into(),
            percent(row.how.attack_drop_ratio_after_mitigation).into(),
            percent(row.how.benign_drop_ratio).into(),
            alone.into(),
            by_source(&row.how).into(),
        ]);
    }
    table.write(w)?;
    let b = &answer.benign;
    writeln!(
        w,
        "benign captures: {}, {}; dropped {}; incidents {}, of which {} acted",
        b.files,
        units::of(b.packets, "packet"),
        units::count(b.dropped),
        b.incidents,
        b.incidents_acting
    )
}
