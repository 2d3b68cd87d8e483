//! `Block`: one prefix, a reason, an expiry. What `weir block` writes.

use serde::{Deserialize, Serialize};

use super::{Cidr, Moment};

/// What happens to the prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockAction {
    /// Its packets are dropped.
    #[default]
    Deny,
    /// Its packets pass every list and limit: an exception, written by `weir allow`.
    Allow,
}

/// Spec of a `Block`. It holds for the whole node, for every target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlockSpec {
    /// The source address or prefix.
    pub cidr: Cidr,
    /// Deny unless said otherwise.
    #[serde(default)]
    pub action: BlockAction,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When it ends; without it, when it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Moment>,
}
