//! Runtime blocks and exceptions: what `weir block`, `unblock` and `allow` exchange with the agent.

use serde::{Deserialize, Serialize};

use crate::spec::{BlockAction, Cidr, Moment, Period};

/// Deny or allow, in the API's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryAction {
    /// A block.
    Deny,
    /// An exception.
    Allow,
}

impl EntryAction {
    /// The word in texts and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            EntryAction::Deny => "deny",
            EntryAction::Allow => "allow",
        }
    }
}

impl From<BlockAction> for EntryAction {
    fn from(action: BlockAction) -> Self {
        match action {
            BlockAction::Deny => EntryAction::Deny,
            BlockAction::Allow => EntryAction::Allow,
        }
    }
}

/// Who made an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryOrigin {
    /// A `Block` in the policy directory.
    File,
    /// The API, kept in the state directory.
    Runtime,
}

/// `POST /api/v1/blocks` and `/api/v1/allows`. A prefix that is there already gets the new expiry and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEntry {
    /// The source address or prefix.
    pub cidr: Cidr,
    /// How long it holds; without it until it is removed.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Period>,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}

/// One line of `GET /api/v1/blocks` and `/api/v1/allows`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRow {
    /// The source prefix.
    pub cidr: Cidr,
    /// Deny or allow.
    pub action: EntryAction,
    /// Why.
    pub reason: String,
    /// When it ends; null: when it is removed.
    pub expires: Option<Moment>,
    /// Who made it.
    pub origin: EntryOrigin,
}

/// The answer to a change: the entry, and how long it took until the kernel had it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// The entry as it stands now, or as it stood when it was removed.
    pub entry: EntryRow,
    /// Whether packets are dropped for it, or only counted (the node observes).
    pub enforced: bool,
    /// From the request to the kernel's tables, ms.
    pub effect_ms: f64,
}
