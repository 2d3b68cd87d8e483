//! Bounds of automatic response, for detection.

use serde::{Deserialize, Serialize};

use super::Period;

/// When the SYN challenge is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// While the target is under SYN attack.
    #[default]
    Auto,
    /// For every unknown source.
    Always,
    /// Not at all.
    Never,
}

/// Handling of TCP SYNs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SynSpec {
    /// The SYN challenge.
    pub challenge: Challenge,
}

/// How far an automatic response may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseSpec {
    /// The longest life of an automatic rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl: Option<Period>,
    /// The most signatures at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_signatures: Option<u32>,
    /// The share of benign traffic a signature may hit, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collateral_budget: Option<f64>,
}
