//! Rules: those of the policy and those that incidents wrote.

use serde::{Deserialize, Serialize};

use crate::spec::Moment;

/// What a rule does to the packets that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// Drops them.
    Drop,
    /// Counts them.
    Count,
    /// Drops what is over a limit.
    Limit,
}

impl RuleAction {
    /// The word in texts, labels and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            RuleAction::Drop => "drop",
            RuleAction::Count => "count",
            RuleAction::Limit => "limit",
        }
    }
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In the kernel's tables, with all that it may do.
    InForce,
    /// In the kernel's tables, and it only counts: what is missing is said in [`RuleRow::why`].
    Waiting,
    /// Of an incident that is over: it wakes when the attack returns.
    Sleeping,
    /// In no table: there is no room for it.
    NoRoom,
    /// In no table: a person withdrew it.
    Rejected,
}

impl Standing {
    /// The word in texts, labels and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Standing::InForce => "in_force",
            Standing::Waiting => "waiting",
            Standing::Sleeping => "sleeping",
            Standing::NoRoom => "no_room",
            Standing::Rejected => "rejected",
        }
    }
}

/// One line of `GET /api/v1/rules`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleRow {
    /// What it is called: `7.3` is the third rule of incident 7, `7.limit` the limit that it set; the policy's own have their names.
    pub id: String,
    /// The incident that wrote it; absent: the policy did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
    /// Its text, close to pcap-filter.
    pub rule: String,
    /// Targets whose packets it may match.
    pub targets: Vec<String>,
    /// What it does now.
    pub action: RuleAction,
    /// Where it stands.
    pub standing: Standing,
    /// Why it stands there.
    pub why: String,
    /// Since when it is there; absent: since the policy is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// What ends it.
    pub ends: String,
    /// When that is, as things are now; absent: nobody knows yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Moment>,
    /// What a person said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<RulingRow>,
    /// Packets that it matched; absent for limits and for what is in no table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_packets: Option<u64>,
    /// Share of the attack's samples that it matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Share of customers' packets that it matches at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collateral: Option<f64>,
}

/// What a person said of an incident's rule. It lasts as long as the incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulingRow {
    /// What.
    pub ruling: Ruling,
    /// User id of the process that asked, where the socket tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_uid: Option<u32>,
    /// When.
    pub at: Moment,
}

/// What can be said of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// It is to drop.
    Approved,
    /// It is withdrawn.
    Rejected,
}

impl Ruling {
    /// The word in texts and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Ruling::Approved => "approved",
            Ruling::Rejected => "rejected",
        }
    }
}
