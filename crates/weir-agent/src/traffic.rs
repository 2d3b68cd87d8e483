//! Counters as they stand, and how fast they move.

use std::collections::HashMap;
use std::time::Instant;

use weir_abi::{Counter, Feature, Reason};
use weir_api::local::{Totals, Verdict};

use crate::datapath::{Datapath, DatapathError, LostSamples, MapUse};
use crate::sampling::Rates;

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Target id; 0 is the node itself.
    pub target: u32,
    /// Why.
    pub reason: Reason,
    /// What was done.
    pub verdict: Verdict,
    /// Since the kernel tables were made.
    pub total: Counter,
    /// Packets per second since the reading before.
    pub packets_per_s: f64,
    /// Bytes per second.
    pub bytes_per_s: f64,
}

/// One reading of everything that counts.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// When.
    pub at: Instant,
    /// Counters by target and reason.
    pub rows: Vec<Row>,
    /// Features by target.
    pub features: Vec<(u32, Feature, u64)>,
    /// Rule slots.
    pub rules: Vec<(u32, Counter)>,
    /// How full the maps are.
    pub maps: Vec<MapUse>,
    /// Samples that did not come.
    pub lost_samples: LostSamples,
    /// Sampling in force.
    pub sampling: Rates,
}

impl Traffic {
    /// Nothing counted yet.
    pub fn empty(at: Instant) -> Self {
        Self {
            at,
            rows: Vec::new(),
            features: Vec::new(),
            rules: Vec::new(),
            maps: Vec::new(),
            lost_samples: LostSamples::default(),
            sampling: Rates::default(),
        }
    }

    /// Reads the packet path; rates are against `before`.
    pub fn read(datapath: &mut dyn Datapath, at: Instant, before: &Traffic) -> Result<Self, DatapathError> {
        let seconds = at.saturating_duration_since(before.at).as_secs_f64();
        let old: HashMap<_, Counter> = before.rows.iter().map(|r| ((r.target, r.reason, r.verdict), r.total)).collect();
        let mut rows = Vec::new();
        for (target, would, reason, total) in datapath.counters()? {
            if total.packets == 0 {
                continue;
            }
            let verdict = verdict(reason, would);
            // The first reading shows what an agent before this one counted: that is no rate.
            let known = old.get(&(target, reason, verdict)).copied();
            let start = known.unwrap_or(if before.rows.is_empty() { total } else { Counter::default() });
            let rate =
                |now: u64, then: u64| if seconds > 0.0 { now.saturating_sub(then) as f64 / seconds } else { 0.0 };
            let packets_per_s = rate(total.packets, start.packets);
            let bytes_per_s = rate(total.bytes, start.bytes);
            rows.push(Row { target, reason, verdict, total, packets_per_s, bytes_per_s });
        }
        rows.sort_by_key(|r| (r.target, r.reason, r.verdict));
        Ok(Self {
            at,
            rows,
            features: datapath.features()?,
            rules: datapath.rule_counters()?,
            maps: datapath.maps(),
            lost_samples: datapath.lost_samples()?,
            sampling: before.sampling,
        })
    }

    /// Sums over all targets and reasons.
    pub fn totals(&self) -> Totals {
        let mut t = Totals::default();
        for row in &self.rows {
            let (packets, bytes, rate) = match row.verdict {
                Verdict::Pass => (&mut t.passed_packets, &mut t.passed_bytes, &mut t.passed_packets_per_s),
                Verdict::Drop => (&mut t.dropped_packets, &mut t.dropped_bytes, &mut t.dropped_packets_per_s),
                Verdict::WouldDrop => {
                    (&mut t.would_drop_packets, &mut t.would_drop_bytes, &mut t.would_drop_packets_per_s)
                }
            };
            *packets += row.total.packets;
            *bytes += row.total.bytes;
            *rate += row.packets_per_s;
        }
        t
    }
}

/// What a counter slot counts.
pub fn verdict(reason: Reason, would: bool) -> Verdict {
    match (reason.drops(), would) {
        (false, _) => Verdict::Pass,
        (true, false) => Verdict::Drop,
        (true, true) => Verdict::WouldDrop,
    }
}
