//! `SourceSet`: named CIDRs, inline or from a file.

use serde::{Deserialize, Serialize};

use super::Cidr;

/// Inline prefixes, a file, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceSetSpec {
    /// Prefixes written here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<Cidr>,
    /// A file with one CIDR a line, `#` starts a comment. A relative path starts at the policy directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}
