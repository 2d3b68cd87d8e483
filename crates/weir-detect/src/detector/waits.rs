//! D7: slow attacks. Connections whose clients wait for the host are few and short-lived; a slow attack's are many, and it feeds them so that the
//! host does not close them (slowloris, slow POST).
//!
//! Many that wait are no attack yet: a service that is overrun by customers, or has stopped, makes them wait as well. Those say nothing while they wait.
//! Where the service hangs they may say something as well, a question that takes the one before back, say, but each in the few connections that are his.
//! So what waits is told, and what is fed beyond that is an attack: each source is held to a few such connections then.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use weir_abi::Feature;

use super::{CAP, Family, Score, words};
use crate::baseline::WINDOWS_PER_SECOND;
use crate::slow::Sketch;
use crate::vector::Window;

/// Connections below which nothing is said.
const LEAST: f64 = 20.0;
/// More than usual: so many times what is exceeded in one of a hundred seconds …
const TIMES: f64 = 10.0;
const RARE: f64 = 0.01;
/// Times that sources fed more than each may, below which nothing is said; and of all times, so large a share: where customers wait there are some
/// behind one address, and to close what is more than a few of each would not end the others.
const LEAST_BEYOND: f64 = 10.0;
const BEYOND: f64 = 0.25;
/// … and in so many seconds at least, so that a pile that grows is not its own measure where little is known.
const SECONDS: f64 = 10.0;
/// For so many windows it must have been more, or have become more.
const GROWS: usize = 3 * SECOND;
const SECOND: usize = WINDOWS_PER_SECOND as usize;
/// A connection is counted as fed once in 16 seconds at 250 Hz, and more often where ticks are shorter ([`weir_abi::flow::FED_UNITS`]); an attack's in no order.
const UNIT: usize = 16;
/// What is usual halves in weight when it is of so many seconds: two hours.
const MOST: f64 = 7200.0;
/// A wait of which nothing is heard is forgotten with its flow's mark, within an hour, and by nobody counted.
const FORGET: f64 = 1.0 / (3600 * SECOND) as f64;

/// The connections of a target that wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// So many do, now and in the windows before.
    #[serde(skip)]
    levels: VecDeque<f64>,
    /// Windows of the second that runs.
    #[serde(skip)]
    windows: usize,
    /// Those that were fed, by second, and those among them that were beyond what each source may.
    #[serde(skip)]
    fed: VecDeque<[u64; 2]>,
    /// What is usual, by second, of all three.
    #[serde(default)]
    usual: Sketch,
    #[serde(default)]
    usually_fed: Sketch,
    #[serde(default)]
    usually_beyond: Sketch,
}

impl Waits {
    /// Takes a window. What is said of those that wait, and of those that are fed.
    pub fn window(&mut self, window: &Window, warm_up: u64) -> Vec<Score> {
        let begun = window.feature(Feature::Completed) + window.feature(Feature::WaitBegun);
        let ended = window.feature(Feature::WaitEnded);
        let level = (self.level() * (1.0 - FORGET) + begun as f64 - ended as f64).max(0.0);
        self.levels.push_back(level);
        if self.levels.len() > GROWS + 1 {
            self.levels.pop_front();
        }
        if self.windows == 0 {
            self.fed.push_back([0; 2]);
        }
        if let Some([fed, beyond]) = self.fed.back_mut() {
            *fed += window.feature(Feature::WaitFed);
            *beyond += window.feature(Feature::WaitFedBeyond);
        }
        self.windows = (self.windows + 1) % SECOND;
        if self.fed.len() > UNIT {
            self.fed.pop_front();
        }
        if level < LEAST || !self.is_known(warm_up) {
            return Vec::new();
        }
        [self.piled(level), self.kept()].into_iter().flatten().collect()
    }

    /// Whether enough was learned.
    fn is_known(&self, warm_up: u64) -> bool {
        self.usual.total() * SECOND as f64 >= warm_up as f64
    }

    /// What is usual, without what is now.
    pub fn learned(&self) -> Self {
        let (usual, usually_fed) = (self.usual.clone(), self.usually_fed.clone());
        Self { usual, usually_fed, usually_beyond: self.usually_beyond.clone(), ..Self::default() }
    }

    /// Forgets what is now, and keeps what is usual.
    pub fn forget(&mut self) {
        self.levels.clear();
        self.fed.clear();
        self.windows = 0;
    }

    /// So many wait now.
    pub fn level(&self) -> f64 {
        self.levels.back().copied().unwrap_or(0.0)
    }

    /// So many usually do, at most.
    pub fn usual(&self) -> f64 {
        usually(&self.usual)
    }

    /// So many are fed in calm times, within 16 seconds, at most.
    pub fn usually_fed(&self) -> f64 {
        usually(&self.usually_fed)
    }

