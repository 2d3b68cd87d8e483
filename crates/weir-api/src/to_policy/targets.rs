//! What is protected: the objects' targets become endpoints of the neutral model.

use std::collections::HashMap;
use std::net::IpAddr;

use weir_policy::model::{Challenge as Challenged, Endpoint, Fragments, Hygiene, Target};

use super::node::is_host_default;
use super::{Conversion, limits::Limits};
use crate::field::FieldPath;
use crate::object::{Kind, Resource};
use crate::spec::target::MAX_TARGET_ADDRESSES;
use crate::spec::{AddressTarget, Challenge, FragmentsMode, HygieneSpec, ProtectionSpec, TargetSpec};
use crate::yaml::{Origin, Parsed};

impl Conversion<'_> {
    /// One `Protection` or `ClusterProtection`.
    pub(super) fn protection(&mut self, resource: &Resource<ProtectionSpec>, kind: Kind, origin: &Origin) {
        let spec = &resource.spec;
        self.not_yet(spec, origin);
        let host_default = kind == Kind::ClusterProtection && is_host_default(spec);
        for (field, set) in [("malformed", spec.hygiene.malformed), ("tunnels", spec.hygiene.tunnels)] {
            if set && !host_default {
                let message = "concerns the whole node: ask for it in the ClusterProtection for nodes";
                self.error(origin, &FieldPath::spec().field("hygiene").field(field), message);
            }
        }
        let Limits { per_source, per_prefix, per_target } = self.limits(&spec.limits, origin);
        let name = target_name(resource);
        let lists = self.protection_lists(spec, &name, host_default, origin);
        let endpoints =
            if host_default { self.host_endpoints(origin) } else { self.endpoints(spec.target.as_ref(), kind, origin) };
        if endpoints.is_empty() {
            return;
        }
        self.policy.targets.push(Target {
            endpoints,
            enforce: self.enforces(spec.mode),
            hygiene: hygiene(&spec.hygiene),
            fragments: match spec.fragments {
                FragmentsMode::Track => Fragments::Track,
                FragmentsMode::Drop => Fragments::Drop,
                FragmentsMode::Pass => Fragments::Pass,
            },
            challenge: match spec.syn.unwrap_or_default().challenge {
                Challenge::Auto => Challenged::Auto,
                Challenge::Always => Challenged::Always,
                Challenge::Never => Challenged::Never,
            },
            served: spec.hygiene.protocols.iter().map(|p| p.number()).collect(),
            per_source,
            per_prefix,
            per_target,
            lists,
            ..Target::new(name)
        });
    }

    fn host_endpoints(&mut self, origin: &Origin) -> Vec<Endpoint> {
        if self.host.is_empty() {
            self.warn(
                origin,
                &FieldPath::spec().field("target"),
                "no address of this host is known: only the lists count",
            );
        }
        self.host.iter().map(|ip| Endpoint { addr: *ip, port: 0, proto: 0 }).collect()
    }

    fn endpoints(&mut self, target: Option<&TargetSpec>, kind: Kind, origin: &Origin) -> Vec<Endpoint> {
        let at = FieldPath::spec().field("target");
        let Some(target) = target else {
            self.error(origin, &at, "missing: say what is protected with services, pods or addresses");
            return Vec::new();
        };
        let named = [
            ("services", target.services.is_some()),
            ("pods", target.pods.is_some()),
            ("nodes", target.nodes.is_some()),
            ("addresses", target.addresses.is_some()),
        ];
        let named: Vec<&'static str> = named.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect();
        let [one] = named[..] else {
            let message = match named.len() {
                0 => "empty: name one of services, pods or addresses".to_owned(),
                _ => {
                    format!("{} stand side by side: one of them, and another object for the other", named.join(" and "))
                }
            };
            self.error(origin, &at, message);
            return Vec::new();
        };
        match (one, &target.addresses) {
            ("nodes", _) if kind == Kind::Protection => {
                self.error(
                    origin,
                    &at.field("nodes"),
                    "nodes belong to the whole cluster: make this a ClusterProtection",
                );
                Vec::new()
            }
            (_, Some(addresses)) => {
                if addresses.is_empty() {
                    self.error(origin, &at.field("addresses"), "empty: name at least one address");
                }
                let at = at.field("addresses");
                addresses.iter().enumerate().flat_map(|(i, a)| self.address(a, &at.index(i), origin)).collect()
            }
            (name, None) => {
                let message = format!(
                    "{name} are found by label in a cluster; on a host alone this protects nothing (use addresses{})",
                    if kind == Kind::ClusterProtection { " or nodes: {}" } else { "" }
                );
                self.warn(origin, &at.field(name), message);
                Vec::new()
            }
        }
    }

    fn address(&mut self, target: &AddressTarget, at: &FieldPath, origin: &Origin) -> Vec<Endpoint> {
        let proto = target.protocol.map_or(0, |p| p.number());
        if let (Some(protocol), Some(_)) = (target.protocol, target.port)
            && !protocol.has_ports()
        {
            self.error(
                origin,
                &at.field("port"),
                format!("{protocol:?} has no ports: remove the port or the protocol"),
            );
        }
        if target.port == Some(0) {
            self.error(origin, &at.field("port"), "0 is no port: leave it out for all ports");
        }
        let port = target.port.unwrap_or(0);
        let addresses: Vec<IpAddr> = match (target.ip, target.cidr) {
            (Some(ip), None) => vec![ip.0],
            (None, Some(cidr)) if cidr.size() > MAX_TARGET_ADDRESSES => {
                let message = format!(
                    "{cidr} holds more than {MAX_TARGET_ADDRESSES} addresses: name smaller prefixes or single addresses"
                );
                self.error(origin, &at.field("cidr"), message);
                Vec::new()
            }
            (None, Some(cidr)) => {
                // `hosts()` leaves out what is special in a subnet; a target may be any address.
                let first = cidr.net().network();
                (0..cidr.size()).filter_map(|i| plus(first, i)).collect()
            }
            _ => {
                self.error(origin, at, "write either `ip` or `cidr`");
                Vec::new()
            }
        };
        addresses.into_iter().map(|addr| Endpoint { addr, port, proto }).collect()
    }

    /// An endpoint belongs to one target. The host default yields, as defaults do; otherwise it is a mistake.
    pub(super) fn shared_endpoints(&mut self, objects: &[Parsed]) {
        let host: Option<String> = objects.iter().find_map(|p| match &p.object {
            crate::Object::ClusterProtection(r) if is_host_default(&r.spec) => Some(target_name(r)),
            _ => None,
        });
        let mut owner: HashMap<Endpoint, usize> = HashMap::new();
        let mut clashes = Vec::new();
        for (i, target) in self.policy.targets.iter().enumerate() {
            if Some(&target.name) == host.as_ref() {
                continue;
            }
            for endpoint in &target.endpoints {
                match owner.insert(*endpoint, i) {
                    Some(first) if first != i => clashes.push((*endpoint, first, i)),
                    _ => {}
                }
            }
        }
        for target in &mut self.policy.targets {
            if Some(&target.name) == host.as_ref() {
                target.endpoints.retain(|e| !owner.contains_key(e));
            } else {
                target.endpoints.sort();
                target.endpoints.dedup();
            }
        }
        for (endpoint, first, second) in clashes {
            let (first, second) = (self.policy.targets[first].name.clone(), self.policy.targets[second].name.clone());
            let message = format!("{} belongs to {first} already: an endpoint has one owner", show(&endpoint));
            let of = objects.iter().find(|p| match &p.object {
                crate::Object::Protection(r) | crate::Object::ClusterProtection(r) => target_name(r) == second,
                _ => false,
            });
            if let Some(parsed) = of {
                self.error(&parsed.origin, &FieldPath::spec().field("target").field("addresses"), message);
            }
        }
    }
}

