//! A scenario many times, by one defence or by several in turn: percentiles, each beside its bar.
//!
//! Percentiles are by nearest rank, so that each is a run that was: of ten runs the 99th is the worst. A run in which something
//! never happened counts as the worst of all.

use std::fmt::Write;
use std::fs;

use anyhow::Result;
use serde::Serialize;

use crate::guard::Arm;
use crate::report::{Report, percent};
use crate::run::{self, Audience, Options, Stage, judge};
use crate::scenario::{Asks, Scenario};

/// Detection is to take so long in the median, ms.
const DETECT_P50_MS: f64 = 300.0;
/// And an answer so long.
const MITIGATE_P50_MS: f64 = 500.0;

/// All runs of a scenario.
#[derive(Debug, Serialize)]
pub struct Series {
    /// Its name.
    pub scenario: String,
    /// Runs by each arm.
    pub runs: u32,
    /// Seconds measured in each.
    pub seconds: u64,
    /// Programs that wanted a core when it began, on average over the minute before: above 0.5 other work blurs the times.
    pub load_before: Option<f64>,
    /// Each arm's.
    pub arms: Vec<ArmSeries>,
}

/// The runs of one arm.
#[derive(Debug, Serialize)]
pub struct ArmSeries {
    /// Its name.
    pub arm: String,
    /// What they came to.
    pub figures: Vec<Figure>,
    /// The runs, in their order.
    pub runs: Vec<Report>,
}

/// One figure over all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The report's field and which of its values this is.
    pub id: String,
    /// The value; `null` where in that run it never came.
    pub value: Option<f64>,
    /// What it is to be, for Weir.
    pub bar: Option<f64>,
    /// Whether it is.
    pub met: Option<bool>,
}

/// Which values are good.
#[derive(Clone, Copy, PartialEq)]
enum Good {
    Low,
    High,
}

/// Tries a scenario so often by each arm, the arms by turns. The lab and what customers get without Weir are those of all runs:
/// each arm leaves no program, no map and no file behind.
pub fn play(
    stage: &Stage,
    scenario: &Scenario,
    (runs, arms): (u32, &[Arm]),
    options: Options,
    audience: &mut dyn Audience,
) -> Result<Series> {
    let load_before = fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse().ok());
    let rehearsal = run::rehearse(stage, scenario, options, audience)?;
    let mut all: Vec<Vec<Report>> = vec![Vec::new(); arms.len()];
    for run in 0..runs {
        for (arm, reports) in arms.iter().zip(&mut all) {
            audience.note(&format!("run {} of {runs}, protected by: {}", run + 1, arm.name()));
            let options = Options { arm: *arm, seed: options.seed.wrapping_add(run.into()), ..options };
            reports.push(run::perform(stage, scenario, &rehearsal, options, audience)?.report);
        }
    }
    let arm = |(arm, runs): (&Arm, Vec<Report>)| ArmSeries {
        arm: arm.name().to_owned(),
        figures: figures(scenario, *arm, &runs),
        runs,
    };
    Ok(Series {
        scenario: scenario.name.to_owned(),
        runs,
        seconds: options.window.as_secs(),
        load_before,
        arms: arms.iter().zip(all).map(arm).collect(),
    })
}

fn figures(scenario: &Scenario, arm: Arm, runs: &[Report]) -> Vec<Figure> {
    let (attacks, pulses) = (scenario.attacks(), runs.iter().any(|run| !run.pulses.is_empty()));
    let stops = scenario.asks == Asks::Stop;
    let serves = scenario.asks.serves();
    let notices = serves && scenario.is_noticed();
    let mut figures = Vec::new();
    let mut row = |id: &str, good: Good, share: f64, bar: Option<f64>, of: &dyn Fn(&Report) -> Option<f64>| {
        let value = nearest_rank(runs.iter().map(of).collect(), good, share);
        let bar = bar.filter(|_| arm == Arm::Weir);
        let met = bar.map(|bar| value.is_some_and(|value| if good == Good::Low { value <= bar } else { value >= bar }));
        figures.push(Figure { id: id.to_owned(), value, bar, met });
    };
    let bar = |asked: bool, bar: f64| asked.then_some(bar);
    if attacks {
        row("time_to_detect_ms_p50", Good::Low, 0.5, bar(notices, DETECT_P50_MS), &|run| run.time_to_detect_ms);
        row("time_to_detect_ms_p99", Good::Low, 0.99, None, &|run| run.time_to_detect_ms);
        row("time_to_mitigate_ms_p50", Good::Low, 0.5, bar(notices, MITIGATE_P50_MS), &|run| run.time_to_mitigate_ms);
        let slowest = bar(notices, judge::MITIGATED_MS);
        row("time_to_mitigate_ms_p99", Good::Low, 0.99, slowest, &|run| run.time_to_mitigate_ms);
        if scenario.overwhelms() {
            row("time_to_quiet_ms_p50", Good::Low, 0.5, None, &|run| run.time_to_quiet_ms);
            row("time_to_quiet_ms_p99", Good::Low, 0.99, None, &|run| run.time_to_quiet_ms);
        }
        if pulses {
            row("rearm_ms_p50", Good::Low, 0.5, None, &|run| run.rearm_ms);
            row("rearm_ms_p99", Good::Low, 0.99, bar(stops, judge::REARMED_MS), &|run| run.rearm_ms);
        }
        row("attack_drop_ratio_min", Good::High, 1.0, None, &|run| run.attack_drop_ratio);
        let dropped = bar(stops, judge::DROPPED);
        row("attack_drop_ratio_mitigated_min", Good::High, 1.0, dropped, &|run| run.attack_drop_ratio_mitigated);
    }
    row("goodput_ratio_min", Good::High, 1.0, bar(serves, judge::HOLDS), &|run| Some(run.goodput_ratio));
    row("benign_drop_ratio_max", Good::Low, 1.0, Some(judge::LOST), &|run| Some(run.benign_drop_ratio));
    figures
}

