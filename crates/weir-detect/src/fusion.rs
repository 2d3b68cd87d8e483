//! From scores to a confidence, and from a confidence to what may be done about it.
//!
//! `L = -4 + Σ weight · score`, confidence `1 / (1 + e^-L)`. **Nothing is dropped on volume alone**: a drop needs two families, or
//! the alarm of the family that no customer can raise. That alarm is its own likelihood ratio of e^20 and more, so that it sets the
//! confidence by itself; a sum capped at five cannot reach it. And where connections come about as usual, only that alarm counts:
//! a crowd of customers of a new kind looks otherwise and is many.

use std::collections::BTreeSet;

use crate::detector::{CAP, Family, Score};

/// Log-odds of an attack before anything was seen.
const PRIOR: f64 = -4.0;
/// The confidence that a hygiene alarm proves.
const PROVEN: f64 = 0.99;

/// How sure one may be of what.
pub mod level {
    /// Look closer: more samples.
    pub const SUSPECT: f64 = 0.5;
    /// Challenge, or share fairly.
    pub const CONTAIN: f64 = 0.8;
    /// Drop by signature.
    pub const ACT: f64 = 0.95;
}

/// What a window's scores come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// 0 to 1.
    pub confidence: f64,
    /// The families of detectors that alarm.
    pub families: BTreeSet<Family>,
    /// Connections come about as usual: what comes are customers, however many and whatever they look like.
    pub customers: bool,
    /// What each detector says, those that speak for an attack first.
    pub scores: Vec<Score>,
}

impl Verdict {
    /// Whether a packet may be dropped for it at all, however sure.
    pub fn corroborated(&self) -> bool {
        self.families.len() >= 2 && !self.customers || self.families.contains(&Family::Hygiene)
    }

    /// Sure enough to drop, and not by volume alone.
    pub fn may_drop(&self) -> bool {
        self.confidence >= level::ACT && self.corroborated()
    }
}

/// A detector's weight.
fn weight(score: &Score) -> f64 {
    match score.family {
        Family::Handshake | Family::Hygiene => 1.2,
        Family::Shape => 0.8,
        Family::Volume | Family::Harm => 1.0,
    }
}

/// Weighs the scores of one window.
pub fn fuse(mut scores: Vec<Score>) -> Verdict {
    // What speaks of volume looks at the same packets: it is not weighed twice.
    let (volume, others) = scores.iter().partition::<Vec<_>, _>(|score| score.family == Family::Volume);
    let volume = volume.into_iter().map(|score| weight(score) * score.value.max(0.0)).fold(0.0, f64::max);
    let sum = volume + others.into_iter().map(|score| weight(score) * score.value.max(0.0)).sum::<f64>();
    let mut confidence = 1.0 / (1.0 + (-(PRIOR + sum)).exp());
    let families = scores.iter().filter(|score| score.alarm).map(|score| score.family).collect::<BTreeSet<_>>();
    if families.contains(&Family::Hygiene) {
        confidence = confidence.max(PROVEN);
    }
    let customers = scores.iter().any(|score| score.family == Family::Handshake && score.value <= -CAP);
    scores.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.detector.cmp(b.detector)));
    Verdict { confidence, families, customers, scores }
}

#[cfg(test)]
mod tests {
    //! The rule that everything else rests on.
    use super::*;
    use crate::detector::CAP;
    use proptest::prelude::*;

    const FAMILIES: [Family; 5] = [Family::Volume, Family::Handshake, Family::Shape, Family::Hygiene, Family::Harm];

    fn score(family: Family, value: f64, alarm: bool) -> Score {
        Score { detector: "test", family, value, alarm, evidence: String::new() }
    }

    #[test]
    fn the_levels_are_reached_by_what_should_reach_them() {
        let volume = fuse(vec![score(Family::Volume, CAP, true)]);
        assert!(volume.confidence > level::SUSPECT && volume.confidence < level::CONTAIN && !volume.may_drop());
        let shape = fuse(vec![score(Family::Volume, CAP, true), score(Family::Shape, CAP, true)]);
        assert!(shape.may_drop(), "{shape:?}");
        assert!(fuse(vec![score(Family::Hygiene, CAP, true)]).may_drop());
        assert!(fuse(Vec::new()).confidence < 0.02);
    }

    proptest! {
        #[test]
        fn volume_alone_never_drops(values in prop::collection::vec((-5.0f64..=5.0, any::<bool>()), 0..20)) {
            let scores = values.into_iter().map(|(value, alarm)| score(Family::Volume, value, alarm)).collect();
            prop_assert!(!fuse(scores).may_drop());
        }

        #[test]
        fn without_an_alarm_nothing_drops(values in prop::collection::vec((0usize..5, -5.0f64..=5.0), 0..20)) {
            let scores = values.into_iter().map(|(family, value)| score(FAMILIES[family], value, false)).collect();
            prop_assert!(!fuse(scores).may_drop());
        }
    }
}
