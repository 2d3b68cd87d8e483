//! D5: answers that nobody asked for: UDP from ports of reflectors, and SYN-ACKs, beyond what the target's own questions explain.
//!
//! A service that asks nobody (one that is known by its port) gets no such answers at all. A host that asks gets one answer for
//! each question, or a few; whoever cannot count the questions cannot tell, and says nothing.

use super::{CAP, Family, Score, words};
use crate::baseline::Fast;

/// Answers in a window below which it says nothing.
const LEAST: u64 = 20;
/// An alarm needs this many times the usual, where there is a usual.
const TIMES: f64 = 5.0;
/// Answers that one question may bring: retransmissions, and answers of several packets.
const PER_QUESTION: u64 = 4;

/// Looks at a window's answers. `usual` is their baseline; `asked` is how many questions the target asked within the last ten
/// seconds, none if nobody counts them.
pub fn window(answers: u64, usual: &Fast, asked: Option<u64>) -> Score {
    let explained = asked.map(|asked| asked.saturating_mul(PER_QUESTION));
    let most = TIMES * usual.mean() + 3.0 * usual.deviation();
    let unusual = answers >= LEAST && answers as f64 > most;
    let alarm = unusual && explained.is_some_and(|explained| answers > explained);
    let value = match (alarm, explained) {
        (true, _) => CAP,
        // What may have been asked for says nothing.
        (false, None) => 0.0,
        (false, Some(_)) => (answers as f64 / most.max(LEAST as f64)).min(1.0) - 1.0,
    };
    let evidence = words(alarm, || {
        let asked = asked.unwrap_or_default();
        format!("{answers} answers in 100 ms, usual {:.1}; the target asked {asked} times in 10 s", usual.mean())
    });
    Score { detector: "reflection", family: Family::Hygiene, value, alarm, evidence }
}

#[cfg(test)]
mod tests {
    //! A service that asks nobody, a resolver, and a host of which nobody knows.
    use super::*;

    #[test]
    fn what_was_asked_for_is_no_attack() {
        let mut resolver = Fast::default();
        (0..600).for_each(|_| resolver.learn(100.0));
        assert!(!window(300, &resolver, Some(0)).alarm, "within five times the usual");
        assert!(window(1000, &resolver, Some(0)).alarm);
        assert!(!window(1000, &resolver, Some(250)).alarm, "it asked");
        let silent = Fast::default();
        let score = window(50, &silent, Some(0));
        assert!(score.alarm && score.value == CAP);
        assert_eq!(score.evidence, "50 answers in 100 ms, usual 0.0; the target asked 0 times in 10 s");
        assert!(!window(5, &silent, Some(0)).alarm);
        let unknown = window(50, &silent, None);
        assert!(!unknown.alarm && unknown.value == 0.0, "{unknown:?}");
    }
}
