//! How soon, and how well from then on: from Weir's incidents, and from what the pod received.

use std::time::{Duration, SystemTime};

use weir_api::local::IncidentRow;
use weir_api::spec::Moment;

use super::{Act, Rehearsal};
use crate::flood::Stretch;
use crate::meter::quiet_after;
use crate::report::{Noticed, Pulse};
use crate::tally::Counts;

/// Incidents that begin so soon after an attack are its kinds of packets; later ones are what it turned into.
const ONSET_MS: f64 = 1000.0;
/// An attack no longer arrives when so little of its rate does …
const HARDLY: f64 = 0.02;
/// … above so many times what customers usually send.
const USUAL: f64 = 2.0;
/// A flood tells what it has sent so late at most.
const LATE: f64 = 0.1;

/// What was noticed of an attack, or a crowd, that began then.
pub fn noticed(incidents: &[IncidentRow], began: SystemTime) -> Vec<Noticed> {
    // Weir may have been the first to see the first packet: nobody told it that one comes.
    let after = |moment: Moment| ms(moment.to_system().duration_since(began).unwrap_or_default());
    let row = |row: &IncidentRow| Noticed {
        target: row.target.clone(),
        targets: row.targets.clone(),
        vector: row.vector.clone(),
        label: row.label.clone(),
        detected_ms: after(row.detected),
        mitigated_ms: row.mitigated.map(after),
        challenged_ms: row.challenged.as_ref().map(|span| after(span.from)),
        rules: row.signatures.len(),
        dropping: row.signatures.iter().filter(|signed| signed.action == "drop").count(),
        strays_packets_per_s: row.strays_packets_per_s,
        evidence: row.evidence.clone(),
    };
    let mut rows: Vec<Noticed> = incidents.iter().map(row).collect();
    rows.sort_by(|a, b| a.detected_ms.total_cmp(&b.detected_ms));
    rows
}

/// Milliseconds until the first kind of an attack was noticed, and until there was an answer to the last one.
pub fn first_and_last(noticed: &[Noticed]) -> (Option<f64>, Option<f64>) {
    let attacks = || noticed.iter().filter(|row| row.label == "ATTACK");
    let detected = attacks().map(|row| row.detected_ms).reduce(f64::min);
    let onset = detected.unwrap_or_default().max(ONSET_MS);
    let answered = attacks().filter(|row| row.detected_ms <= onset).filter_map(|row| row.mitigated_ms);
    (detected, answered.reduce(f64::max))
}

/// Packets a second into the pod, above which an attack of a rate still arrives.
pub fn loud(rehearsal: &Rehearsal, pps: f64) -> f64 {
    let alone = &rehearsal.alone;
    let usual = alone.counts.customers_received as f64 / alone.elapsed.as_secs_f64().max(1e-3);
    USUAL * usual + HARDLY * pps
}

/// Milliseconds from a phase's first packet until hardly any arrived.
pub fn quiet(act: &Act, stretch: &Stretch, level: f64) -> Option<f64> {
    quiet_after(&act.meter, stretch.began, stretch.ended.unwrap_or(act.ended), level).map(ms)
}

/// The pulses of an act, each with what became of it.
pub fn pulses(act: &Act, level: f64) -> Vec<Pulse> {
    let mut pulses: Vec<Pulse> = Vec::new();
    let mut before = Counts::default();
    for (i, stretch) in act.stretches.iter().enumerate() {
        // The reading in the rest after it; the last rest may have been too short for one.
        let reading = act.readings.iter().find(|reading| reading.stretches == i + 1);
        let last = (i + 1 == act.stretches.len()).then_some(act.counts);
        let until = reading.map(|reading| reading.counts).or(last);
        let came = until.map(|until| until - before);
        before = until.unwrap_or(before);
        let kinds = stretch.kinds.join(", ");
        let known = pulses.iter().any(|pulse| pulse.kinds == kinds);
        pulses.push(Pulse {
            known,
            kinds,
            sent: stretch.frames,
            reached: came.map(|counts| counts.others_received),
            lost_before: came.map(|counts| counts.attackers_queued_out),
            time_to_quiet_ms: quiet(act, stretch, level),
        });
    }
    pulses
}

