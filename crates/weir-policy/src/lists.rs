//! Compiling allow, deny and never-block entries into the tables of the packet path.
//!
//! The longest prefix that counts decides; allow beats deny at equal length; never-block beats everything. All of that is
//! resolved here, so that the packet path has one load for most addresses and never compares entries.
//!
//! Entries are sorted by address and length, entries of one prefix are merged (`group`), and one `sweep` with a stack of
//! enclosing prefixes tells a sink which addresses to paint with which state and which prefixes to put into the exact map.
//! What differs between IPv4 (`four`), IPv6 (`six`) and targets' own lists (`own`) is the sink.

mod fit;
mod four;
mod group;
mod item;
pub(crate) mod lens;
mod own;
pub(crate) mod six;
mod sweep;
pub(crate) mod words;

use thiserror::Error;
use weir_abi::prefix::MAX_LENGTHS;
use weir_abi::{PrefixEntry, PrefixKey};

use crate::image::ListImage;
use crate::model::{ListEntry, Verdict};
use crate::prefix::Prefix;
use item::Parts;

/// The longest IPv6 prefix length below which a timed entry in 2000::/3 would take more than 2,048 slots.
pub const SHORTEST_TIMED6: u8 = 16;

/// How many entries may be added to one slot or list so that it needs fewer distinct prefix lengths.
pub const MAX_EXPANSION: u64 = 4096;

/// Compiled lists.
#[derive(Clone, Debug)]
pub struct Lists {
    /// The tables.
    pub image: ListImage,
    /// The tick from which the tables may be behind the entries and must be compiled again; none: they stay right, whatever
    /// expires. It takes two entries of one prefix, of which the one that wins expires first: one key holds one of them.
    pub exact_until: Option<u64>,
}

/// Why lists cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ListError {
    /// A timed IPv6 entry is too wide.
    #[error(
        "{prefix} until a stated time is wider than the /{SHORTEST_TIMED6} that IPv6 entries with an expiry may be; \
         split it, or give it no expiry"
    )]
    WideTimed {
        /// The entry.
        prefix: Prefix,
        /// Its rule.
        rule: u32,
    },
    /// A never-block entry has an expiry.
    #[error("{prefix} is never to be blocked, but only until a stated time; use allow for that, or give it no expiry")]
    TimedNeverBlock {
        /// The entry.
        prefix: Prefix,
        /// Its rule.
        rule: u32,
    },
    /// Too many distinct lengths.
    #[error(
        "{place} has entries of {} different prefix lengths ({}), {MAX_LENGTHS} are possible; write some as several longer \
         ones or as a shorter one",
        .lens.len(),
        .lens.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
    )]
    TooManyLengths {
        /// The list; 0: the node's.
        list: u16,
        /// The IPv6 block, or the family.
        place: String,
        /// The lengths, longest first, as people write them.
        lens: Vec<u8>,
    },
}

/// Compiles the node's list and the targets' own lists at kernel tick `now`: what has expired by then is left out.
///
/// `lists` are the targets' own lists: list id (from 1, ascending) and the sets whose entries make it up.
pub fn compile(entries: &[ListEntry], lists: &[(u16, Vec<u32>)], now: u64) -> Result<Lists, Vec<ListError>> {
    let errors = check(entries);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut parts = Parts::of(entries, lists, now);
    let mut until = u64::MAX;

    let four = four::compile(&mut parts.node.four, &mut until);
    drop(std::mem::take(&mut parts.node.four));
    let mut six = six::compile(&mut parts.node.six, &mut until);
    drop(std::mem::take(&mut parts.node.six));
    let mut own: Vec<own::Run> = Vec::new();
    for (list, items) in &mut parts.own {
        own.push(own::compile(*list, false, &mut items.four, &mut until));
        own.push(own::compile(*list, true, &mut items.six, &mut until));
    }

    let mut fit = fit::Fit::default();
    six.fit(&mut fit);
    own.iter_mut().for_each(|run| run.fit(&mut fit));
    if !fit.errors.is_empty() {
        return Err(fit.errors);
    }
    until = until.min(fit.until);

    let mut lengths = six.lengths;
    lengths.extend(own.iter().filter_map(own::Run::lengths));
    let mut prefixes = join(four.prefixes, six.prefixes);
    for pair in own.chunks_mut(2) {
        let [v4, v6] = pair else { continue };
        prefixes.append(&mut join(std::mem::take(&mut v4.prefixes), std::mem::take(&mut v6.prefixes)));
    }
    let image = ListImage {
        slots4: four.slots,
        parts4: four.parts,
        slots6: six.slots,
        lengths,
        prefixes,
        wide_lens4: four.wide_lens,
    };
    Ok(Lists { image, exact_until: (until != u64::MAX).then_some(until) })
}

/// The order of [`ListImage::prefixes`]: by list, then address, then length.
pub fn prefix_order(key: &PrefixKey) -> (u16, u64, u64, u8) {
    (key.list, key.addr.hi, key.addr.lo, key.len)
}

/// Entries that no table can hold.
fn check(entries: &[ListEntry]) -> Vec<ListError> {
    let timed = entries.iter().filter(|e| e.expires.is_some());
    timed
        .filter_map(|&ListEntry { prefix, rule, verdict, .. }| {
            // Outside 2000::/3 there is one slot for all, so width costs nothing there.
            let wide = !prefix.is_v4() && prefix.len() < SHORTEST_TIMED6 && six::touches_slots(prefix);
            if verdict == Verdict::NeverBlock {
                Some(ListError::TimedNeverBlock { prefix, rule })
            } else if wide {
                Some(ListError::WideTimed { prefix, rule })
            } else {
                None
            }
        })
        .collect()
}

/// The two families of one list in one order: all of IPv4 lies between two IPv6 addresses that are no IPv6 entry's.
fn join(four: Vec<(PrefixKey, PrefixEntry)>, mut six: Vec<(PrefixKey, PrefixEntry)>) -> Vec<(PrefixKey, PrefixEntry)> {
    let Some((first, _)) = four.first() else { return six };
    let at = six.partition_point(|(key, _)| prefix_order(key) < prefix_order(first));
    if six.is_empty() {
        return four;
    }
    six.splice(at..at, four);
    six
}
