//! Allow and deny lists, source sets and blocks become list entries of the neutral model.

use std::num::NonZeroU64;

use weir_policy::model::{ListEntry, Scope, Verdict};

use super::Conversion;
use crate::field::FieldPath;
use crate::object::Resource;
use crate::spec::{self, BlockAction, BlockSpec, Cidr, Moment, ProtectionSpec, SourceSetSpec};
use crate::yaml::{Origin, nearest};

impl Conversion<'_> {
    /// The lists of a protection. The host default's hold for every packet of the node; any other's for its target alone,
    /// as sets whose numbers are returned.
    pub(super) fn protection_lists(
        &mut self,
        spec: &ProtectionSpec,
        name: &str,
        host_default: bool,
        origin: &Origin,
    ) -> Vec<u32> {
        let mut sets = Vec::new();
        for (field, list, verdict) in [("allow", &spec.allow, Verdict::Allow), ("deny", &spec.deny, Verdict::Deny)] {
            let at = FieldPath::spec().field(field);
            for (i, entry) in list.iter().enumerate() {
                let at = at.index(i);
                match (&entry.cidr, &entry.source_set) {
                    (Some(cidr), None) => {
                        let scope = if host_default { Scope::Node } else { self.set(&mut sets, name) };
                        self.entry(*cidr, verdict, scope, name, None);
                    }
                    (None, Some(set)) => self.use_set(set, verdict, host_default, &mut sets, &at, origin),
                    _ => self.error(origin, &at, "write either `cidr` or `sourceSet`"),
                }
            }
        }
        sets
    }

    /// The entries of a source set, in the node's list or as a set that targets share.
    fn use_set(
        &mut self,
        name: &str,
        verdict: Verdict,
        host_default: bool,
        sets: &mut Vec<u32>,
        at: &FieldPath,
        origin: &Origin,
    ) {
        let Some(set) = self.source_sets.get(name).copied() else {
            let known: Vec<&str> = self.source_sets.keys().copied().collect();
            let message = match nearest(name, &known) {
                Some(close) => format!("there is no SourceSet `{name}`: did you mean `{close}`?"),
                None => format!("there is no SourceSet `{name}`: add one of that name"),
            };
            return self.error(origin, &at.field("sourceSet"), message);
        };
        let scope = if host_default {
            Scope::Node
        } else {
            let word = if verdict == Verdict::Allow { "allow" } else { "deny" };
            let label = format!("{word} {name}");
            let fresh = !self.used_sets.contains(&label);
            let scope = self.set(sets, &label);
            if !fresh {
                return;
            }
            self.used_sets.insert(label);
            scope
        };
        let rule = format!("SourceSet {name}");
        for cidr in &set.spec.cidrs {
            self.entry(*cidr, verdict, scope, &rule, None);
        }
        if let Some(cidrs) = set.spec.file.as_ref().and_then(|file| self.files.get(file)) {
            for cidr in cidrs {
                self.entry(*cidr, verdict, scope, &rule, None);
            }
        }
    }

    /// The scope of a set, noted among a target's sets.
    fn set(&mut self, sets: &mut Vec<u32>, label: &str) -> Scope {
        let number = self.policy.sets.intern(label);
        if !sets.contains(&number) {
            sets.push(number);
        }
        Scope::Set(number)
    }

    fn entry(&mut self, cidr: Cidr, verdict: Verdict, scope: Scope, rule: &str, expires: Option<Moment>) {
        let rule = self.policy.names.intern(rule);
        let expires = expires.map(|end| NonZeroU64::new(self.clock.tick(end)).unwrap_or(NonZeroU64::MIN));
        self.policy.lists.push(ListEntry { prefix: cidr.net().into(), verdict, scope, rule, expires });
    }

    /// A source set alone: whoever uses it brings its entries in; here only its own soundness counts.
    pub(super) fn source_set(&mut self, resource: &Resource<SourceSetSpec>, origin: &Origin) {
        let spec = &resource.spec;
        let at = FieldPath::spec();
        if spec.cidrs.is_empty() && spec.file.is_none() {
            self.warn(origin, &at, "the set is empty: name prefixes in `cidrs` or a `file`");
        }
        if let Some(file) = &spec.file
            && !self.files.contains_key(file)
        {
            let message = format!("`{file}` was not read: files are named relative to the policy directory");
            self.error(origin, &at.field("file"), message);
        }
    }

    /// One `Block`: it holds for the whole node.
    pub(super) fn block(&mut self, resource: &Resource<BlockSpec>, origin: &Origin) {
        let spec::BlockSpec { cidr, action, reason: _, expires } = &resource.spec;
        if expires.is_some_and(|end| end <= Moment::from_system(self.clock.now)) {
            let message = "this time has passed and the block has no effect: remove the object";
            return self.warn(origin, &FieldPath::spec().field("expires"), message);
        }
        let verdict = match action {
            BlockAction::Deny => Verdict::Deny,
            BlockAction::Allow => Verdict::Allow,
        };
        self.entry(*cidr, verdict, Scope::Node, &format!("Block {}", resource.metadata.name), *expires);
    }
}
