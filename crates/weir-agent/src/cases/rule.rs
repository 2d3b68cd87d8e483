//! A rule of an incident: the name that people call it by, and what it matched.

use std::collections::BTreeMap;
use std::time::SystemTime;

use weir_api::local::{Ruling, RulingRow};
use weir_detect::lay::Word;
use weir_detect::signature::Signed;

/// A rule.
#[derive(Clone, Debug)]
pub(crate) struct CaseRule {
    /// Its number within the incident, from 1.
    pub number: u32,
    /// What it matches, and what is known of that.
    pub signed: Signed,
    /// Its text.
    pub text: String,
    /// When it was written.
    pub since: SystemTime,
    /// Its owners' numbers in the tables, earlier ones too, and what it matched under each: of several targets some may drop by it while
    /// others count.
    laid: BTreeMap<u32, u64>,
    /// It is in the tables now.
    pub in_force: bool,
    /// What a person said of it.
    pub ruling: Option<RulingRow>,
}

impl CaseRule {
    /// A rule that was just written.
    pub fn new(number: u32, signed: Signed, since: SystemTime) -> Self {
        let text = signed.matches.to_string();
        Self { number, signed, text, since, laid: BTreeMap::new(), in_force: false, ruling: None }
    }

    /// The name that people call it by: `7.3`.
    pub fn name(&self, incident: u64) -> String {
        format!("{incident}.{}", self.number)
    }

    /// What a person said of it, as the layer of rules wants to know.
    pub fn said(&self) -> Option<Word> {
        self.ruling.map(|row| match row.ruling {
            Ruling::Approved => Word::Approved,
            Ruling::Rejected => Word::Rejected,
        })
    }

    /// It is in the tables as this owner's, and matched so many packets since it is.
    pub fn counted(&mut self, owner: u32, packets: u64) {
        self.in_force = true;
        self.laid.insert(owner, packets);
    }

    /// It is in no table.
    pub fn withdrawn(&mut self) {
        self.in_force = false;
    }

    /// The owners' numbers under which it is or was in the tables.
    pub fn owners(&self) -> impl Iterator<Item = u32> {
        self.laid.keys().copied()
    }

    /// Packets that it matched; none: it never was in the tables.
    pub fn matched(&self) -> Option<u64> {
        (!self.laid.is_empty()).then(|| self.laid.values().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_detect::signature::Use;

    #[test]
    fn what_was_matched_under_another_number_counts_too() {
        let matches = "udp".parse().unwrap();
        let signed = Signed { matches, coverage: 1.0, benign: 0, collateral: 0.0, may: Use::Drop };
        let mut rule = CaseRule::new(3, signed, SystemTime::UNIX_EPOCH);
        assert_eq!(rule.name(7), "7.3");
        assert_eq!((rule.matched(), rule.in_force), (None, false));
        rule.counted(1, 5);
        rule.counted(1, 7);
        rule.withdrawn();
        assert_eq!((rule.matched(), rule.in_force), (Some(7), false));
        rule.counted(2, 3);
        assert_eq!((rule.matched(), rule.owners().collect::<Vec<_>>(), rule.in_force), (Some(10), vec![1, 2], true));
    }
}
