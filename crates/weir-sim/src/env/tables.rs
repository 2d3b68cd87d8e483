//! Reading an image's tables by index and key. Its vectors are sorted, so they are searched as they are; only addresses have an index.

use std::collections::HashMap;
use std::ops::Range;

use weir_abi::{Addr, Lengths6, Part4, PrefixEntry, PrefixKey, TargetPolicy};
use weir_policy::TableImage;
use weir_policy::lists::prefix_order;

/// What ids without a policy ask for.
static NONE: TargetPolicy = TargetPolicy::NONE;

pub(super) fn part4(image: &TableImage, number: u32) -> Option<&Part4> {
    let parts = &image.lists.parts4;
    parts.binary_search_by_key(&number, |(n, _)| *n).ok().map(|at| &parts[at].1)
}

pub(super) fn lengths(image: &TableImage, key: u32) -> Option<&Lengths6> {
    let lengths = &image.lists.lengths;
    lengths.binary_search_by_key(&key, |(k, _)| *k).ok().map(|at| &lengths[at].1)
}

pub(super) fn prefix<'a>(image: &'a TableImage, key: &PrefixKey) -> Option<&'a PrefixEntry> {
    let prefixes = &image.lists.prefixes;
    let at = prefixes.binary_search_by_key(&prefix_order(key), |(k, _)| prefix_order(k)).ok()?;
    let (found, entry) = &prefixes[at];
    // The order leaves the padding out; the kernel compares all bytes of a key.
    (found == key).then_some(entry)
}

/// Addresses that have targets, and which of an image's entries are theirs. Each packet's two are looked up.
pub(super) type Addresses = HashMap<Addr, Range<usize>, foldhash::fast::FixedState>;

/// Those of an image, whose entries are sorted by address.
pub(super) fn addresses(image: &TableImage) -> Addresses {
    let mut addresses = Addresses::default();
    for (at, (key, _)) in image.targets.iter().enumerate() {
        addresses.entry(key.addr).or_insert(at..at).end = at + 1;
    }
    addresses
}

/// The policy at an index of the one copy there is: an environment changes its tables between two packets, never under one.
pub(super) fn policy(image: &TableImage, index: u32, targets: u32) -> Option<&TargetPolicy> {
    (index < targets).then(|| image.policies.get(index as usize).unwrap_or(&NONE))
}
