//! Target ids and the map from destinations to them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use weir_abi::target::{NODE, OWNER};
use weir_abi::{Addr, TargetKey};

use super::problem::{CompileError, Log, Warning};
use crate::image::TableImage;
use crate::model::{Endpoint, Policy, Target};
use crate::prefix::addr_from;
use crate::rules::term::protocol::WITH_PORTS;

/// Ids by name.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<String, u32>);

/// What id 0 is called.
const NODE_NAME: &str = "node";

impl Ids {
    /// The id of a target.
    pub fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }

    /// How many ids there are, up to the highest in use.
    pub fn count(&self) -> usize {
        self.0.values().max().map_or(1, |id| *id as usize + 1)
    }

    /// Names by id.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.count()];
        names[NODE as usize] = NODE_NAME.to_owned();
        for (name, id) in &self.0 {
            names[*id as usize].clone_from(name);
        }
        names
    }
}

/// Targets in the order of their names.
fn by_name(policy: &Policy) -> Vec<&Target> {
    let mut targets: Vec<&Target> = policy.targets.iter().collect();
    targets.sort_by(|a, b| a.name.cmp(&b.name));
    targets
}

/// Gives every target an id: the one that its name had, or one that no other name had as long as there are such.
pub(super) fn assign(policy: &Policy, max: u32, previous: Option<&TableImage>, log: &mut Log) -> Ids {
    // Fragment slots keep a target in 16 bits.
    let room = max.clamp(1, 1 << 16);
    let targets = by_name(policy);
    let before: HashMap<&str, u32> = previous
        .iter()
        .flat_map(|p| (0..).zip(&p.names.targets))
        .filter(|(id, name)| *id != NODE && *id < room && !name.is_empty())
        .map(|(id, name)| (name.as_str(), id))
        .collect();
    let avoid: BTreeSet<u32> = before.values().copied().collect();
    let kept: BTreeSet<u32> = targets.iter().filter_map(|t| before.get(t.name.as_str()).copied()).collect();
    let mut free = (1..room).filter(|id| !avoid.contains(id)).chain(avoid.difference(&kept).copied());
    let mut ids = Ids::default();
    let mut full = false;
    for target in &targets {
        if target.name.is_empty() {
            log.errors.push(CompileError::UnnamedTarget);
            continue;
        }
        if ids.get(&target.name).is_some() {
            log.errors.push(CompileError::DuplicateTarget { target: target.name.clone() });
            continue;
        }
        match before.get(target.name.as_str()).copied().or_else(|| free.next()) {
            Some(id) => {
                ids.0.insert(target.name.clone(), id);
            }
            None if full => {}
            None => {
                full = true;
                let wanted = targets.len();
                log.errors.push(CompileError::TooManyTargets { target: target.name.clone(), wanted, room: room - 1 });
            }
        }
    }
    ids
}

/// The map of destinations, sorted by [`target_order`]. The first target by name has an endpoint that several claim.
pub(super) fn keys(policy: &Policy, ids: &Ids, log: &mut Log) -> Vec<(TargetKey, u32)> {
    let mut map: BTreeMap<_, (TargetKey, &Target)> = BTreeMap::new();
    let mut owners: BTreeMap<(u64, u64), (Addr, &Target)> = BTreeMap::new();
    for target in by_name(policy) {
        if target.endpoints.is_empty() {
            log.warnings.push(Warning::NoEndpoint { target: target.name.clone() });
        }
        let mut endpoints = target.endpoints.clone();
        endpoints.sort_unstable();
        endpoints.dedup();
        for endpoint in endpoints {
            let addr = addr_from(endpoint.addr);
            for proto in protocols(&endpoint, target, log) {
                let key = TargetKey::new(addr, endpoint.port, proto);
                match map.entry(target_order(&key)) {
                    Entry::Vacant(place) => {
                        place.insert((key, target));
                    }
                    Entry::Occupied(held) if held.get().1.name == target.name => {}
                    Entry::Occupied(held) => log.warnings.push(Warning::Taken {
                        endpoint: Endpoint { proto, ..endpoint },
                        kept: held.get().1.name.clone(),
                        lost: target.name.clone(),
                    }),
                }
            }
            owners.entry((addr.hi, addr.lo)).or_insert((addr, target));
        }
    }
    // Who answers for what has no port; an entry for the whole address does so by itself.
    for (addr, target) in owners.into_values() {
        let whole = TargetKey::new(addr, 0, 0);
        if !map.contains_key(&target_order(&whole)) {
            let key = TargetKey::new(addr, 0, OWNER);
            map.insert(target_order(&key), (key, target));
        }
    }
    map.into_values().filter_map(|(key, target)| Some((key, ids.get(&target.name)?))).collect()
}

/// The order of [`TableImage::targets`]: by address, then port, then protocol.
pub fn target_order(key: &TargetKey) -> (u64, u64, u16, u8) {
    (key.addr.hi, key.addr.lo, key.port, key.proto)
}

/// The protocols of an endpoint: the packet path looks ports up with their protocol only.
fn protocols(endpoint: &Endpoint, target: &Target, log: &mut Log) -> Vec<u8> {
    match (endpoint.port, endpoint.proto) {
        (0, proto) => vec![proto],
        (_, 0) => WITH_PORTS.to_vec(),
        (_, proto) if WITH_PORTS.contains(&proto) => vec![proto],
        (port, proto) => {
            log.errors.push(CompileError::NoPorts { target: target.name.clone(), port, proto });
            Vec::new()
        }
    }
}