/// The target's name: what metrics and samples call it.
pub(super) fn target_name(resource: &Resource<ProtectionSpec>) -> String {
    match &resource.metadata.namespace {
        Some(namespace) if resource.kind == Kind::Protection.name() => {
            format!("{namespace}/{}", resource.metadata.name)
        }
        _ => resource.metadata.name.clone(),
    }
}

fn hygiene(spec: &HygieneSpec) -> Hygiene {
    Hygiene {
        tcp_flags: spec.tcp_flags,
        land: spec.land,
        port_zero: spec.port_zero,
        bogons: spec.bogons,
        reflection: spec.reflection,
    }
}

fn plus(first: IpAddr, n: u128) -> Option<IpAddr> {
    match first {
        IpAddr::V4(ip) => ip.to_bits().checked_add(u32::try_from(n).ok()?).map(|b| IpAddr::V4(b.into())),
        IpAddr::V6(ip) => ip.to_bits().checked_add(n).map(|b| IpAddr::V6(b.into())),
    }
}

fn show(endpoint: &Endpoint) -> String {
    match (endpoint.port, endpoint.proto) {
        (0, 0) => endpoint.addr.to_string(),
        (0, proto) => format!("{} (protocol {proto})", endpoint.addr),
        (port, 0) => format!("{} port {port}", endpoint.addr),
        (port, proto) => format!("{} port {port} (protocol {proto})", endpoint.addr),
    }
}
