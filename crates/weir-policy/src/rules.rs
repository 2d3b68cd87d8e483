//! Match rules: conjunctions of terms over a packet's headers and first payload bytes, compiled into bit vectors.
//!
//! A rule says "all of this holds". There is no "or" between terms: two rules say that, and a term takes lists of values. What
//! a rule sees of a packet is its [`MatchVector`]; [`Term::holds`] evaluates a term on it directly, and the compiled tables
//! must agree with that on every vector.

mod build;
mod cursor;
mod parse;
mod problem;
mod scan;
pub mod sets;
mod shape;
pub mod tables;
pub mod term;
mod text;

pub(crate) use build::build_beside;
pub use build::{Built, RuleError, build};
pub use problem::{ParseError, Problem};
pub use sets::{ByteSet, WordSet};
pub use tables::matching;
pub use term::{Fact, Payload, Term};

use weir_abi::rules::FIELDS;

/// The bytes of a packet that rules can see, see [`weir_abi::rules::field`].
pub type MatchVector = [u8; FIELDS];

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Compiled, but matches nothing: ready to be woken.
    Dormant,
    /// Counts what it matches.
    #[default]
    Shadow,
    /// Holds what it matches to its target's limit for that ([`weir_abi::TargetPolicy::matched`]), and lets regular sources pass.
    Limit,
    /// Drops what it matches, where the target enforces.
    Enforce,
    /// Drops what it matches, also where the target only observes: a person has approved it.
    Insist,
}

/// Which targets' packets a rule may match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every target's.
    All,
    /// Those of the targets with these names.
    Targets(Vec<String>),
}

/// All terms hold. Parsed from and shown as text, `udp and sport 123`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The terms; a match without terms is refused when it is compiled.
    pub terms: Vec<Term>,
}

impl Match {
    /// Whether every term holds.
    pub fn holds(&self, v: &MatchVector) -> bool {
        self.terms.iter().all(|term| term.holds(v))
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whose rule it is: a number from [`crate::model::Policy::names`], told in samples and by `explain`. Not 0.
    pub id: u32,
    /// What it matches.
    pub matches: Match,
    /// What it does.
    pub mode: Mode,
    /// Whose packets.
    pub reach: Reach,
}
