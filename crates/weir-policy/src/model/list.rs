//! Entries of allow, deny and never-block lists. There may be a million: an entry is 48 bytes and owns no memory.

use std::num::NonZeroU64;

use crate::prefix::Prefix;

/// What an entry says of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Their packets are dropped, unless a longer prefix or an allow entry of the same prefix says otherwise.
    Deny,
    /// Their packets pass without further checks, unless a longer prefix says otherwise.
    Allow,
    /// Their packets pass, whatever any other entry says.
    NeverBlock,
}

/// Where an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// For every packet that the node sees.
    Node,
    /// For the targets that name this set, see [`crate::model::Target::lists`].
    Set(u32),
}

/// One line of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// The addresses.
    pub prefix: Prefix,
    /// What is said of them.
    pub verdict: Verdict,
    /// For whom.
    pub scope: Scope,
    /// Which object says so: a number from [`crate::model::Policy::names`]; 0: nobody in particular.
    pub rule: u32,
    /// The kernel tick (`jiffies64`) from which the entry no longer counts; none: it stays.
    pub expires: Option<NonZeroU64>,
}

impl ListEntry {
    /// An entry of the node's list that stays.
    pub fn new(prefix: impl Into<Prefix>, verdict: Verdict, rule: u32) -> Self {
        Self { prefix: prefix.into(), verdict, scope: Scope::Node, rule, expires: None }
    }

    /// The same, up to this kernel tick.
    #[must_use]
    pub fn until(self, tick: u64) -> Self {
        // Tick 0 is long past on any kernel, and 0 means "never" in the tables: 1 is as past.
        Self { expires: Some(NonZeroU64::new(tick).unwrap_or(NonZeroU64::MIN)), ..self }
    }

    /// The same, for the targets that name this set.
    #[must_use]
    pub fn in_set(self, set: u32) -> Self {
        Self { scope: Scope::Set(set), ..self }
    }

    /// Whether it counts at this kernel tick.
    pub fn is_live(&self, now: u64) -> bool {
        self.expires.is_none_or(|tick| now < tick.get())
    }
}