    /// Waits from which on they are more than usual.
    fn most(&self) -> f64 {
        (TIMES * self.usual()).max(LEAST)
    }

    /// Where a second is over, and was not more than usual or is to be taken for usual all the same.
    pub fn learn(&mut self, warm_up: u64, anyway: bool) {
        if self.windows != 0 || !anyway && self.is_known(warm_up) && self.level() >= self.most() {
            return;
        }
        self.usual.add(self.level(), f64::INFINITY);
        self.usually_fed.add(self.fed() as f64, f64::INFINITY);
        self.usually_beyond.add(self.beyond() as f64, f64::INFINITY);
        if self.usual.total() >= MOST {
            self.usual.decay(0.5);
            self.usually_fed.decay(0.5);
            self.usually_beyond.decay(0.5);
        }
    }

    /// So many were fed within the last 16 seconds.
    pub fn fed(&self) -> u64 {
        self.fed.iter().map(|[fed, _]| fed).sum()
    }

    /// So many of these beyond what each source may.
    fn beyond(&self) -> u64 {
        self.fed.iter().map(|[_, beyond]| beyond).sum()
    }

    /// More than usual: it has been for three seconds, or has become more in each of them.
    fn piled(&self, level: f64) -> Option<Score> {
        let most = self.most();
        let rises = (0..=GROWS).step_by(SECOND).map(|at| self.levels.get(at)).is_sorted_by(|a, b| a < b);
        let stays = self.levels.iter().all(|level| *level >= most);
        if level < most || self.levels.len() <= GROWS || !rises && !stays {
            return None;
        }
        let evidence =
            words(true, || format!("{level:.0} connections wait for an answer, usual at most {:.0}", self.usual()));
        Some(Score { detector: "waiting", family: Family::Handshake, value: CAP, alarm: true, evidence })
    }

    fn kept(&self) -> Option<Score> {
        let (fed, usual) = (self.fed() as f64, self.usually_fed());
        let (beyond, usually_beyond) = (self.beyond() as f64, usually(&self.usually_beyond));
        if fed < (TIMES * usual).max(LEAST) || beyond < (TIMES * usually_beyond).max(LEAST_BEYOND).max(BEYOND * fed) {
            return None;
        }
        let evidence = words(true, || {
            let level = self.level();
            format!(
                "{level:.0} connections wait, and sent a few bytes {fed:.0} times in {UNIT} s to go on waiting, usual {usual:.0}; \
                 {beyond:.0} times more than each source may, usual {usually_beyond:.0}"
            )
        });
        Some(Score { detector: KEPT, family: Family::Handshake, value: CAP, alarm: true, evidence })
    }
}

/// What is exceeded only rarely.
pub(super) fn usually(seconds: &Sketch) -> f64 {
    let rare = RARE.max(SECONDS / seconds.total().max(SECONDS));
    seconds.quantile(1.0 - rare).unwrap_or(0.0)
}

/// The detector of connections that are fed.
pub const KEPT: &str = "kept waiting";

#[cfg(test)]
mod tests {
    //! Connections that come, wait, are answered, and are fed.
    use super::*;
    use weir_abi::counters::fact;

    /// Calm that is enough.
    const WARM_UP: u64 = 600;

    fn window(begun: u64, ended: u64, fed: u64) -> Window {
        let mut w = Window::default();
        w.slots[usize::from(fact::WAIT_BEGUN)] = begun;
        w.slots[usize::from(fact::WAIT_ENDED)] = ended;
        w.slots[usize::from(fact::WAIT_FED)] = fed;
        // By one source, mostly.
        w.slots[usize::from(fact::WAIT_FED_BEYOND)] = fed.div_ceil(2);
        w
    }

