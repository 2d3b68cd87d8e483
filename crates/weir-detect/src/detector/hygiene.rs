//! D4: what no customer's stack sends. A likelihood ratio of how often such packets are seen against how often they are benign.
//!
//! The predicates' benign share is at most 0.05 % (of 6,035 benign SYNs not one had any of them).

use weir_abi::counters::Feature;

use super::{CAP, Family, Score, words};
use crate::vector::Window;

/// The benign share, at most.
const BENIGN: f64 = 5e-4;
/// The log-likelihood ratio at which it alarms.
const THRESHOLD: f64 = 20.0;
/// An alarm needs so many such packets.
const LEAST: u64 = 20;

/// The facts of SYNs that are looked at, with their words.
const FACTS: [(Feature, &str); 3] = [
    (Feature::SynNoOptions, "without TCP options"),
    (Feature::SynSeqLowZero, "with a sequence number that ends in 16 zero bits"),
    (Feature::SynWindowZero, "with window zero"),
];

/// ln of how much likelier `hits` of `n` are at their own share than at the benign one; 0 where the share is not above that.
pub fn likelihood_ratio(hits: u64, n: u64) -> f64 {
    let (b, n) = (hits as f64, n as f64);
    if n == 0.0 || b / n <= BENIGN {
        return 0.0;
    }
    let share = b / n;
    let rest = n - b;
    let others = if rest > 0.0 { rest * ((1.0 - share) / (1.0 - BENIGN)).ln() } else { 0.0 };
    b * (share / BENIGN).ln() + others
}

/// Whether a ratio and the hits behind it are proof.
pub fn is_proof(ratio: f64, hits: u64) -> bool {
    ratio >= THRESHOLD && hits >= LEAST
}

/// Looks at a window's SYNs.
pub fn window(w: &Window) -> Score {
    let syns = w.feature(Feature::Syn);
    let facts = FACTS.iter().map(|(feature, words)| {
        let hits = w.feature(*feature);
        (likelihood_ratio(hits, syns), hits, *words)
    });
    let none = (0.0, 0, "");
    let (ratio, hits, fact) = facts.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or(none);
    let alarm = is_proof(ratio, hits);
    let value = if alarm { CAP } else { (ratio / THRESHOLD).min(1.0) };
    let evidence = words(alarm, || format!("{hits} of {syns} SYNs {fact}"));
    Score { detector: "hygiene", family: Family::Hygiene, value, alarm, evidence }
}

#[cfg(test)]
mod tests {
    //! Floods of tools, and customers among them.
    use super::*;
    use weir_abi::counters::{syn_fact, syn_slot};

    fn syns(proper: u64, bare: u64) -> Window {
        let mut w = Window::default();
        w.slots[usize::from(syn_slot(0))] = proper;
        w.slots[usize::from(syn_slot(syn_fact::NO_OPTIONS))] = bare;
        w
    }

    #[test]
    fn a_tools_flood_alarms_in_one_window_and_proper_syns_never() {
        let score = window(&syns(5, 200));
        assert!(score.alarm && score.value == CAP, "{score:?}");
        assert_eq!(score.evidence, "200 of 205 SYNs without TCP options");
        assert!(!window(&syns(1_000_000, 0)).alarm);
        // The benign share itself, and a little more.
        assert!(!window(&syns(99_950, 50)).alarm);
        assert!(!window(&syns(0, 19)).alarm, "too few to be sure");
        assert!(window(&syns(10_000, 60)).alarm);
    }
}
