//! The host's own default: the `ClusterProtection` whose target is the nodes.

use super::Conversion;
use crate::field::FieldPath;
use crate::object::{Object, Resource};
use crate::spec::{Mode, ProtectionSpec};
use crate::yaml::Parsed;

/// Whether this object is the default of the host it is read on. Node labels are the cluster's: a host alone has none.
pub(super) fn is_host_default(spec: &ProtectionSpec) -> bool {
    match &spec.target {
        None => true,
        Some(target) => target.nodes.as_ref().is_some_and(|nodes| nodes.match_labels.is_empty()),
    }
}

impl Conversion<'_> {
    /// Takes what concerns the whole node from the host default, and refuses a second one.
    pub(super) fn node(&mut self, objects: &[Parsed]) {
        let mut first: Option<&Resource<ProtectionSpec>> = None;
        for parsed in objects {
            let Object::ClusterProtection(resource) = &parsed.object else { continue };
            if !is_host_default(&resource.spec) {
                continue;
            }
            if let Some(first) = first {
                let message = format!(
                    "ClusterProtection {} protects this host already: one object may do that, join the two",
                    first.metadata.name
                );
                self.error(&parsed.origin, &FieldPath::spec().field("target"), message);
            } else {
                first = Some(resource);
            }
        }
        if let Some(hygiene) = first.map(|resource| &resource.spec.hygiene) {
            self.policy.drop_malformed = hygiene.malformed;
            self.policy.tunnels = hygiene.tunnels;
        }
        self.policy.enforce_node = self.enforces(first.map_or(Mode::Observe, |resource| resource.spec.mode));
    }
}
