//! What each target asks for, as the packet path reads it.

use std::collections::{BTreeMap, BTreeSet};
use weir_abi::TargetPolicy;

use weir_abi::limit::{Limit, Limits};
use weir_abi::policy::flag;

use super::own::Own;
use super::problem::{CompileError, Log, Warning};
use super::targets::Ids;
use crate::limits::{self, Cell, Rate, Unit};
use crate::model::{Challenge, Fragments, Policy, RateLimits, Target};
use crate::rules::Reach;

/// Policies by target id; ids that are not in use ask for nothing.
pub(super) fn compile(policy: &Policy, ids: &Ids, own: &Own, tick_hz: u32, log: &mut Log) -> Vec<TargetPolicy> {
    let mut out = vec![TargetPolicy::NONE; ids.count()];
    for target in &policy.targets {
        let Some(place) = ids.get(&target.name).and_then(|id| out.get_mut(id as usize)) else { continue };
        let mut rates = Rates { target: &target.name, tick_hz, log };
        *place = TargetPolicy {
            flags: flags(target),
            list: own.id(&target.lists),
            served: served(&target.served),
            source: rates.limits("per source", &target.per_source, Cell::Source),
            prefix: rates.limits("per source network", &target.per_prefix, Cell::Source),
            target: rates.limits("of the target", &target.per_target, Cell::Target),
            fragments: rates.limit("unmatched fragments", &target.unmatched_fragments, Cell::Target, Unit::Packets),
            retries: rates.limit("challenged SYNs that come again", &target.repeated_syns, Cell::Target, Unit::Packets),
            ..TargetPolicy::NONE
        };
    }
    let keys = limit_keys(policy, ids, &out);
    for target in &policy.targets {
        if let Some(place) = ids.get(&target.name).and_then(|id| out.get_mut(id as usize)) {
            place.limit_key = keys.get(group(target)).copied().unwrap_or_default();
        }
    }
    out
}

/// Tells the policies which rule slots may match their packets.
pub(super) fn give_rules(policy: &Policy, ids: &Ids, slots: &[u64], out: &mut [TargetPolicy], log: &mut Log) {
    let used: Vec<u32> = policy.targets.iter().filter_map(|t| ids.get(&t.name)).collect();
    for (rule, slots) in policy.rules.iter().zip(slots) {
        let reach: Vec<u32> = match &rule.reach {
            Reach::All => used.clone(),
            Reach::Targets(names) => {
                let find = |target: &String| {
                    let id = ids.get(target);
                    if id.is_none() {
                        let name = policy.names.show(rule.id);
                        log.errors.push(CompileError::UnknownTarget { name, target: target.clone() });
                    }
                    id
                };
                names.iter().filter_map(find).collect()
            }
        };
        for id in reach {
            if let Some(place) = out.get_mut(id as usize) {
                place.rules |= slots;
            }
        }
    }
}

fn flags(target: &Target) -> u32 {
    let h = &target.hygiene;
    [
        (target.enforce, flag::ENFORCE),
        (h.tcp_flags, flag::TCP_FLAGS),
        (h.land, flag::LAND),
        (h.bogons, flag::BOGONS),
        (h.reflection, flag::REFLECTION),
        (h.port_zero, flag::PORT_ZERO),
        (!target.served.is_empty(), flag::PROTOCOLS),
        (target.fragments == Fragments::Track, flag::FRAGMENTS_TRACK),
        (target.fragments == Fragments::Drop, flag::FRAGMENTS_DROP),
        (target.challenge == Challenge::Always, flag::CHALLENGE),
        (target.challenge == Challenge::Auto, flag::CHALLENGE_AUTO),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .fold(0, |all, (_, flag)| all | flag)
}

fn served(protocols: &[u8]) -> [u64; 4] {
    let mut words = [0; 4];
    for proto in protocols {
        words[usize::from(proto >> 6)] |= 1 << (proto & 63);
    }
    words
}

/// Targets of one group share what a source has used; a target that names none is alone.
fn group(target: &Target) -> &str {
    if target.limit_group.is_empty() { &target.name } else { &target.limit_group }
}

/// The key of each group: of its name, and of the limits that its targets have for sources. With other limits the group has
/// other cells: what was used of a slow limit would weigh for minutes on a fast one that replaces it.
fn limit_keys<'a>(policy: &'a Policy, ids: &Ids, compiled: &[TargetPolicy]) -> BTreeMap<&'a str, u64> {
    let mut limits: BTreeMap<&str, BTreeSet<[u64; 12]>> = BTreeMap::new();
    for target in &policy.targets {
        let Some(p) = ids.get(&target.name).and_then(|id| compiled.get(id as usize)) else { continue };
        let (s, n) = (&p.source, &p.prefix);
        let of = limits.entry(group(target)).or_default();
        if s.any() || n.any() {
            let each = [s.packets, s.bytes, s.syns, n.packets, n.bytes, n.syns].map(|l| [l.cost, l.window]);
            of.extend(each.as_flattened().first_chunk());
        }
    }
    let key = |(group, limits): (&'a str, BTreeSet<[u64; 12]>)| {
        let words = limits.into_iter().flatten().flat_map(u64::to_le_bytes);
        (group, fnv(group.bytes().chain(words)).max(1))
    };
    limits.into_iter().map(key).collect()
}

/// FNV-1a (Fowler, Noll, Vo): the same at every node and every start. The seed of the packet path's hash, not this, keeps
/// collisions from being computed.
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Compiles one target's rates.
struct Rates<'a> {
    target: &'a str,
    tick_hz: u32,
    log: &'a mut Log,
}

impl Rates<'_> {
    fn limits(&mut self, of: &str, limits: &RateLimits, cell: Cell) -> Limits {
        let mut one = |what: &str, rate: &Option<Rate>, unit| match rate {
            Some(rate) => self.limit(&format!("{of}, {what}"), rate, cell, unit),
            None => Limit::default(),
        };
        Limits {
            packets: one("packets", &limits.packets, Unit::Packets),
            bytes: one("bytes", &limits.bytes, Unit::Bytes),
            syns: one("connections", &limits.connections, Unit::Packets),
        }
    }

    fn limit(&mut self, name: &str, rate: &Rate, cell: Cell, unit: Unit) -> Limit {
        let (target, limit) = (self.target.to_owned(), name.to_owned());
        match limits::compile(rate, cell, unit, self.tick_hz) {
            Ok(compiled) => {
                if let Some(raised) = compiled.raised_burst {
                    self.log.warnings.push(Warning::RaisedBurst { target, limit, asked: rate.burst, raised });
                }
                compiled.limit
            }
            Err(source) => {
                self.log.errors.push(CompileError::Limit { target, limit, source });
                Limit::default()
            }
        }
    }
}
