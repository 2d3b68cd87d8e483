//! What touches one address: `weir explain`.

use serde::{Deserialize, Serialize};

use super::{NodeMode, Verdict};
use crate::spec::{Cidr, Moment};

/// `GET /api/v1/explain/{address}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The address.
    pub address: String,
    /// What the node's lists alone make of its packets.
    pub outcome: Outcome,
    /// One sentence for a person.
    pub summary: String,
    /// Every list entry that holds the address, the deciding one first.
    pub lists: Vec<ListHit>,
    /// The limits its packets fall under, per target.
    pub limits: Vec<LimitRow>,
    /// Incidents that concern it, the newest first.
    #[serde(default)]
    pub incidents: Vec<IncidentHit>,
    /// What the recent samples say of it. Counts are estimates from sampled packets.
    pub seen: Vec<SeenRow>,
}

/// An incident that concerns the address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentHit {
    /// Its number.
    pub incident: u64,
    /// The target.
    pub target: String,
    /// What operators call it.
    pub vector: String,
    /// Where it stands.
    pub state: String,
    /// The address is one of the target's: it is what is attacked.
    pub attacked: bool,
    /// Its share of the attack, where it is among those that send most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// The incident's rules that concern it: those that recent samples from it met, or, where it is attacked, all that there are.
    pub rules: Vec<RuleHit>,
}

/// A rule of an incident that concerns the address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleHit {
    /// What it is called, such as `7.3`.
    pub id: String,
    /// Its text.
    pub rule: String,
    /// Whether it is in the kernel's tables.
    pub in_force: bool,
    /// Recent samples from the address that were dropped by it, or would have been.
    pub samples: u64,
}

/// What lists make of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// On no list of the node: its packets are judged by their targets' policies.
    Judged,
    /// Passed by a list.
    Passed,
    /// Dropped by a list.
    Dropped,
    /// Would be dropped by a list; the node observes.
    WouldDrop,
}

/// Kinds of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// Never blocked.
    NeverBlock,
    /// Allowed.
    Allow,
    /// Denied.
    Deny,
    /// Blocked by a `Block`.
    Block,
}

impl ListKind {
    /// As a person reads it.
    pub const fn label(self) -> &'static str {
        match self {
            ListKind::NeverBlock => "never-block",
            ListKind::Allow => "allow",
            ListKind::Deny => "deny",
            ListKind::Block => "block",
        }
    }
}

/// A list entry that holds the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListHit {
    /// `node`, or the name of the target whose list it is.
    pub scope: String,
    /// Which list.
    pub list: ListKind,
    /// The entry.
    pub cidr: Cidr,
    /// The rule it came from.
    pub rule: String,
    /// When it ends, if it does.
    pub expires: Option<Moment>,
    /// Whether this entry decides within its scope (the longest prefix; allow before deny).
    pub decides: bool,
}

/// A limit that packets of the address fall under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    /// The target.
    pub target: String,
    /// Whether the target drops.
    pub mode: NodeMode,
    /// Whose traffic is counted together: `per_source`, `per_prefix`, `per_target`.
    pub scope: String,
    /// What is counted: `packets`, `bytes`, `connections`.
    pub dimension: String,
    /// On the long run, per period.
    pub average: u64,
    /// At once.
    pub burst: u64,
    /// The period.
    pub period: String,
}

/// What the recent samples say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenRow {
    /// The target.
    pub target: String,
    /// The reason's word.
    pub reason: String,
    /// The reason in a sentence.
    pub text: String,
    /// What was done.
    pub verdict: Verdict,
    /// The incident's rule that decided, such as `7.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// How many packets the samples stand for.
    pub packets_estimate: u64,
    /// How many samples there are.
    pub samples: u64,
    /// The latest.
    pub last: Moment,
}