/// The longest time to quiet of a pulse of a kind that had come before; `None` where one was never quiet, or none came.
pub fn rearm(pulses: &[Pulse]) -> Option<f64> {
    let known = pulses.iter().filter(|pulse| pulse.known);
    known.map(|pulse| pulse.time_to_quiet_ms).reduce(|a, b| Some(a?.max(b?))).flatten()
}

/// Of what came of known kinds, the share that did not reach the pod; of pulses that were counted.
pub fn stopped_of_known(pulses: &[Pulse]) -> Option<f64> {
    let known = pulses.iter().filter(|pulse| pulse.known);
    let counted = known.filter_map(|pulse| Some((pulse.sent.saturating_sub(pulse.lost_before?), pulse.reached?)));
    let (sent, reached) = counted.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    share_stopped(sent as f64, reached)
}

/// Of what the node was sent once an answer was in force, the share that did not reach the pod: from the first reading after
/// `mitigated_ms`, or from the beginning where the policy was the answer. What was lost in a full queue counts for nobody; `resets` are packets that
/// reached the pod as something else, which is no sooner than there is an answer.
pub fn stopped_after(act: &Act, mitigated_ms: Option<f64>, resets: u64) -> Option<f64> {
    let sent = if act.bots.is_some() { act.counts.bots_sent } else { act.sent.frames };
    let Some(mitigated) = mitigated_ms else {
        return share_stopped(sent.saturating_sub(act.counts.attackers_queued_out) as f64, act.counts.others_received);
    };
    let from = act.began + Duration::from_secs_f64(mitigated / 1000.0);
    let reading = act.readings.iter().find(|reading| reading.at >= from)?;
    let rest = act.counts - reading.counts;
    let sent = if act.bots.is_some() {
        rest.bots_sent as f64
    } else {
        // What it had sent and not told yet was before.
        (sent - reading.sent.min(sent)) as f64 - LATE * act.stretches.last().map_or(0.0, |stretch| stretch.pps)
    };
    share_stopped(sent - rest.attackers_queued_out as f64, rest.others_received.saturating_sub(resets))
}

fn share_stopped(sent: f64, reached: u64) -> Option<f64> {
    (sent > 0.0).then(|| (1.0 - reached as f64 / sent).max(0.0))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(label: &str, detected_ms: f64, mitigated_ms: Option<f64>) -> Noticed {
        Noticed { label: label.to_owned(), detected_ms, mitigated_ms, ..Noticed::default() }
    }

    fn pulse(known: bool, time: Option<f64>, reached: u64) -> Pulse {
        Pulse {
            known,
            sent: 1000,
            reached: Some(reached),
            lost_before: Some(0),
            time_to_quiet_ms: time,
            ..Pulse::default()
        }
    }

    #[test]
    fn an_attack_is_answered_when_all_of_its_kinds_are() {
        let rows = [
            seen("SURGE", 50.0, None),
            seen("ATTACK", 100.0, Some(200.0)),
            seen("ATTACK", 300.0, Some(420.0)),
            seen("ATTACK", 4000.0, Some(4100.0)),
        ];
        assert_eq!(first_and_last(&rows), (Some(100.0), Some(420.0)));
        assert_eq!(first_and_last(&rows[3..]), (Some(4000.0), Some(4100.0)), "late, but the first");
        assert_eq!(first_and_last(&rows[..1]), (None, None), "a surge is no attack");
    }

    #[test]
    fn pulses_of_known_kinds_are_judged_by_the_worst() {
        let pulses = [pulse(false, None, 900), pulse(true, Some(20.0), 10), pulse(true, Some(60.0), 0)];
        assert_eq!(rearm(&pulses), Some(60.0));
        assert_eq!(stopped_of_known(&pulses), Some(0.995));
        assert_eq!(rearm(&[pulse(true, Some(1.0), 0), pulse(true, None, 0)]), None, "one was never quiet");
        assert_eq!((rearm(&pulses[..1]), stopped_of_known(&pulses[..1])), (None, None));
    }
}
