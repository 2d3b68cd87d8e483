//! The steps of an incident with their times. A long story keeps its beginning and its end.

use std::collections::VecDeque;
use std::time::SystemTime;

use weir_api::local::{Ruling, StepRow};
use weir_api::spec::Moment;
use weir_detect::incident::State;

/// Steps of the beginning that are kept.
const FIRST: usize = 40;
/// Steps of the end that are kept.
const LAST: usize = 24;

/// What kind of step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It stands elsewhere.
    State(State),
    /// A second family of detectors agrees.
    Corroborated,
    /// Rules were written.
    Rules,
    /// A limit was set.
    Limit,
    /// No rule tells it from customers.
    NoRule,
    /// Rules hurt customers and were taken back.
    Withdrawn,
    /// SYNs are challenged, or not any more.
    Challenge,
    /// Several targets are attacked.
    Spread,
    /// A part of the answer was taken back.
    Release,
    /// A person said something of a rule.
    Ruling(Ruling),
}

impl Kind {
    /// The word in JSON.
    fn label(self) -> String {
        match self {
            Kind::State(state) => state.label().to_lowercase(),
            Kind::Corroborated => "corroborated".to_owned(),
            Kind::Rules => "rules".to_owned(),
            Kind::Limit => "limit".to_owned(),
            Kind::NoRule => "no_rule".to_owned(),
            Kind::Withdrawn => "withdrawn".to_owned(),
            Kind::Challenge => "challenge".to_owned(),
            Kind::Spread => "spread".to_owned(),
            Kind::Release => "release".to_owned(),
            Kind::Ruling(ruling) => ruling.label().to_owned(),
        }
    }
}

/// The steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    first: Vec<StepRow>,
    left_out: u64,
    last: VecDeque<StepRow>,
}

impl Timeline {
    /// Adds a step.
    pub fn add(&mut self, at: SystemTime, kind: Kind, text: String) {
        let row = StepRow { time: Moment::from_system(at), step: kind.label(), text };
        if self.first.len() < FIRST {
            self.first.push(row);
            return;
        }
        self.last.push_back(row);
        if self.last.len() > LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
    }

    /// All that are kept, the oldest first, and a line for those that are not.
    pub fn rows(&self) -> Vec<StepRow> {
        let between = self.last.front().filter(|_| self.left_out > 0).map(|next| StepRow {
            time: next.time,
            step: "left_out".to_owned(),
            text: format!("{} steps before this one are left out", self.left_out),
        });
        self.first.iter().cloned().chain(between).chain(self.last.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_long_story_keeps_its_ends() {
        let mut steps = Timeline::default();
        for i in 0..100 {
            steps.add(SystemTime::UNIX_EPOCH + Duration::from_secs(i), Kind::Rules, i.to_string());
        }
        let rows = steps.rows();
        assert_eq!((rows.len(), rows[0].text.as_str(), rows[64].text.as_str()), (65, "0", "99"));
        assert_eq!(
            (rows[40].step.as_str(), rows[40].text.as_str()),
            ("left_out", "36 steps before this one are left out")
        );
        assert_eq!((rows[39].text.as_str(), rows[41].text.as_str()), ("39", "76"));
    }
}
