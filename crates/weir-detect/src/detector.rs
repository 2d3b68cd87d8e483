//! Detectors: each looks at one thing and says how much it speaks for an attack, from -5 to 5, with the numbers it saw.

pub mod answers;
pub mod handshake;
pub mod harm;
pub mod hour;
pub mod hygiene;
pub mod kind;
pub mod mix;
pub mod newcomers;
pub mod openers;
pub mod rate;
pub mod shape;
pub mod strays;
pub mod waits;

/// The most that one detector can say.
pub const CAP: f64 = 5.0;

/// What detectors have in common; a drop needs more than one family, or what no customer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// How much comes.
    Volume,
    /// Whether connections come about.
    Handshake,
    /// What the packets look like.
    Shape,
    /// What no customer sends: impossible headers, answers that nobody asked for.
    Hygiene,
    /// What the service suffers.
    Harm,
}

/// What one detector says about a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Name of the detector, as incidents show it.
    pub detector: &'static str,
    /// Its family.
    pub family: Family,
    /// -5 (surely not) to 5.
    pub value: f64,
    /// It alone is sure: its own test is passed.
    pub alarm: bool,
    /// The numbers of an alarm, in plain words; empty where it is none.
    pub evidence: String,
}

/// The words of an alarm. Calm windows are many, and nobody reads theirs.
fn words(alarm: bool, told: impl FnOnce() -> String) -> String {
    if alarm { told() } else { String::new() }
}
