//! The count of a comparison: agreed, differing in a known way, and what nobody has explained yet.

use std::collections::BTreeMap;
use weir_wire::Malformed;

/// The differences that are deliberate are told here, one paragraph each.
const EXPLAINED: &str = include_str!("../../DIFFERENCES.md");

/// The one difference that has many causes.
const REFUSED: &str = "a header that lies is refused";

/// What comparing one frame gave.
pub enum Outcome {
    /// Both say the same.
    Agreed,
    /// They differ in a way that has a name and a paragraph.
    Known(&'static str),
    /// weir-wire refuses it for a fault that is there; the other one reads on.
    Refused(Malformed),
    /// They differ.
    Unexplained(String),
}

/// The sum over a corpus.
#[derive(Default)]
pub struct Tally {
    captures: u64,
    packets: u64,
    agreed: u64,
    known: BTreeMap<&'static str, u64>,
    refused: BTreeMap<Malformed, u64>,
    unexplained: Vec<String>,
}

impl Tally {
    /// A capture begins.
    pub fn capture(&mut self) {
        self.captures += 1;
    }

    /// One frame of it was compared; `place` finds it again.
    pub fn add(&mut self, place: impl FnOnce() -> String, outcome: Outcome) {
        self.packets += 1;
        match outcome {
            Outcome::Agreed => self.agreed += 1,
            Outcome::Known(name) => *self.known.entry(name).or_default() += 1,
            Outcome::Refused(fault) => {
                *self.known.entry(REFUSED).or_default() += 1;
                *self.refused.entry(fault).or_default() += 1;
            }
            Outcome::Unexplained(what) => self.unexplained.push(format!("{}: {what}", place())),
        }
    }

    /// Prints the sum; an unexplained difference fails, and so does a known one without its paragraph.
    pub fn judge(self, other: &str) {
        println!("{other}: {} captures, {} packets, {} agree", self.captures, self.packets, self.agreed);
        for (name, count) in &self.known {
            println!("{other}: {count:>6} differ: {name}");
        }
        println!("{other}: refused for {:?}", self.refused);
        let shown: Vec<&str> = self.unexplained.iter().take(40).map(String::as_str).collect();
        assert!(shown.is_empty(), "{} unexplained differences:\n{}", self.unexplained.len(), shown.join("\n"));
        for name in self.known.keys() {
            assert!(EXPLAINED.contains(&format!("### {name}\n")), "DIFFERENCES.md does not explain '{name}'");
        }
    }
}
