//! `Protection` and `ClusterProtection`: what is protected, and how.

use serde::{Deserialize, Serialize};

use super::{HygieneSpec, LimitsSpec, ListEntry, ResponseSpec, SynSpec, TargetSpec};

/// Whether drops happen or are only counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Count what would have been dropped; drop nothing but what a person approves.
    #[default]
    Observe,
    /// Drop.
    Enforce,
}

/// How little deviation from normal is called an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sensitivity {
    /// Only gross deviation.
    Low,
    /// The usual.
    #[default]
    Medium,
    /// Small deviation; more false alarms.
    High,
}

/// What happens to IP fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FragmentsMode {
    /// The first fragment of a datagram decides for the rest.
    #[default]
    Track,
    /// Every fragment is refused.
    Drop,
    /// Fragments are not followed; each is judged by what it shows.
    Pass,
}

/// Spec of a `Protection` (one namespace) or `ClusterProtection` (cluster or host).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProtectionSpec {
    /// What is protected. A `ClusterProtection` without it protects the nodes themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetSpec>,
    /// Observe unless said otherwise.
    #[serde(default)]
    pub mode: Mode,
    /// Used by detection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
    /// Rate limits; none by default.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// Checks of single packets; the safe ones are on by default.
    #[serde(default)]
    pub hygiene: HygieneSpec,
    /// The SYN challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syn: Option<SynSpec>,
    /// IP fragments.
    #[serde(default)]
    pub fragments: FragmentsMode,
    /// Sources that pass the lists and limits of this target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<ListEntry>,
    /// Sources that this target refuses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<ListEntry>,
    /// Bounds of automatic response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseSpec>,
}
