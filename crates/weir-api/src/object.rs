//! The objects as a whole: kind, metadata and spec.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::{BlockSpec, ProtectionSpec, SourceSetSpec};

/// The group and version of every kind.
pub const API_VERSION: &str = "weir.dev/v1alpha1";

/// The kinds that are read from files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "documented at their specs")]
pub enum Kind {
    Protection,
    ClusterProtection,
    SourceSet,
    Block,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Protection, Kind::ClusterProtection, Kind::SourceSet, Kind::Block];

    /// As it stands in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Protection => "Protection",
            Kind::ClusterProtection => "ClusterProtection",
            Kind::SourceSet => "SourceSet",
            Kind::Block => "Block",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The part of Kubernetes' metadata that Weir reads. What else the API server writes there is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The object's name.
    pub name: String,
    /// The namespace of a `Protection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// One object of a kind whose spec is `S`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resource<S> {
    /// [`API_VERSION`].
    pub api_version: String,
    /// The kind's name.
    pub kind: String,
    /// Name, namespace, labels.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: S,
    /// What the cluster found; not read, so that an exported object can be used as a file.
    #[serde(default, skip_serializing)]
    status: Ignored,
}

/// Accepts anything and keeps nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Ignored)
    }
}

impl<S> Resource<S> {
    /// An object without namespace and labels.
    pub fn new(kind: Kind, name: impl Into<String>, spec: S) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: kind.name().to_owned(),
            metadata: Metadata { name: name.into(), ..Metadata::default() },
            spec,
            status: Ignored,
        }
    }
}

/// An object of any kind.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are the kinds")]
pub enum Object {
    Protection(Resource<ProtectionSpec>),
    ClusterProtection(Resource<ProtectionSpec>),
    SourceSet(Resource<SourceSetSpec>),
    Block(Resource<BlockSpec>),
}

impl Object {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Object::Protection(_) => Kind::Protection,
            Object::ClusterProtection(_) => Kind::ClusterProtection,
            Object::SourceSet(_) => Kind::SourceSet,
            Object::Block(_) => Kind::Block,
        }
    }

    /// Its metadata.
    pub const fn metadata(&self) -> &Metadata {
        match self {
            Object::Protection(r) | Object::ClusterProtection(r) => &r.metadata,
            Object::SourceSet(r) => &r.metadata,
            Object::Block(r) => &r.metadata,
        }
    }

    /// What a person calls it: `Protection shop/front`, `SourceSet office`.
    pub fn title(&self) -> String {
        let meta = self.metadata();
        match (&meta.namespace, self.kind()) {
            (Some(namespace), Kind::Protection) => format!("{} {namespace}/{}", self.kind(), meta.name),
            _ => format!("{} {}", self.kind(), meta.name),
        }
    }
}
