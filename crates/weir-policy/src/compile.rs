//! From a policy to the tables of the packet path. All that is wrong is reported at once, each with its object's name.
//!
//! Compiled against the image that is in force, the new one keeps its ids: a target keeps its counters, a rule its slot, a
//! list its number. New things take numbers that the old image does not use, so that [`crate::diff()`] can have both in force
//! while one replaces the other.

mod names;
mod own;
mod policies;
mod problem;
pub(crate) mod targets;

pub use targets::target_order;

pub use problem::{CompileError, CompileErrors, Warning};

use weir_abi::config::{FAILSAFE_WORDS, node_flag};
use weir_abi::prefix::SLOT6_OUTSIDE;

use crate::image::{ListImage, Names, TableImage};
use crate::lists;
use crate::model::{Policy, Proto};
use crate::rules;

/// What the kernel and its tables allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileOptions {
    /// Ticks per second (CONFIG_HZ of the running kernel).
    pub tick_hz: u32,
    /// Target ids, id 0 (the node) included: the size of the policy table. At most 65,536.
    pub max_targets: u32,
    /// How many entries the targets' own lists may have together; sets count once in each list that they are part of.
    pub max_own_entries: usize,
    /// The kernel's tick now: what has expired by then is left out.
    pub now: u64,
}

impl CompileOptions {
    /// The default sizes.
    pub fn new(tick_hz: u32, now: u64) -> Self {
        Self { tick_hz, max_targets: weir_abi::maps::DEFAULT_TARGETS, max_own_entries: 2_000_000, now }
    }
}

/// A compiled policy.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The tables.
    pub image: TableImage,
    /// What is in force otherwise than it may have been meant.
    pub warnings: Vec<Warning>,
    /// The tick at which the policy must be compiled again, see [`lists::Lists::exact_until`].
    pub exact_until: Option<u64>,
}

/// Compiles a policy; `previous` is the image in force.
pub fn compile(
    policy: &Policy,
    options: &CompileOptions,
    previous: Option<&TableImage>,
) -> Result<Compiled, CompileErrors> {
    let mut log = problem::Log::default();
    let rule_names = names::used(policy, &mut log);
    let ids = targets::assign(policy, options.max_targets, previous, &mut log);
    let target_keys = targets::keys(policy, &ids, &mut log);
    let own = own::assign(policy, options.max_own_entries, previous, &mut log);
    let built = rules::build(&policy.rules, previous.map(|p| &*p.rules));
    for (at, source) in built.errors {
        let name = policy.names.show(policy.rules[at].id);
        log.errors.push(CompileError::Rule { name, rule: policy.rules[at].matches.to_string(), source });
    }
    let mut policies = policies::compile(policy, &ids, &own, options.tick_hz, &mut log);
    policies::give_rules(policy, &ids, &built.slots, &mut policies, &mut log);
    // The lists are the long part: not for a policy that is refused anyway.
    if !log.errors.is_empty() {
        return Err(CompileErrors(log.errors));
    }
    let lists = lists::compile(&policy.lists, &own.compositions(), options.now)
        .map_err(|errors| CompileErrors(errors.into_iter().map(|e| own.name_error(policy, e)).collect()))?;

    let failsafe = failsafe(&policy.failsafe);
    let node_flags = flags(policy, &lists.image, !target_keys.is_empty());
    let names = Names { targets: ids.names(), rules: rule_names, lists: own.names(policy) };
    let image = TableImage {
        lists: lists.image,
        failsafe,
        targets: target_keys,
        policies,
        rules: built.tables,
        node_flags,
        names,
    };
    Ok(Compiled { image, warnings: log.warnings, exact_until: lists.exact_until })
}

/// The bitmap of failsafe ports: TCP, then UDP.
fn failsafe(ports: &[(Proto, u16)]) -> Vec<u64> {
    let mut words = vec![0u64; FAILSAFE_WORDS as usize];
    for &(proto, port) in ports {
        let base = match proto {
            Proto::Tcp => 0,
            Proto::Udp => words.len() / 2,
        };
        words[base + usize::from(port >> 6)] |= 1 << (port & 63);
    }
    words
}

/// The node's flags: what is asked for, and which tables are worth a look.
fn flags(policy: &Policy, lists: &ListImage, targets: bool) -> u32 {
    let has4 = lists.wide_lens4 != 0 || lists.slots4.iter().any(|word| *word != 0);
    let has6 = lists.slots6.iter().any(|word| *word != 0) || lists.lengths.iter().any(|(k, _)| *k <= SLOT6_OUTSIDE);
    [
        (policy.enforce_node, node_flag::ENFORCE),
        (policy.tunnels, node_flag::TUNNELS),
        (policy.drop_malformed, node_flag::MALFORMED),
        (has4, node_flag::LIST4),
        (has6, node_flag::LIST6),
        (targets, node_flag::TARGETS),
        (!policy.failsafe.is_empty(), node_flag::FAILSAFE),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .fold(0, |all, (_, flag)| all | flag)
}