/// The value of the run that so large a share of all are at least as good as; `None` where that one has none.
fn nearest_rank(mut values: Vec<Option<f64>>, good: Good, share: f64) -> Option<f64> {
    values.sort_by(|a, b| match (a, b) {
        (Some(a), Some(b)) if good == Good::Low => a.total_cmp(b),
        (Some(a), Some(b)) => b.total_cmp(a),
        // What never came is the worst.
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
    values.get(rank - 1).copied().flatten()
}

impl Series {
    /// Whether Weir is as it should be: bars met, and no finding in any run.
    pub fn is_good(&self) -> bool {
        let figures = self.arms.iter().flat_map(|arm| &arm.figures).all(|figure| figure.met != Some(false));
        figures && self.arms.iter().flat_map(|arm| &arm.runs).all(|run| run.findings.is_empty())
    }

    /// As a table: a figure a line, an arm a column.
    pub fn table(&self) -> String {
        let mut out = format!("{}: {} runs of {} s", self.scenario, self.runs, self.seconds);
        if let Some(load) = self.load_before {
            let _ = write!(out, ", load before {load:.2}");
        }
        let _ = write!(out, "\n{:34}", "");
        for arm in &self.arms {
            let _ = write!(out, "{:>12}", arm.arm);
        }
        out.push('\n');
        let ids = self.arms.first().map(|arm| arm.figures.as_slice()).unwrap_or_default();
        for (at, Figure { id, .. }) in ids.iter().enumerate() {
            let _ = write!(out, "{id:34}");
            let row = || self.arms.iter().filter_map(|arm| arm.figures.get(at));
            for figure in row() {
                let _ = write!(out, "{:>12}", shown(id, figure.value));
            }
            if let Some(figure) = row().find(|figure| figure.bar.is_some()) {
                let met = if figure.met == Some(true) { "met" } else { "NOT MET" };
                let _ = write!(out, "   bar {}, {met}", shown(id, figure.bar));
            }
            out.push('\n');
        }
        for arm in &self.arms {
            for (number, run) in arm.runs.iter().enumerate() {
                for finding in &run.findings {
                    let _ = writeln!(out, "finding, {} run {}: {finding}", arm.arm, number + 1);
                }
            }
        }
        out
    }
}

fn shown(id: &str, value: Option<f64>) -> String {
    match value {
        None => "never".to_owned(),
        Some(value) if id.contains("_ms_") => format!("{value:.0} ms"),
        Some(value) => percent(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_runs_that_were() {
        let ten: Vec<_> = (1..=10).map(|ms| Some(f64::from(ms))).collect();
        assert_eq!(nearest_rank(ten.clone(), Good::Low, 0.5), Some(5.0));
        assert_eq!(nearest_rank(ten.clone(), Good::Low, 0.99), Some(10.0), "the worst of ten");
        assert_eq!(nearest_rank(ten.clone(), Good::High, 1.0), Some(1.0));
        assert_eq!(nearest_rank([vec![None], ten].concat(), Good::Low, 0.99), None, "never is worse");
        assert_eq!(nearest_rank(vec![None, Some(7.0)], Good::Low, 0.5), Some(7.0));
        assert_eq!(nearest_rank(Vec::new(), Good::Low, 0.5), None);
    }

    #[test]
    fn bars_are_weirs_and_asked_where_they_can_be() {
        let scenario = Scenario::named("syn-flood-unknown").expect("a scenario");
        let run = Report {
            time_to_detect_ms: Some(100.0),
            time_to_mitigate_ms: Some(1200.0),
            attack_drop_ratio_mitigated: Some(0.999),
            goodput_ratio: 0.99,
            ..Report::default()
        };
        let missed = |arm, scenario: &Scenario| -> Vec<String> {
            let figures = figures(scenario, arm, std::slice::from_ref(&run));
            figures.into_iter().filter(|figure| figure.met == Some(false)).map(|figure| figure.id).collect()
        };
        assert_eq!(missed(Arm::Weir, scenario), ["time_to_mitigate_ms_p50", "time_to_mitigate_ms_p99"]);
        assert_eq!(missed(Arm::SeedLike, scenario), Vec::<String>::new());
        assert_eq!(missed(Arm::Weir, Scenario::named("mimicry").expect("a scenario")), Vec::<String>::new());
    }

    #[test]
    fn the_table_shows_arms_beside_each_other() {
        let scenario = Scenario::named("syn-flood-unknown").expect("a scenario");
        let arm = |arm: Arm| ArmSeries {
            arm: arm.name().to_owned(),
            figures: figures(scenario, arm, &[Report::default()]),
            runs: vec![Report { findings: vec!["odd".to_owned()], ..Report::default() }],
        };
        let series = Series {
            scenario: scenario.name.to_owned(),
            runs: 1,
            seconds: 3,
            load_before: Some(0.1),
            arms: vec![arm(Arm::SeedLike), arm(Arm::Weir)],
        };
        let table = series.table();
        assert!(table.contains("seed-like        weir"), "{table}");
        assert!(
            table.contains("time_to_detect_ms_p50                    never       never   bar 300 ms, NOT MET"),
            "{table}"
        );
        assert!(table.contains("finding, weir run 1: odd") && !series.is_good(), "{table}");
    }
}
