//! The incident of connections that wait. A crowd's is told, and nothing is dropped for it; where connections are fed to go on waiting, each source may
//! go on with a few (`weir_core::dawdlers`).

use std::collections::VecDeque;

use weir_abi::Feature;
use weir_abi::policy::feed::{AT_ONCE, MOST_SHIFT, PER_UNIT};

use crate::baseline::WINDOWS_PER_SECOND;
use crate::detector::waits::{KEPT, Waits};
use crate::fusion::fuse;
use crate::incident::{Life, Release, State};
use crate::vector::Window;
use crate::watch::{Label, Step, lives};

/// Windows after which those of a crowd are usual, ten minutes: a service may have become another one.
const PATIENCE: u64 = 600 * WINDOWS_PER_SECOND as u64;

/// The connections of a target that wait, and the incident about them.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// What is known of them.
    pub waits: Waits,
    /// The incident's number; 0 where there is none, or it has none yet.
    pub id: u64,
    open: Option<Open>,
    /// SYNs that were refused to those who kept connections waiting, by window, a second of them: they would have more.
    knocks: VecDeque<u64>,
}

#[derive(Clone, Debug)]
struct Open {
    life: Life,
    /// As many times as many connections as where none are usually fed, each source may keep waiting; nothing where it is a crowd.
    closes: Option<u16>,
}

/// Times what all sources together usually feed that each may: nobody who fed connections in calm times is held back.
const ROOM: f64 = 2.0;

/// How often what each source may feed is doubled, where so many are usually fed in a unit.
fn doublings(usual: f64) -> u16 {
    let enough = |shift: &u16| (PER_UNIT << shift) as f64 >= ROOM * usual;
    (0..MOST_SHIFT).find(enough).unwrap_or(MOST_SHIFT)
}

impl Waiting {
    /// Whether there is no incident.
    pub fn is_calm(&self) -> bool {
        self.open.is_none()
    }

    /// The life of the incident that is not over.
    pub fn life(&self) -> Option<&Life> {
        self.open.as_ref().map(|open| &open.life)
    }

    /// Whether sources are held to a few connections that they keep waiting: how often these are doubled.
    pub fn closing(&self) -> Option<u16> {
        self.open.as_ref().filter(|open| open.life.release() == Release::None)?.closes
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
        self.knocks.push_back(window.map_or(0, |window| window.feature(Feature::Dawdler)));
        if self.knocks.len() > WINDOWS_PER_SECOND as usize {
            self.knocks.pop_front();
        }
        let knocks: u64 = self.knocks.iter().sum();
        let piled = (self.waits.level() - self.waits.usual()).max(0.0);
        // Those that nobody keeps waiting any more are no reason to hold anyone back: the service closes them.
        let idle = self.open.as_ref().is_some_and(|open| open.closes.is_some()) && self.waits.fed() == 0 && knocks == 0;
        let above = if idle { 0.0 } else { piled + knocks as f64 };
        let mut steps = Vec::new();
        if let Some(open) = &mut self.open {
            steps.extend(lives(&mut open.life, above));
            if open.life.state == State::Ended {
                self.open = None;
            }
        }
        let kept = scores.iter().any(|score| score.detector == KEPT);
        let label = if kept { Label::Attack } else { Label::Surge };
        // What was taken for a crowd may be an attack, and not the other way round.
        if !scores.is_empty() && self.open.as_ref().is_none_or(|open| kept && open.closes.is_none()) {
            let mut life = Life::new(above);
            steps.push(Step::Began { label, verdict: fuse(scores), rates, early: 0 });
            let closes = kept.then(|| doublings(self.waits.usually_fed()));
            if let Some(shift) = closes {
                life.answered();
                steps.push(Step::Closes { at_once: AT_ONCE << shift });
            }
            self.open = Some(Open { life, closes });
        }
        if window.is_none() {
            return steps;
        }
        let lasts = |open: &Open| open.closes.is_none() && open.life.age() >= PATIENCE;
        self.waits.learn(warm_up, self.open.as_ref().is_some_and(lasts));
        steps
    }
}

#[cfg(test)]
mod tests {
    //! A crowd, an attack, and a service that has become another one.
    use super::*;
    use weir_abi::counters::fact;

    fn told(waiting: &mut Waiting, windows: u64, waits: [u64; 3]) -> Vec<(u64, String)> {
        knocked(waiting, windows, waits, 0)
    }

    /// The same, and so many SYNs in each window of those who are refused.
    fn knocked(waiting: &mut Waiting, windows: u64, [begun, ended, fed]: [u64; 3], knocks: u64) -> Vec<(u64, String)> {
        let mut w = Window::default();
        w.slots[usize::from(fact::DAWDLER)] = knocks;
        w.slots[usize::from(fact::WAIT_BEGUN)] = begun;
        w.slots[usize::from(fact::WAIT_ENDED)] = ended;
        w.slots[usize::from(fact::WAIT_FED)] = fed;
        // By few sources.
        w.slots[usize::from(fact::WAIT_FED_BEYOND)] = fed.div_ceil(2);
        let name = |step: &Step| match step {
            Step::Began { label, .. } => label.label().to_owned(),
            Step::Now(state) => state.label().to_owned(),
            Step::Closes { at_once } => format!("closes {at_once}"),
            Step::Released(release) => format!("released {}", release.label()),
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
        assert!(waiting.closing().is_none());
        is(&told(&mut waiting, 100, [30, 30, 5]), &[(3, "ATTACK"), (3, "closes 8")]);
        assert!(waiting.closing().is_some());
        // They are closed.
        is(&told(&mut waiting, 10, [30, 130, 0]), &[]);
        is(&told(&mut waiting, 297, [30, 30, 0]), &[(7, "Watching")]);
        assert!(waiting.closing().is_some());
        is(
            &told(&mut waiting, 200, [30, 30, 0]),
            &[(0, "released part"), (50, "released most"), (100, "released all"), (150, "Ended")],
        );
        assert!(waiting.is_calm() && waiting.life().is_none() && waiting.closing().is_none());
    }

    /// Who held a thousand connections and is refused others goes on asking for them: it is not over.
    #[test]
    fn it_is_not_over_while_those_who_are_refused_come_back() {
        let mut waiting = calm();
        told(&mut waiting, 100, [40, 30, 5]);
        assert!(waiting.closing().is_some());
        is(&knocked(&mut waiting, 10, [30, 130, 0], 30), &[]);
        is(&knocked(&mut waiting, 3000, [30, 30, 0], 30), &[]);
        // A few are no attack.
        is(&knocked(&mut waiting, 100, [30, 30, 0], 0), &[(18, "Watching")]);
        is(&knocked(&mut waiting, 100, [30, 30, 0], 1), &[]);
        let back = knocked(&mut waiting, 100, [30, 30, 0], 30);
        is(&back, &[(back[0].0, "Mitigating")]);
    }

    #[test]
    fn where_connections_are_usually_fed_each_source_may_feed_more_than_all_do() {
        let mut waiting = Waiting::default();
        told(&mut waiting, 1, [50, 0, 0]);
        assert!(told(&mut waiting, 700, [30, 30, 1]).is_empty());
        let told = told(&mut waiting, 300, [60, 30, 100]);
        // 160 are, in a unit.
        assert_eq!(told.last().map(|(_, what)| what.as_str()), Some("closes 1024"), "{told:?}");
        assert_eq!(waiting.closing(), Some(7));
        assert_eq!([0.0, 2.0, 2.1, 5.0, 1e9].map(doublings), [0, 0, 1, 2, MOST_SHIFT]);
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
