//! One line of an allow or deny list: a CIDR, or the name of a `SourceSet`.

use serde::{Deserialize, Serialize};

use super::Cidr;

/// Exactly one of the two fields is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListEntry {
    /// An address or prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<Cidr>,
    /// The name of a `SourceSet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_set: Option<String>,
}
