//! The incident of connections that wait: told, and nothing is dropped for it.

use crate::baseline::WINDOWS_PER_SECOND;
use crate::detector::waits::{KEPT, Waits};
use crate::fusion::fuse;
use crate::incident::{Life, State};
use crate::vector::Window;
use crate::watch::{Label, Step};

/// Windows after which those of a crowd are usual, ten minutes: a service may have become another one.
const PATIENCE: u64 = 600 * WINDOWS_PER_SECOND as u64;

/// The connections of a target that wait, and the incident about them.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// What is known of them.
    pub waits: Waits,
    /// The incident's number; 0 where there is none, or it has none yet.
    pub id: u64,
    open: Option<(Label, Life)>,
}

impl Waiting {
    /// Whether there is no incident.
    pub fn is_calm(&self) -> bool {
        self.open.is_none()
    }

    /// The life of the incident that is not over.
    pub fn life(&self) -> Option<&Life> {
        self.open.as_ref().map(|(_, life)| life)
    }

    /// Ends a window; none where nobody sees what the target sends: an incident fades then. `rates`: the target's TCP packets per second, and
    /// what is usual.
    pub fn window(&mut self, window: Option<&Window>, rates: (f64, f64), warm_up: u64) -> Vec<Step> {
        let scores = match window {
            Some(window) => self.waits.window(window, warm_up),
            None => {
                self.waits.forget();
                Vec::new()
            }
        };
        let above = (self.waits.level() - self.waits.usual()).max(0.0);
        let mut steps = Vec::new();
        if let Some((_, life)) = &mut self.open
            && life.window(above)
        {
            steps.push(Step::Now(life.state));
            if life.state == State::Ended {
                self.open = None;
            }
        }
        let kept = scores.iter().any(|score| score.detector == KEPT);
        let label = if kept { Label::Attack } else { Label::Surge };
        let before = self.open.as_ref().map(|(label, _)| *label);
        // What was taken for a crowd may be an attack, and not the other way round.
        if !scores.is_empty() && (before.is_none() || kept && before == Some(Label::Surge)) {
            self.open = Some((label, Life::new(above)));
            steps.push(Step::Began { label, verdict: fuse(scores), rates, early: 0 });
        }
        if window.is_none() {
            return steps;
        }
        let lasts = |(label, life): &(Label, Life)| *label == Label::Surge && life.age() >= PATIENCE;
        self.waits.learn(warm_up, self.open.as_ref().is_some_and(lasts));
        steps
    }
}

#[cfg(test)]
mod tests {
    //! A crowd, an attack, and a service that has become another one.
    use super::*;
    use weir_abi::counters::fact;

    fn told(waiting: &mut Waiting, windows: u64, [begun, ended, fed]: [u64; 3]) -> Vec<(u64, String)> {
        let mut w = Window::default();
        w.slots[usize::from(fact::WAIT_BEGUN)] = begun;
        w.slots[usize::from(fact::WAIT_ENDED)] = ended;
        w.slots[usize::from(fact::WAIT_FED)] = fed;
        let name = |step: &Step| match step {
            Step::Began { label, .. } => label.label().to_owned(),
            Step::Now(state) => state.label().to_owned(),
            other => panic!("{other:?}"),
        };
        let mut all = Vec::new();
        for at in 0..windows {
            all.extend(waiting.window(Some(&w), (100.0, 50.0), 600).iter().map(|step| (at, name(step))));
        }
        all
    }

    fn calm() -> Waiting {
        let mut waiting = Waiting::default();
        assert!(told(&mut waiting, 700, [30, 30, 0]).is_empty());
        waiting
    }

    fn is(told: &[(u64, String)], expected: &[(u64, &str)]) {
        let told = told.iter().map(|(at, what)| (*at, what.as_str())).collect::<Vec<_>>();
        assert_eq!(told, expected);
    }

    #[test]
    fn a_pile_is_a_surge_and_an_attack_once_it_is_fed() {
        let mut waiting = calm();
        is(&told(&mut waiting, 100, [40, 30, 0]), &[(20, "SURGE")]);
        assert!(!waiting.is_calm());
        is(&told(&mut waiting, 100, [30, 30, 5]), &[(3, "ATTACK")]);
        // The service closes them.
        is(&told(&mut waiting, 10, [30, 130, 0]), &[]);
        is(&told(&mut waiting, 400, [30, 30, 0]), &[(7, "Watching"), (297, "Ended")]);
        assert!(waiting.is_calm() && waiting.life().is_none());
    }

    #[test]
    fn where_nobody_looks_any_more_it_ends_and_nothing_is_learned() {
        let mut waiting = calm();
        told(&mut waiting, 650, [60, 60, 0]);
        is(&told(&mut waiting, 40, [40, 30, 0]), &[(20, "SURGE")]);
        let usual = waiting.waits.learned();
        let blind = (0..400).flat_map(|_| waiting.window(None, (0.0, 0.0), 600)).collect::<Vec<_>>();
        assert_eq!(blind, [Step::Now(State::Watching), Step::Now(State::Ended)]);
        assert_eq!((waiting.is_calm(), waiting.waits), (true, usual));
    }

    #[test]
    fn a_crowd_that_stays_for_ten_minutes_is_usual() {
        let mut waiting = calm();
        is(&told(&mut waiting, 40, [40, 30, 0]), &[(20, "SURGE")]);
        is(&told(&mut waiting, PATIENCE - 100, [30, 30, 0]), &[]);
        assert_eq!(waiting.waits.usual(), 0.0);
        let ended = told(&mut waiting, 1000, [30, 30, 0]);
        assert_eq!(ended.last().map(|(_, what)| what.as_str()), Some("Ended"), "{ended:?}");
        assert!(waiting.waits.usual() > 300.0);
    }
}
