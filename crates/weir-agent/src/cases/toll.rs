//! What a target lost while an incident lasted, by the kernel's counters.

use std::collections::BTreeMap;

use weir_abi::{Counter, Reason};
use weir_api::local::{DroppedRow, KnownFlowsRow};

use super::Counts;
use crate::traffic::verdict;

/// Packets of known connections that came for a target, ever, and whether the policy's own rules may drop some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// Packets.
    pub came: u64,
    /// The target has match rules that people wrote: these are for every packet.
    pub own_rules: bool,
}

/// The difference of two readings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Toll {
    before: BTreeMap<(Reason, bool), Counter>,
    came_before: Option<u64>,
    since: BTreeMap<(Reason, bool), Counter>,
    known: Option<KnownFlowsRow>,
}

impl Toll {
    /// Counts from this reading on. `came`: packets of known connections so far, where they are known.
    pub fn since(target: u32, counts: &Counts, came: Option<u64>) -> Self {
        Self { before: of(target, counts), came_before: came, ..Self::default() }
    }

    /// Takes a later reading.
    pub fn read(&mut self, target: u32, counts: &Counts, known: Option<Known>) {
        let since = of(target, counts).into_iter().map(|(key, now)| {
            let before = self.before.get(&key).copied().unwrap_or_default();
            let packets = now.packets.saturating_sub(before.packets);
            (key, Counter { packets, bytes: now.bytes.saturating_sub(before.bytes) })
        });
        self.since = since.collect();
        self.known = known.zip(self.came_before).map(|(known, before)| {
            let packets = known.came.saturating_sub(before);
            let passed = self.since.get(&(Reason::KnownFlow, false)).map_or(0, |c| c.packets);
            // Two bounds: what came and did not pass as such, and what was dropped for a reason that concerns connections. The first
            // is of two readings of counters that move meanwhile, and alone would say a few where there is none.
            let dropped = self.since.iter().filter(|((reason, would), _)| !would && touches(*reason, known.own_rules));
            let dropped: u64 = dropped.map(|(_, counter)| counter.packets).sum();
            KnownFlowsRow { packets, dropped_at_most: packets.saturating_sub(passed).min(dropped) }
        });
    }

    /// What was dropped or would have been, the most first.
    pub fn rows(&self) -> Vec<DroppedRow> {
        let dropped = self.since.iter().filter(|((reason, _), counter)| reason.drops() && counter.packets > 0);
        let row = |((reason, would), counter): (&(Reason, bool), &Counter)| DroppedRow {
            reason: reason.label().to_owned(),
            verdict: verdict(*reason, *would),
            packets: counter.packets,
            bytes: counter.bytes,
            text: reason.text().to_owned(),
        };
        let mut rows: Vec<DroppedRow> = dropped.map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.packets));
        rows
    }

    /// Packets of known connections; none where they are not known.
    pub fn known(&self) -> Option<KnownFlowsRow> {
        self.known
    }
}

fn of(target: u32, counts: &Counts) -> BTreeMap<(Reason, bool), Counter> {
    let rows = counts.iter().filter(|(of, _, _, counter)| *of == target && counter.packets > 0);
    rows.map(|(_, would, reason, counter)| ((*reason, *would), *counter)).collect()
}

/// Whether packets of known connections may be dropped for a reason: incidents' rules, the limit for strangers and the challenge of SYNs
/// leave them alone.
fn touches(reason: Reason, own_rules: bool) -> bool {
    match reason {
        Reason::Strangers | Reason::Challenged | Reason::ChallengeAnswer | Reason::Unchallengeable => false,
        Reason::Rule => own_rules,
        other => other.drops(),
    }
}

#[cfg(test)]
mod tests {
    //! A flood that rules drop, and customers whose limits are too low.
    use super::*;

    fn counter(packets: u64) -> Counter {
        Counter { packets, bytes: 60 * packets }
    }

    #[test]
    fn connections_lose_nothing_to_rules() {
        let mut counts =
            vec![(1, false, Reason::KnownFlow, counter(1000)), (1, false, Reason::SourcePackets, counter(7))];
        let mut toll = Toll::since(1, &counts, Some(1000));
        counts = vec![
            (1, false, Reason::KnownFlow, counter(1490)),
            (1, false, Reason::SourcePackets, counter(7)),
            (1, false, Reason::Rule, counter(9000)),
            (1, true, Reason::Land, counter(3)),
            (2, false, Reason::Rule, counter(1)),
        ];
        let known = |own_rules| Some(Known { came: 1500, own_rules });
        // Ten came between the two readings: no reason to say that any was lost.
        toll.read(1, &counts, known(false));
        assert_eq!(toll.known(), Some(KnownFlowsRow { packets: 500, dropped_at_most: 0 }));
        let rows: Vec<_> = toll.rows().into_iter().map(|r| (r.reason, r.verdict.label(), r.packets, r.bytes)).collect();
        assert_eq!(rows, [("rule".into(), "drop", 9000, 540_000), ("land".into(), "would_drop", 3, 180)]);
        // Rules that people wrote are for every packet.
        toll.read(1, &counts, known(true));
        assert_eq!(toll.known(), Some(KnownFlowsRow { packets: 500, dropped_at_most: 10 }));
        counts[1].3 = counter(11);
        toll.read(1, &counts, known(false));
        assert_eq!(toll.known(), Some(KnownFlowsRow { packets: 500, dropped_at_most: 4 }));
        toll.read(1, &counts, None);
        assert_eq!(toll.known(), None);
    }
}
