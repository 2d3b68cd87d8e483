//! The targets' own lists: equal combinations of sets are one list, and keep their number while they are in use.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::problem::{CompileError, Log};
use crate::image::TableImage;
use crate::lists::ListError;
use crate::model::{Policy, Scope};

/// Lists by their sets.
#[derive(Debug, Default)]
pub(super) struct Own {
    ids: BTreeMap<Vec<u32>, u16>,
}

/// Numbers the combinations of sets that targets name.
pub(super) fn assign(policy: &Policy, room: usize, previous: Option<&TableImage>, log: &mut Log) -> Own {
    let mut wanted = BTreeSet::new();
    for target in &policy.targets {
        for &set in &target.lists {
            if policy.sets.get(set).is_none() {
                log.errors.push(CompileError::UnknownSet { target: target.name.clone(), set });
            }
        }
        wanted.insert(sorted(&target.lists));
    }
    wanted.remove(&Vec::new());
    check_room(policy, &wanted, room, log);

    let known: HashMap<&[String], u16> =
        previous.iter().flat_map(|p| &p.names.lists).map(|(id, sets)| (sets.as_slice(), *id)).collect();
    let avoid: BTreeSet<u16> = known.values().copied().collect();
    let kept: BTreeMap<Vec<u32>, u16> =
        wanted.iter().filter_map(|sets| Some((sets.clone(), *known.get(names(policy, sets).as_slice())?))).collect();
    let taken: BTreeSet<u16> = kept.values().copied().collect();
    // Numbers that the image in force does not use come first, then those that it no longer needs.
    let mut free = (1..=u16::MAX).filter(|id| !avoid.contains(id)).chain(avoid.difference(&taken).copied());
    let mut own = Own::default();
    for sets in wanted {
        // There are as many numbers as targets can be.
        let Some(id) = kept.get(&sets).copied().or_else(|| free.next()) else { continue };
        own.ids.insert(sets, id);
    }
    own
}

fn sorted(sets: &[u32]) -> Vec<u32> {
    let unique: BTreeSet<u32> = sets.iter().copied().collect();
    unique.into_iter().collect()
}

/// Names of sets, sorted: their numbers may change between two compilations.
fn names(policy: &Policy, sets: &[u32]) -> Vec<String> {
    let mut names: Vec<String> = sets.iter().map(|set| policy.sets.show(*set)).collect();
    names.sort_unstable();
    names
}

/// A set in many combinations is written as often: refuse before memory is gone.
fn check_room(policy: &Policy, wanted: &BTreeSet<Vec<u32>>, room: usize, log: &mut Log) {
    if wanted.is_empty() {
        return;
    }
    let mut sizes: HashMap<u32, usize> = HashMap::new();
    for entry in &policy.lists {
        if let Scope::Set(set) = entry.scope {
            *sizes.entry(set).or_default() += 1;
        }
    }
    let size = |sets: &Vec<u32>| sets.iter().map(|set| sizes.get(set).copied().unwrap_or(0)).sum::<usize>();
    let total: usize = wanted.iter().map(size).sum();
    if total > room {
        let largest = wanted.iter().max_by_key(|sets| size(sets)).map(|sets| names(policy, sets)).unwrap_or_default();
        log.errors.push(CompileError::TooManyOwnEntries { sets: largest, wanted: total, room });
    }
}

impl Own {
    /// The list of a target; 0: none.
    pub fn id(&self, sets: &[u32]) -> u16 {
        self.ids.get(&sorted(sets)).copied().unwrap_or(0)
    }

    /// Lists and their sets, by number.
    pub fn compositions(&self) -> Vec<(u16, Vec<u32>)> {
        let mut out: Vec<_> = self.ids.iter().map(|(sets, id)| (*id, sets.clone())).collect();
        out.sort_unstable();
        out
    }

    /// Lists and the names of their sets, by number.
    pub fn names(&self, policy: &Policy) -> Vec<(u16, Vec<String>)> {
        self.compositions().into_iter().map(|(id, sets)| (id, names(policy, &sets))).collect()
    }

    /// An error of the lists with the name of whoever caused it.
    pub fn name_error(&self, policy: &Policy, source: ListError) -> CompileError {
        let name = match &source {
            ListError::WideTimed { rule, .. } | ListError::TimedNeverBlock { rule, .. } => policy.names.show(*rule),
            ListError::TooManyLengths { list: 0, .. } => "the node's list".to_owned(),
            ListError::TooManyLengths { list, .. } => {
                let sets = self.ids.iter().find(|(_, id)| *id == list).map(|(sets, _)| names(policy, sets));
                format!("the list of {}", sets.unwrap_or_default().join(", "))
            }
        };
        CompileError::List { name, source }
    }
}
