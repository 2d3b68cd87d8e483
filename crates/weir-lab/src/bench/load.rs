//! Filling the lists: how long a million prefixes take from memory to the kernel, and what they occupy there.

use std::time::Instant;

use anyhow::Result;
use weir_abi::maps;

use super::Bench;
use super::lists::Parsed;
use super::node::{Node, image};
use super::row::{Row, Series};

const MIB: f64 = 1024.0 * 1024.0;
/// Maps that grow with a list, and those that hold its bits from the start.
const GROWING: [&str; 3] = [maps::PARTS4, maps::LENGTHS, maps::PREFIXES];
const FIXED: [&str; 2] = [maps::SLOTS4, maps::SLOTS6];

/// Times and sizes for both families' lists.
pub fn run(bench: &Bench, v4: &[Parsed], v6: &[Parsed]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (list, id, memory, family) in [
        (v4, "prefix_load_1m_s", "map_mib_per_1m_prefixes", "IPv4"),
        (v6, "prefix_load_1m_v6_s", "map_mib_per_1m_prefixes_v6", "IPv6"),
    ] {
        if !bench.wants(id) && !bench.wants(memory) {
            continue;
        }
        bench.say(&format!("loading 1,000,000 {family} prefixes"));
        let (mut series, mut parts) = (Series::default(), [0.0; 2]);
        let mut bytes = 0;
        for _ in 0..bench.effort.rounds {
            crate::stop::check()?;
            let mut node = Node::load()?;
            let empty = growing(&node)?;
            let now = node.object.tick()?;
            let start = Instant::now();
            let image = image(list, now)?;
            let compiled = start.elapsed().as_secs_f64();
            node.tables.apply(&image)?;
            let took = start.elapsed().as_secs_f64();
            if series.lowest().is_none_or(|best| took < best) {
                parts = [compiled, took - compiled];
            }
            series.0.push(took);
            bytes = growing(&node)? - empty;
        }
        let about = format!("1,000,000 {family} prefixes from memory to in force");
        let note = format!("compiling {:.2} s, difference and writing {:.2} s", parts[0], parts[1]);
        rows.push(Row::lowest(id, about, "s", &series).note(note));
        let about = format!("memory of the maps that 1,000,000 {family} prefixes need");
        let note = "beside the two tables of 4 MiB that hold one state for every block".to_owned();
        rows.push(Row::new(memory, about, "MiB", bytes as f64 / MIB).note(note));
    }
    if bench.wants("map_mib_fixed") {
        rows.push(fixed()?);
    }
    Ok(rows)
}

fn growing(node: &Node) -> Result<u64> {
    GROWING.iter().map(|name| node.map_bytes(name)).sum()
}

/// What the maps take before anything is in them.
fn fixed() -> Result<Row> {
    let node = Node::load()?;
    let bytes: u64 = maps::PINNED.iter().map(|name| node.map_bytes(name)).sum::<Result<u64>>()?;
    let slots: u64 = FIXED.iter().map(|name| node.map_bytes(name)).sum::<Result<u64>>()?;
    let note = format!("{:.1} MiB of them for the states of all blocks", slots as f64 / MIB);
    Ok(Row::new("map_mib_fixed", "memory of all maps, empty", "MiB", bytes as f64 / MIB).note(note))
}
