//! Carrying steps out on an image: what the kernel's loader does to maps. The simulator uses it, and tests hold `diff` to it.

use super::merge::{Pair, pairs};
use super::{Diff, Step};
use crate::compile::targets::target_order;
use crate::image::TableImage;
use crate::lists::prefix_order;

impl Diff {
    /// Carries all steps out.
    pub fn apply(self, image: &mut TableImage) {
        self.steps.into_iter().for_each(|step| step.apply(image));
    }
}

impl Step {
    /// Carries the step out.
    pub fn apply(self, image: &mut TableImage) {
        let lists = &mut image.lists;
        match self {
            Step::Flags(flags) => image.node_flags = flags,
            Step::Failsafe(words) => write(&mut image.failsafe, &words),
            Step::PutParts4(parts) => put(&mut lists.parts4, parts, |(number, _)| *number),
            Step::RemoveParts4(numbers) => remove(&mut lists.parts4, numbers, |(number, _)| *number, |number| *number),
            Step::Slots4(words) => write(&mut lists.slots4, &words),
            Step::WideLens4(lens) => lists.wide_lens4 = lens,
            Step::PutLengths(lengths) => put(&mut lists.lengths, lengths, |(key, _)| *key),
            Step::RemoveLengths(keys) => remove(&mut lists.lengths, keys, |(key, _)| *key, |key| *key),
            Step::Slots6(words) => write(&mut lists.slots6, &words),
            Step::PutPrefixes(prefixes) => put(&mut lists.prefixes, prefixes, |(key, _)| prefix_order(key)),
            Step::RemovePrefixes(keys) => remove(&mut lists.prefixes, keys, |(key, _)| prefix_order(key), prefix_order),
            Step::Rules(rules) => image.rules = rules,
            Step::Policies(policies) => image.policies = policies,
            Step::PutTargets(targets) => put(&mut image.targets, targets, |(key, _)| target_order(key)),
            Step::RemoveTargets(keys) => remove(&mut image.targets, keys, |(key, _)| target_order(key), target_order),
            Step::Names(names) => image.names = *names,
        }
    }

    /// The same change in steps of one element each, in the order in which they are to be carried out.
    pub fn split(self) -> Vec<Step> {
        fn each<T>(elements: Vec<T>, make: fn(Vec<T>) -> Step) -> Vec<Step> {
            elements.into_iter().map(|element| make(vec![element])).collect()
        }
        match self {
            Step::Failsafe(words) => each(words, Step::Failsafe),
            Step::PutParts4(parts) => each(parts, Step::PutParts4),
            Step::RemoveParts4(numbers) => each(numbers, Step::RemoveParts4),
            Step::Slots4(words) => each(words, Step::Slots4),
            Step::PutLengths(lengths) => each(lengths, Step::PutLengths),
            Step::RemoveLengths(keys) => each(keys, Step::RemoveLengths),
            Step::Slots6(words) => each(words, Step::Slots6),
            Step::PutPrefixes(prefixes) => each(prefixes, Step::PutPrefixes),
            Step::RemovePrefixes(keys) => each(keys, Step::RemovePrefixes),
            Step::PutTargets(targets) => each(targets, Step::PutTargets),
            Step::RemoveTargets(keys) => each(keys, Step::RemoveTargets),
            whole @ (Step::Flags(_) | Step::WideLens4(_) | Step::Rules(_) | Step::Policies(_) | Step::Names(_)) => {
                vec![whole]
            }
        }
    }
}

fn write(words: &mut [u64], changes: &[(u32, u64)]) {
    for (index, value) in changes {
        if let Some(word) = words.get_mut(*index as usize) {
            *word = *value;
        }
    }
}

/// Merges elements into a sorted vector.
fn put<T: Copy, K: Ord>(into: &mut Vec<T>, mut new: Vec<T>, key: impl Fn(&T) -> K) {
    // One block more or less is the usual change: no need to write all of it anew.
    if let [element] = new[..] {
        match into.binary_search_by_key(&key(&element), &key) {
            Ok(at) => into[at] = element,
            Err(at) => into.insert(at, element),
        }
        return;
    }
    new.sort_by_key(&key);
    *into = pairs(into, &new, key)
        .map(|pair| match pair {
            Pair::Old(element) | Pair::New(element) | Pair::Both(_, element) => *element,
        })
        .collect();
}

/// Takes elements out of a sorted vector.
fn remove<T, R, K: Ord>(from: &mut Vec<T>, gone: Vec<R>, key: impl Fn(&T) -> K, gone_key: impl Fn(&R) -> K) {
    if let [one] = &gone[..] {
        if let Ok(at) = from.binary_search_by_key(&gone_key(one), key) {
            from.remove(at);
        }
        return;
    }
    let mut gone: Vec<K> = gone.iter().map(gone_key).collect();
    gone.sort_unstable();
    from.retain(|element| gone.binary_search(&key(element)).is_err());
}
