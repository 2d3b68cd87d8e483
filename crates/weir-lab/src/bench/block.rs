//! From "block this host" to packets being dropped, with a million prefixes in force: the tables alone, without the agent.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use anyhow::{Result, anyhow, bail, ensure};
use weir_datapath::clock;
use weir_policy::explain::Index;
use weir_policy::model::{ListEntry, Verdict};
use weir_policy::patch;

use super::Bench;
use super::frames;
use super::lists::Parsed;
use super::node::{self, Node};
use super::row::{Row, Series};
use super::settings::Setting;
use crate::stop;

/// What the kernel answers.
pub const XDP_DROP: u32 = 1;
/// Far beyond any bar.
const GIVE_UP_AFTER: f64 = 5.0;

/// Blocks hosts one after the other.
pub fn run(bench: &Bench, list: &[Parsed]) -> Result<Vec<Row>> {
    if !bench.wants("block_patch_ms") {
        return Ok(Vec::new());
    }
    let trials = trials(bench);
    bench.say(&format!("{trials} blocks with {} prefixes in force", list.len()));
    let mut node = Node::load()?;
    let now = node.object.tick()?;
    let mut policy = node::policy(list, now)?;
    node.tables.apply(&node::compiled(&policy, now)?)?;
    let rule = policy.names.intern("bench block");
    let mut index = Index::new(std::mem::take(&mut policy.lists));
    let lists_only = Setting { lists: true, ..Setting::NOTHING };
    node.set(&lists_only, &lists_only.compile()?)?;
    let _attached = node.attach()?;
    let mut series = Series::default();
    let until = now + u64::from(clock::tick_hz()) * 3600;
    for host in hosts().take(10 * trials) {
        stop::check()?;
        let frame = frames::syn(host)?;
        if node.time(&frame, 1)?.returned == XDP_DROP {
            continue;
        }
        let entry = ListEntry::new(host, Verdict::Deny, rule).until(until);
        let start = Instant::now();
        index.insert(entry);
        let patch = patch(node.tables.image(), &index, host.into(), &policy.names, now);
        let patch = patch.ok_or_else(|| anyhow!("{host} cannot be blocked by a patch"))?;
        let patch = patch.map_err(|errors| anyhow!("blocking {host}: {errors:?}"))?;
        node.tables.patch(patch.diff)?;
        while node.time(&frame, 1)?.returned != XDP_DROP {
            if start.elapsed().as_secs_f64() > GIVE_UP_AFTER {
                bail!("{host} is not blocked after {GIVE_UP_AFTER} s");
            }
        }
        series.0.push(start.elapsed().as_secs_f64() * 1e3);
        if series.0.len() == trials {
            break;
        }
    }
    ensure!(series.0.len() == trials, "too few hosts that are on no list");
    Ok(vec![row("block_patch_ms", "one block with 1,000,000 prefixes, tables alone: p99", &series)])
}

/// How many blocks.
pub fn trials(bench: &Bench) -> usize {
    if bench.quick { 50 } else { 200 }
}

/// A row of which the 99th percentile counts.
pub fn row(id: &str, about: &str, series: &Series) -> Row {
    let mut row = Row::new(id, about, "ms", series.quantile(0.99).unwrap_or(f64::NAN));
    row.median = series.median();
    row.runs = series.0.len();
    row
}

/// Addresses all over the Internet, none twice.
pub fn hosts() -> impl Iterator<Item = IpAddr> {
    (1u32..).map(|i| IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0001 + i.wrapping_mul(0x9E37_79B1) % (89 << 24))))
}
