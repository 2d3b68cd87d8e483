//! The life of an incident: Detecting, Mitigating, Watching, Ended, and back again when the attack pulses.
//!
//! ```text
//!            2 of 3 windows sure             rules in force             below a tenth of the onset
//! (nothing) ───────────────────► Detecting ────────────────► Mitigating ───────────────────────► Watching ──► Ended
//!                                                                 ▲                                  │
//!                                                                 └──────── above it again ──────────┘
//! ```
//! An incident without an answer goes from Detecting to Watching, and back.
//! After half a minute of quiet the answer is taken back in steps ([`Release`]); whoever comes back meanwhile meets all of it again in his
//! first window. Times are windows of 100 ms; nothing here knows a clock.

use crate::baseline::WINDOWS_PER_SECOND;
use crate::detector::Family;
use crate::fusion::{Verdict, level};

/// Windows out of which [`SURE`] must be sure.
const OUT_OF: u32 = 3;
const SURE: u32 = 2;
/// The share of the onset's rate below which an attack is no longer felt.
const QUIET: f64 = 0.1;
/// Windows of quiet until it is over; doubled with each relapse.
const HOLD: u64 = 30 * WINDOWS_PER_SECOND as u64;
/// The longest that quiet is waited for.
const LONGEST: u64 = 30 * 60 * WINDOWS_PER_SECOND as u64;

/// Windows of each step of a release.
const STEP: u64 = 5 * WINDOWS_PER_SECOND as u64;
/// Windows of a release.
pub const RELEASE: u64 = 3 * STEP;

/// How much of the answer is taken back. Rules are exact and have no half measures, so that they go from dropping to counting, those that
/// matched least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Nothing.
    #[default]
    None,
    /// The challenge ends, half of the rules only count, limits are twice as wide.
    Part,
    /// All rules only count, limits are four times as wide.
    Most,
    /// No limit is in force; rules go on counting until it is over.
    All,
}

impl Release {
    /// The word in logs.
    pub const fn label(self) -> &'static str {
        match self {
            Release::None => "none",
            Release::Part => "part",
            Release::Most => "most",
            Release::All => "all",
        }
    }

    /// How many of so many rules go on dropping.
    pub const fn dropping(self, rules: usize) -> usize {
        match self {
            Release::None => rules,
            Release::Part => rules.div_ceil(2),
            Release::Most | Release::All => 0,
        }
    }

    /// What becomes of a limit.
    pub const fn widened(self, limit: u64) -> Option<u64> {
        match self {
            Release::None => Some(limit),
            Release::Part => Some(limit.saturating_mul(2)),
            Release::Most => Some(limit.saturating_mul(4)),
            Release::All => None,
        }
    }
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Sure that there is one; the answer is being prepared.
    Detecting,
    /// Rules or limits are in force.
    Mitigating,
    /// The attack is no longer felt; the answer stays.
    Watching,
    /// Over; what was in force is withdrawn.
    Ended,
}

impl State {
    /// The word in JSON and conditions.
    pub const fn label(self) -> &'static str {
        match self {
            State::Detecting => "Detecting",
            State::Mitigating => "Mitigating",
            State::Watching => "Watching",
            State::Ended => "Ended",
        }
    }
}

/// Whether enough of the last windows were sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// A bit for each of the last windows, the newest lowest.
    windows: u32,
}

impl Entry {
    /// Takes a window; whether an incident begins.
    pub fn window(&mut self, verdict: &Verdict) -> bool {
        // What no customer sends needs no second look.
        self.takes(verdict.confidence >= level::ACT, verdict.families.contains(&Family::Hygiene))
    }

    /// The same for any test of a window; one that is proof needs no second.
    pub fn takes(&mut self, sure: bool, proof: bool) -> bool {
        self.windows = (self.windows << 1 | u32::from(sure)) & ((1 << OUT_OF) - 1);
        sure && (self.windows.count_ones() >= SURE || proof)
    }
}

/// One incident's life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Life {
    /// Where it stands.
    pub state: State,
    /// Packets per window at its onset: the most of its first second.
    pub onset: f64,
    windows: u64,
    quiet: u64,
    relapses: u32,
    acted: bool,
}

impl Life {
    /// It begins with a window of so many packets of the vector above the usual.
    pub fn new(above: f64) -> Self {
        Self { state: State::Detecting, onset: above, windows: 0, quiet: 0, relapses: 0, acted: false }
    }

    /// One that is over and was kept.
    pub fn returning(onset: f64, relapses: u32) -> Self {
        Self { state: State::Ended, relapses, ..Self::new(onset) }
    }

    /// The answer is in force.
    pub fn answered(&mut self) {
        self.acted = true;
        if self.state == State::Detecting {
            self.state = State::Mitigating;
        }
    }

    /// After how many windows of quiet the release begins.
    pub fn hold(&self) -> u64 {
        HOLD.saturating_mul(1 << self.relapses.min(16)).min(LONGEST - RELEASE)
    }

    /// How much of the answer is taken back.
    pub fn release(&self) -> Release {
        if self.state != State::Watching {
            return Release::None;
        }
        match self.quiet.checked_sub(self.hold()).map(|over| over / STEP) {
            None => Release::None,
            Some(0) => Release::Part,
            Some(1) => Release::Most,
            Some(_) => Release::All,
        }
    }

    /// Windows of quiet that end it.
    pub fn end(&self) -> u64 {
        self.hold() + if self.acted { RELEASE } else { 0 }
    }

    /// Windows since its first.
    pub fn age(&self) -> u64 {
        self.windows
    }

    /// How many more windows of quiet end it.
    pub fn left(&self) -> u64 {
        self.end().saturating_sub(self.quiet)
    }

