//! What was compared, and what was not alike.

use std::collections::BTreeMap;
use std::fmt;

use weir_abi::{Reason, Verdict};
use weir_core::Outcome;

use super::Hook;

/// Differences that are kept in full; the rest are only counted.
const KEPT: usize = 5;

/// Something that was not alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The packets after which it showed: one, or those since everything was last compared.
    pub packets: Vec<(Hook, Vec<u8>)>,
    /// What each side says.
    pub details: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (hook, frame) in &self.packets {
            write!(f, "{hook:?}, {} bytes: ", frame.len())?;
            for byte in frame {
                write!(f, "{byte:02x}")?;
            }
            writeln!(f)?;
        }
        for line in &self.details {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// The sum of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Packets that went through both sides.
    pub packets: u64,
    /// Packets around which the kernel's tick moved on.
    pub between_ticks: u64,
    /// Of these, those that no tick explains: the kernel's state was taken over.
    pub resyncs: u64,
    /// How often the sides differed.
    pub differences: u64,
    /// The first differences.
    pub first: Vec<Difference>,
    /// What became of the packets: the ground that was covered.
    pub reasons: BTreeMap<(Reason, bool), u64>,
}

impl Report {
    pub(super) fn differ(&mut self, difference: Difference) {
        self.differences += 1;
        if self.first.len() < KEPT {
            self.first.push(difference);
        }
    }

    pub(super) fn count(&mut self, outcome: &Outcome) {
        let would = outcome.verdict() == Verdict::WouldDrop;
        *self.reasons.entry((outcome.reason(), would)).or_default() += 1;
    }

    /// Adds another comparison's.
    pub fn add(&mut self, other: Report) {
        self.packets += other.packets;
        self.between_ticks += other.between_ticks;
        self.resyncs += other.resyncs;
        self.differences += other.differences;
        let room = KEPT.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(room));
        for (reason, n) in other.reasons {
            *self.reasons.entry(reason).or_default() += n;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, between_ticks, resyncs, differences, reasons, .. } = self;
        writeln!(
            f,
            "{packets} packets, {differences} differences, {between_ticks} between two ticks, {resyncs} re-syncs, {} outcomes",
            reasons.len()
        )?;
        for difference in &self.first {
            writeln!(f, "{difference}")?;
        }
        Ok(())
    }
}
