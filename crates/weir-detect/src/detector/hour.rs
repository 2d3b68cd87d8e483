//! A second opinion on the rate: what is many for the last minute may be usual at this hour of the week.

use super::Score;
use crate::baseline::WINDOWS_PER_SECOND;
use crate::slow::Hourly;

/// Deviations by which a window of a usual second may be above its share of it.
const SPREAD: f64 = 3.0;

/// Takes an alarm back where a window's packets are no more than is usual at this hour.
pub fn doubt(score: &mut Score, count: u64, usual: &Hourly) {
    if !score.alarm {
        return;
    }
    let most = usual.p99 / f64::from(WINDOWS_PER_SECOND);
    if count as f64 <= most + SPREAD * most.sqrt() {
        (score.alarm, score.value) = (false, score.value.min(0.0));
        score.evidence.clear();
        return;
    }
    score.evidence.push_str(&format!(", at this hour of the week up to {:.0}", usual.p99));
}

#[cfg(test)]
mod tests {
    //! Below it is no alarm, above it is one.
    use super::*;
    use crate::detector::{CAP, Family};

    #[test]
    fn what_is_usual_at_this_hour_is_no_alarm() {
        let usual = Hourly { p50: 2000.0, p95: 4000.0, p99: 5000.0, max: 6000.0 };
        let score = |alarm| Score {
            detector: "rate",
            family: Family::Volume,
            value: CAP,
            alarm,
            evidence: "5000 packets/s, usual 100 ± 30".to_owned(),
        };
        let doubted = |count, alarm| {
            let mut score = score(alarm);
            doubt(&mut score, count, &usual);
            (score.alarm, score.value)
        };
        assert_eq!(doubted(500, true), (false, 0.0));
        assert_eq!(doubted(560, true), (false, 0.0), "a second of 5000 has windows of more than 500");
        assert_eq!(doubted(600, true), (true, CAP));
        let mut told = score(true);
        doubt(&mut told, 600, &usual);
        assert_eq!(told.evidence, "5000 packets/s, usual 100 ± 30, at this hour of the week up to 5000");
    }
}
