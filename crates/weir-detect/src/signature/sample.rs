//! Terms over a fixed set of packets: each term is evaluated once, and is a set of packet numbers from then on.

use weir_policy::rules::{MatchVector, Term};

use crate::bits::Bits;

/// A term, and whom it holds for.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The term.
    pub term: Term,
    /// What it speaks of: a conjunction has one term of a kind.
    pub kind: u8,
    /// The attack's packets that it holds for.
    pub attack: Bits,
    /// The benign packets that it holds for.
    pub benign: Bits,
    /// What is known of it beforehand, see [`super::prior`].
    pub told: u8,
}

/// The packets for which a term holds.
pub fn held(term: &Term, packets: &[MatchVector]) -> Bits {
    Bits::of(packets.len(), |i| term.holds(&packets[i]))
}
