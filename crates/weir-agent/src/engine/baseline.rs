//! What is usual for a target, for whoever asks.

use std::time::SystemTime;

use weir_api::local::{BaselineHour, BaselineKind, BaselineRow};
use weir_api::spec::Moment;
use weir_detect::engine::{Known, KnownKind};

use super::seconds::POLL;
use super::{Engine, Now, Refusal};

impl Engine {
    /// What is usual for the target of this name.
    pub fn baseline(&self, name: &str, now: Now) -> Result<BaselineRow, Refusal> {
        let names = &self.datapath.image().names;
        let unknown = || {
            let known = names.targets.iter().skip(1).filter(|name| !name.is_empty()).cloned().collect::<Vec<_>>();
            let hint = if known.is_empty() { "no policy names one".to_owned() } else { known.join(", ") };
            Refusal::Unknown(format!("there is no target {name}: {hint}"))
        };
        let id = (0u32..).zip(&names.targets).skip(1).find(|(_, other)| *other == name).ok_or_else(unknown)?.0;
        let not_yet = || Refusal::Unknown(format!("{name} is not watched yet: ask again in a second"));
        let known = self.detection.judge.known(id).ok_or_else(not_yet)?;
        Ok(row(name, self.detection.memories.since(name).unwrap_or(now.wall), &known, now))
    }
}

fn row(name: &str, since: SystemTime, known: &Known, now: Now) -> BaselineRow {
    // Of the kind that has learned least, windows of calm that are missing.
    let windows = known.kinds.iter().map(|kind| kind.windows).min().unwrap_or(0);
    let missing = known.warm_up.saturating_sub(windows);
    BaselineRow {
        target: name.to_owned(),
        since: Moment::from_system(since),
        rates_judged_from: (missing > 0)
            .then(|| Moment::from_system(now.wall + POLL * u32::try_from(missing).unwrap_or(u32::MAX))),
        benign_packets: known.benign as u64,
        benign_packets_needed: known.needed as u64,
        waiting: known.waiting.0.round() as u64,
        usually_waiting: known.waiting.1.round() as u64,
        busiest_source_connections_per_s: known.busiest_source,
        kinds: known.kinds.iter().map(kind).collect(),
    }
}

fn kind(known: &KnownKind) -> BaselineKind {
    BaselineKind {
        kind: known.vector.label().to_owned(),
        packets_per_s: rounded(known.mean),
        deviation_per_s: rounded(known.deviation),
        this_hour: known.hourly.map(|hour| BaselineHour {
            p50: rounded(hour.p50),
            p95: rounded(hour.p95),
            p99: rounded(hour.p99),
            max: rounded(hour.max),
        }),
        hours: known.hours,
        sleeping_rules: known.asleep as u64,
    }
}

/// Enough digits for a rate.
fn rounded(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}
