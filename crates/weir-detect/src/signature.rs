//! Signatures: the smallest set of rules that tells sampled packets of an attack from a reservoir of benign ones.
//!
//! Conjunctions of header terms are grown by a beam search, the best one is closed (every term that holds for all it matches is
//! added), what it covers is taken out, and the search goes on until 3 % are left: greedy set cover. The guard rails are the
//! closure, the least share that a rule must cover, and the bound of what a rule, and all rules together, may match of the benign
//! packets; where the reservoir is too small for a proof, the bound is large and nothing may be dropped.
//!
//! Batch mining of item sets against a benign baseline, no hierarchy of counters over fingerprints.

mod beam;
mod cover;
mod kinds;
mod pool;
mod prior;

use weir_policy::rules::{Match, MatchVector, Term};

use crate::bound::share_upper;
pub use cover::{of_improper, synthesize};

/// Packets of an attack that make a rule at least, of however few.
const FEWEST: usize = 5;

/// How signatures are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Conjunctions kept from one round of the search to the next.
    pub beam: usize,
    /// Rounds: terms of a conjunction before its closure.
    pub depth: usize,
    /// Most rules.
    pub rules: usize,
    /// Values of a field that are looked at.
    pub values: usize,
    /// The least share of the attack's packets that a rule covers and that a term holds for.
    pub support: f64,
    /// Of the attack's packets, the least share for which a value is taken into a term beside the one that it was made for.
    pub sibling: f64,
    /// Of what a rule matches, a term of the closure holds for at least this share.
    pub closure: f64,
    /// What a benign match costs: weight of the bound against the share that is covered.
    pub lambda: f64,
    /// A rule may drop when its benign share is below this, by the bound.
    pub drop_below: f64,
    /// It may limit when it is below this.
    pub limit_below: f64,
    /// How many times rarer than in the attack a rule's packets must be among the benign ones, by the bound.
    pub lift: f64,
    /// The share of the attack's own packets that the rules must cover for a signature to count.
    pub accept: f64,
}

impl Settings {
    /// Of so many packets of an attack, the fewest that make a rule, to the nearest: fewer are chance, such as one customer who
    /// repeats a SYN.
    fn least(&self, attack: usize) -> usize {
        ((self.support * attack as f64).round() as usize).max(FEWEST)
    }
}

impl Default for Settings {
    /// What was measured to be safe on a network that the synthesis had not seen.
    fn default() -> Self {
        Self {
            beam: 24,
            depth: 5,
            rules: 8,
            values: 4,
            support: 0.03,
            sibling: 0.005,
            closure: 0.99,
            lambda: 200.0,
            drop_below: 5e-4,
            limit_below: 5e-3,
            lift: 20.0,
            accept: 0.8,
        }
    }
}

/// What a rule may do to the packets that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Hold them to a limit: too little is known of how many benign ones it matches.
    Limit,
    /// Drop them.
    Drop,
}

impl Use {
    /// The word in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Use::Limit => "limit",
            Use::Drop => "drop",
        }
    }
}

/// One rule of a signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// What it matches.
    pub matches: Match,
    /// Share of the attack's samples that it matches.
    pub coverage: f64,
    /// Benign packets of the reservoir that it matches.
    pub benign: usize,
    /// Share of benign packets that it matches at most, by the bound.
    pub collateral: f64,
    /// What it may do.
    pub may: Use,
}

/// The rules of one attack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signature {
    /// In the order in which they were found: the one that covers most first.
    pub rules: Vec<Signed>,
    /// Share of the attack's samples that any of them matches.
    pub coverage: f64,
    /// Share of benign packets that any of them matches at most, by the bound.
    pub collateral: f64,
    /// It covers enough of what the attack is thought to be.
    pub accepted: bool,
}

impl Signed {
    /// What is known of it beforehand, see [`prior`].
    fn told(&self) -> u8 {
        self.matches.terms.iter().fold(0, |all, term| all | prior::told(term))
    }

    /// Whether it matches nothing but what no customer's system sends.
    pub fn is_improper(&self) -> bool {
        prior::is_improper(self.told()) && self.benign == 0
    }

    /// The one source port that it matches, if it names one.
    pub fn source_port(&self) -> Option<u16> {
        self.matches.terms.iter().find_map(|term| match term {
            Term::SourcePort(ports) => ports.single(),
            _ => None,
        })
    }
}

impl Signature {
    /// Whether a rule that may drop matches.
    pub fn drops(&self, packet: &MatchVector) -> bool {
        self.rules.iter().any(|rule| rule.may == Use::Drop && rule.matches.holds(packet))
    }

    /// The rules of both, these first, at most so many. What they harm together is at most the sum; [`Self::harm`] measures it.
    #[must_use]
    pub fn and(mut self, other: Self, most: usize) -> Self {
        let new = other.rules.into_iter().filter(|rule| self.rules.iter().all(|mine| mine.matches != rule.matches));
        let new = new.collect::<Vec<_>>();
        // The oldest give way: the attack has left them.
        self.rules.drain(..(self.rules.len() + new.len()).saturating_sub(most).min(self.rules.len()));
        self.rules.extend(new);
        self.coverage = other.coverage;
        self.collateral = self.rules.iter().map(|rule| rule.collateral).sum::<f64>().min(1.0);
        self
    }

    /// The same without some rules; accepted if the others cover so much of an attack's packets.
    #[must_use]
    pub fn without(mut self, refused: impl Fn(&Signed) -> bool, attack: &[MatchVector], accept: f64) -> Self {
        self.rules.retain(|rule| !refused(rule));
        let matched = attack.iter().filter(|packet| self.rules.iter().any(|rule| rule.matches.holds(packet))).count();
        self.coverage = matched as f64 / attack.len().max(1) as f64;
        self.accepted = !self.rules.is_empty() && self.coverage >= accept;
        self
    }

    /// Whether it is not known to match more than such a share of benign packets.
    pub fn fits(&self, benign: &[MatchVector], below: f64) -> bool {
        let hits = benign.iter().filter(|packet| self.drops(packet)).count();
        hits as f64 <= below * benign.len() as f64
    }

    /// Share of benign packets that the rules which may drop match together at most, by the bound.
    pub fn harm(&self, benign: &[MatchVector]) -> f64 {
        let hits = benign.iter().filter(|packet| self.drops(packet)).count();
        let dropping = self.rules.iter().filter(|rule| rule.may == Use::Drop);
        prior::bounded(dropping.fold(u8::MAX, |all, rule| all & rule.told()), hits, share_upper(hits, benign.len()))
    }
}
