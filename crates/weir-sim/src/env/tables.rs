//! Reading an image's tables by index and key. Its vectors are sorted, so they are searched as they are.

use weir_abi::{Addr, Lengths6, Part4, PrefixEntry, PrefixKey, TargetKey, TargetPolicy};
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

/// Where the targets of an address stand.
pub(super) fn targets_of(image: &TableImage, addr: Addr) -> (usize, usize) {
    let order = |key: &TargetKey| (key.addr.hi, key.addr.lo);
    let from = image.targets.partition_point(|(key, _)| order(key) < (addr.hi, addr.lo));
    let rest = image.targets.get(from..).unwrap_or_default();
    (from, from + rest.iter().take_while(|(key, _)| key.addr == addr).count())
}

/// The policy at an index of the one copy there is: an environment changes its tables between two packets, never under one.
pub(super) fn policy(image: &TableImage, index: u32, targets: u32) -> Option<&TargetPolicy> {
    (index < targets).then(|| image.policies.get(index as usize).unwrap_or(&NONE))
}