    /// So many windows of these; the names of the detectors that alarm, each with the first window in which it did.
    fn run(waits: &mut Waits, windows: usize, each: Window) -> Vec<(usize, &'static str)> {
        let mut all: Vec<(usize, &'static str)> = Vec::new();
        for at in 0..windows {
            for score in waits.window(&each, WARM_UP) {
                assert!(score.alarm && score.family == Family::Handshake && score.value == CAP);
                if all.iter().all(|(_, detector)| *detector != score.detector) {
                    all.push((at, score.detector));
                }
            }
            waits.learn(WARM_UP, false);
        }
        all
    }

    /// A service of which two requests wait at any time, known for a minute.
    fn calm() -> Waits {
        let mut waits = Waits::default();
        assert!(run(&mut waits, 1, window(2, 0, 0)).is_empty());
        assert!(run(&mut waits, 650, window(30, 30, 0)).is_empty());
        waits
    }

    #[test]
    fn connections_that_pile_up_are_told_when_they_have_for_three_seconds() {
        let mut waits = calm();
        // Ten a second more, of hundreds.
        let told = run(&mut waits, 100, window(31, 30, 0));
        assert_eq!(told, [(2 * SECOND, "waiting")], "in the third second, and more than twenty of them");
        assert_eq!(waits.usual().round(), 2.0, "nothing of it was learned");
        let scores = waits.window(&window(31, 30, 0), WARM_UP);
        assert_eq!(scores[0].evidence, "103 connections wait for an answer, usual at most 2");
    }

    #[test]
    fn a_pile_that_stays_is_told_and_one_that_is_fed_is_an_attack() {
        let mut waits = calm();
        run(&mut waits, 1, window(430, 30, 0));
        assert_eq!(run(&mut waits, 60, window(30, 30, 0)), [(GROWS - 1, "waiting")], "all of them came at once");
        let told = run(&mut waits, 40, window(30, 30, 2));
        assert_eq!(told, [(0, "waiting"), (9, KEPT)], "two of hundreds in each window");
        let kept = waits.window(&window(30, 30, 2), WARM_UP).remove(1);
        assert_eq!(
            kept.evidence,
            "401 connections wait, and sent a few bytes 82 times in 16 s to go on waiting, usual 0; \
             41 times more than each source may, usual 0"
        );
        // Sixteen seconds after the last one nobody keeps them.
        run(&mut waits, UNIT * SECOND, window(30, 30, 0));
        assert_eq!(run(&mut waits, 10, window(30, 30, 0)), [(0, "waiting")]);
    }

    /// A service hangs, and many of its customers ask again.
    #[test]
    fn what_many_feed_a_little_is_a_pile() {
        let mut waits = calm();
        let mut each = window(60, 30, 10);
        each.slots[usize::from(fact::WAIT_FED_BEYOND)] = 0;
        assert_eq!(run(&mut waits, 160, each), [(20, "waiting")]);
        // A fifth of them have more connections than a few: they come from behind few addresses.
        let mut waits = calm();
        each.slots[usize::from(fact::WAIT_FED_BEYOND)] = 2;
        assert_eq!(run(&mut waits, 160, each), [(20, "waiting")]);
    }

    #[test]
    fn a_moments_pile_is_a_moments() {
        let mut waits = calm();
        for _ in 0..10 {
            assert!(run(&mut waits, 1, window(430, 30, 0)).is_empty());
            assert!(run(&mut waits, 25, window(30, 30, 0)).is_empty(), "the service has paused");
            assert!(run(&mut waits, 1, window(30, 430, 0)).is_empty());
            assert!(run(&mut waits, 25, window(30, 30, 0)).is_empty());
        }
    }

    #[test]
    fn nothing_is_said_before_anything_is_known() {
        let mut waits = Waits::default();
        assert!(run(&mut waits, 590, window(10, 0, 10)).is_empty());
    }

    #[test]
    fn a_service_whose_answers_take_long_has_many_that_wait() {
        let mut waits = Waits::default();
        run(&mut waits, 1, window(500, 0, 0));
        // They are fed as well: one-way streams of small messages.
        run(&mut waits, 700, window(30, 30, 3));
        assert!(waits.usual() > 450.0, "{}", waits.usual());
        assert!(run(&mut waits, 100, window(60, 30, 3)).is_empty(), "several times as many");
        assert!(!run(&mut waits, 50, window(700, 30, 3)).is_empty(), "and then more than ten times");
    }

    #[test]
    fn what_is_usual_outlives_what_is_now() {
        let mut waits = Waits::default();
        run(&mut waits, 1, window(100, 0, 0));
        run(&mut waits, 700, window(30, 30, 0));
        let kept = serde_json::to_string(&waits.learned()).unwrap();
        let mut after: Waits = serde_json::from_str(&kept).unwrap();
        assert_eq!((after.usual(), after.level(), &after), (waits.usual(), 0.0, &waits.learned()));
        // Connections of before are answered: nobody waits for less than nothing.
        assert!(run(&mut after, 10, window(0, 10, 0)).is_empty());
        assert!(run(&mut after, 40, window(20, 0, 0)).is_empty(), "eight times as many are not ten");
        assert_eq!(run(&mut after, 30, window(20, 0, 0)), [(10, "waiting")]);
    }

    #[test]
    fn what_is_never_heard_of_again_fades_and_nothing_is_less_than_none() {
        let mut waits = Waits::default();
        run(&mut waits, 1, window(1000, 0, 0));
        run(&mut waits, 3600 * SECOND, window(0, 0, 0));
        assert!((300.0..400.0).contains(&waits.level()), "a third is left after an hour: {}", waits.level());
        run(&mut waits, 1, window(0, 5000, 0));
        assert_eq!(waits.level(), 0.0);
    }
}
