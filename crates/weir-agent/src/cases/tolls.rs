//! What the targets of one incident lost: usually there is one.

use std::collections::BTreeMap;

use weir_api::local::{DroppedRow, KnownFlowsRow};

use super::Toll;

/// What each target lost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tolls {
    of: BTreeMap<u32, Toll>,
    /// Of targets that the policy does not have any more.
    gone: Vec<Toll>,
}

impl Tolls {
    /// A target is attacked; the first time its toll begins.
    pub fn begin(&mut self, target: u32, toll: impl FnOnce() -> Toll) {
        self.of.entry(target).or_insert_with(toll);
    }

    /// The targets.
    pub fn targets(&self) -> impl Iterator<Item = u32> {
        self.of.keys().copied()
    }

    /// Whether a target is among them.
    pub fn has(&self, target: u32) -> bool {
        self.of.contains_key(&target)
    }

    /// One target's.
    pub fn get_mut(&mut self, target: u32) -> Option<&mut Toll> {
        self.of.get_mut(&target)
    }

    /// Takes over those of an incident that is a part of this one.
    pub fn join(&mut self, part: Self) {
        for (target, toll) in part.of {
            self.of.entry(target).or_insert(toll);
        }
        self.gone.extend(part.gone);
    }

    /// A target is no more; what it lost stays told.
    pub fn gone(&mut self, target: u32) {
        self.gone.extend(self.of.remove(&target));
    }

    fn all(&self) -> impl Iterator<Item = &Toll> {
        self.of.values().chain(&self.gone)
    }

    /// What was dropped or would have been, the most first.
    pub fn rows(&self) -> Vec<DroppedRow> {
        let mut rows: Vec<DroppedRow> = Vec::new();
        for row in self.all().flat_map(Toll::rows) {
            match rows.iter_mut().find(|known| (&known.reason, known.verdict) == (&row.reason, row.verdict)) {
                Some(known) => {
                    known.packets += row.packets;
                    known.bytes += row.bytes;
                }
                None => rows.push(row),
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.packets));
        rows
    }

    /// Packets of known connections; none where they are not known of all.
    pub fn known(&self) -> Option<KnownFlowsRow> {
        let each = self.all().map(Toll::known).collect::<Option<Vec<_>>>()?;
        let sum = |sum: Option<KnownFlowsRow>, one: KnownFlowsRow| {
            let sum = sum.unwrap_or_default();
            Some(KnownFlowsRow {
                packets: sum.packets + one.packets,
                dropped_at_most: sum.dropped_at_most + one.dropped_at_most,
            })
        };
        each.into_iter().fold(None, sum)
    }
}
