//! The side-by-side table: Weir's packet path beside a bare drop, the kernel's packet filters, xdp-filter and the naive
//! per-source program, all on this machine and in the same minutes. Ratios count, never absolute figures.
//!
//! Floods are live frames between the ends of a veth pair, sent and received on one core: a core that sends as fast as what
//! receives lets it. Each contender has a quarter of a second at a time, five times, in turns with the others; the best run
//! counts. Programs are timed on single frames, too, and the rest is measured as the rows say. Everything happens in network
//! namespaces of the bench's own and is over after about five minutes.

mod agent;
mod bars;
mod block;
mod contender;
mod firewall;
mod floods;
mod frames;
mod limiter;
mod lists;
mod load;
mod machine;
mod node;
mod race;
mod report;
mod row;
mod sender;
mod settings;
mod single;
mod stage;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use contender::Seed;
use lists::Parsed;
use machine::Machine;
use node::Node;
use race::Effort;
use report::Report;
use row::Row;
use sender::Sender;
use stage::Stage;

use crate::cpu::{self, Rank};

/// How to measure.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where the table goes as JSON.
    pub json: Option<PathBuf>,
    /// Fewer and shorter runs: a look, no verdict.
    pub quick: bool,
    /// Only these rows; empty: all.
    pub only: Vec<String>,
}

/// One bench, as its parts see it.
struct Bench<'a> {
    stage: &'a Stage,
    effort: Effort,
    quick: bool,
    only: &'a [String],
}

/// Lengths of the lists.
const LENGTHS: [usize; 3] = [0, 100_000, 1_000_000];

/// Measures, prints the table and writes it; `false` when a bar is missed.
pub fn run(options: &Options) -> Result<bool> {
    let machine = Machine::this();
    let start = Instant::now();
    let stage = Stage::up()?;
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let bench = Bench { stage: &stage, effort, quick: options.quick, only: &options.only };
    let rows = stage.place().ns.within(|| bench.measure());
    stage.down()?;
    let rows = rows?;
    if rows.is_empty() {
        bail!("no row is called {}; run without --only to see all", options.only.join(" or "));
    }
    let report = Report { machine, quick: options.quick, seconds: start.elapsed().as_secs_f64(), rows };
    print!("{}", report.table());
    if let Some(path) = &options.json {
        write(path, &report)?;
    }
    Ok(report.holds())
}

fn write(path: &Path, report: &Report) -> Result<()> {
    let text = serde_json::to_string_pretty(report)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

impl Bench<'_> {
    /// Whether a row is asked for.
    fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == id)
    }

    /// Tells how far it is.
    fn say(&self, what: &str) {
        eprintln!("bench: {what}");
    }

    /// In a thread of the place's namespace.
    fn measure(&self) -> Result<Vec<Row>> {
        cpu::tie(None, &[cpu::cores()?.receive()])?;
        let (v4, v6) = (lists::mixed_v4(LENGTHS[2]), lists::mixed_v6(LENGTHS[2]));
        let mut rows = load::run(self, &v4, &v6)?;
        rows.extend(block::run(self, &v4)?);
        rows.extend(agent::run(self, &v4)?);
        rows.extend(self.packets(&v4, &v6)?);
        let derived = report::derived(&rows);
        rows.extend(derived);
        rows.retain(|row| self.wants(&row.id));
        Ok(rows)
    }

    /// All that goes through programs packet by packet.
    fn packets(&self, v4: &[Parsed], v6: &[Parsed]) -> Result<Vec<Row>> {
        self.say("loading lists of 0, 100,000 and 1,000,000 prefixes");
        let list = |n: usize| -> Vec<Parsed> { v4.iter().take(n).chain(v6.iter().take(n)).copied().collect() };
        let nodes = each(|n| Node::with_list(&list(n)))?;
        let seeds = each(|n| Seed::with_list(&v4[..n]))?;
        // From here on no other program of this machine comes between.
        cpu::rank(None, Rank::Packets)?;
        self.say("single frames");
        let mut rows = single::run(self, &nodes[2], &list(LENGTHS[2]), Some(&seeds[2]))?;
        let mut sender = Sender::new(self.stage.place())?;
        rows.extend(floods::one_source_v4(self, &mut sender, &nodes, &seeds)?);
        rows.extend(floods::random_source_v4(self, &mut sender, &nodes, &seeds)?);
        drop(seeds);
        rows.extend(floods::v6(self, &mut sender, &nodes)?);
        rows.extend(floods::passing(self, &mut sender, &nodes)?);
        rows.extend(floods::breakdown(self, &mut sender, &nodes)?);
        rows.extend(floods::hard(self, &mut sender, &nodes[2])?);
        // Its place on the loopback interface is needed.
        drop(sender);
        rows.extend(limiter::run(self, &nodes[0])?);
        Ok(rows)
    }
}

fn each<T>(make: impl Fn(usize) -> Result<T>) -> Result<[Rc<RefCell<T>>; 3]> {
    let [a, b, c] = LENGTHS.map(|n| make(n).map(|made| Rc::new(RefCell::new(made))));
    Ok([a?, b?, c?])
}