    /// How often it came back.
    pub fn relapses(&self) -> u32 {
        self.relapses
    }

    /// It is an earlier incident that came back.
    pub fn relapse_of(&mut self, earlier: &Life) {
        self.relapses = earlier.relapses.saturating_add(1);
    }

    /// Takes a window: packets of the vector above the usual, dropped ones too. Says whether the state changed.
    pub fn window(&mut self, above: f64) -> bool {
        let before = self.state;
        self.windows += 1;
        if self.windows <= u64::from(WINDOWS_PER_SECOND) {
            self.onset = self.onset.max(above);
        }
        let felt = above > QUIET * self.onset;
        self.quiet = if felt { 0 } else { self.quiet + 1 };
        self.state = match self.state {
            State::Watching if felt => {
                self.relapses += 1;
                // Where there was no answer there is none now.
                if self.acted { State::Mitigating } else { State::Detecting }
            }
            State::Watching if self.quiet >= self.end() => State::Ended,
            State::Mitigating if self.quiet >= u64::from(WINDOWS_PER_SECOND) => State::Watching,
            // It ended before anything could be done.
            State::Detecting if self.quiet >= u64::from(WINDOWS_PER_SECOND) => State::Watching,
            other => other,
        };
        self.state != before
    }
}

#[cfg(test)]
mod tests {
    //! A plain attack, a pulse wave, a false start.
    use super::*;
    use crate::detector::{CAP, Score};
    use crate::fusion::fuse;

    fn sure(families: &[Family]) -> Verdict {
        let score = |family: &Family| Score {
            detector: "test",
            family: *family,
            value: CAP,
            alarm: true,
            evidence: String::new(),
        };
        fuse(families.iter().map(score).collect())
    }

    #[test]
    fn two_of_three_windows_or_one_that_is_proof() {
        let (both, none) = (sure(&[Family::Volume, Family::Shape]), fuse(Vec::new()));
        let mut entry = Entry::default();
        assert!(!entry.window(&both));
        assert!(!entry.window(&none));
        assert!(entry.window(&both));
        let mut entry = Entry::default();
        assert!(!entry.window(&both) && !entry.window(&none) && !entry.window(&none) && !entry.window(&both));
        assert!(Entry::default().window(&sure(&[Family::Hygiene])));
        assert!(!Entry::default().window(&sure(&[Family::Volume])));
    }

    #[test]
    fn after_half_a_minute_of_quiet_it_is_released_in_steps() {
        let mut life = Life::new(1000.0);
        life.answered();
        (0..50).for_each(|_| assert!(!life.window(1000.0)));
        let until =
            |life: &mut Life, state: State| (1..10_000).find(|_| life.window(0.0) && life.state == state).unwrap();
        assert_eq!(until(&mut life, State::Watching), 10);
        let mut steps = vec![life.release()];
        let ended = (1..1000).find(|_| {
            let over = life.window(0.0);
            steps.push(life.release());
            over
        });
        assert_eq!((ended, life.state), (Some(290 + 150), State::Ended));
        let lasts = |release| steps.iter().filter(|step| **step == release).count();
        assert_eq!([Release::Part, Release::Most, Release::All].map(lasts), [50, 50, 50]);
        assert!(steps.is_sorted_by(|a, b| a <= b || *b == Release::None), "{steps:?}");
    }

    #[test]
    fn who_comes_back_during_the_release_meets_all_of_it_in_his_first_window() {
        let mut life = Life::new(1000.0);
        life.answered();
        (0..300 + 120).for_each(|_| assert!(!life.window(0.0) || life.state == State::Watching));
        assert_eq!((life.state, life.release()), (State::Watching, Release::All));
        assert!(life.window(500.0));
        assert_eq!((life.state, life.release(), life.relapses()), (State::Mitigating, Release::None, 1));
        assert_eq!(life.hold(), 2 * HOLD, "and it stays longer");
    }

    #[test]
    fn rules_stop_dropping_from_the_last_and_limits_widen() {
        assert_eq!([Release::None, Release::Part, Release::Most, Release::All].map(|r| r.dropping(3)), [3, 2, 0, 0]);
        let wide = [Release::None, Release::Part, Release::Most, Release::All].map(|r| r.widened(200));
        assert_eq!(wide, [Some(200), Some(400), Some(800), None]);
    }

    #[test]
    fn what_was_never_answered_has_nothing_to_release() {
        let mut life = Life::new(1000.0);
        (0..5).for_each(|_| assert!(!life.window(1000.0)));
        let ended = (1..1000).find(|_| life.window(0.0) && life.state == State::Ended);
        assert_eq!(ended, Some(300));
    }

    #[test]
    fn what_comes_back_unanswered_is_not_mitigated() {
        let mut life = Life::new(1000.0);
        (0..5).for_each(|_| assert!(!life.window(1000.0)));
        (0..20).for_each(|_| assert!(!life.window(0.0) || life.state == State::Watching));
        assert!(life.window(1000.0));
        assert_eq!((life.state, life.relapses()), (State::Detecting, 1));
    }

    #[test]
    fn a_pulse_wave_is_held_longer_with_each_pulse() {
        let mut life = Life::new(1000.0);
        life.answered();
        for pulse in 1..=8 {
            (0..100).for_each(|_| assert!(life.window(1000.0) || life.state == State::Mitigating));
            (0..100).for_each(|_| assert!(life.window(0.0) || life.state != State::Ended));
            assert_eq!((life.state, life.relapses()), (State::Watching, pulse - 1));
        }
        assert_eq!(life.hold() + RELEASE, LONGEST);
        assert!(life.window(1000.0) && life.state == State::Mitigating, "in the first window of a pulse");
    }
}
