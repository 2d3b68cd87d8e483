//! Whether a change fits. What is taken out goes last, so for a while there must be room for old and new together.

use std::os::fd::BorrowedFd;

use weir_abi::maps;
use weir_policy::compile::target_order;
use weir_policy::diff::Step;
use weir_policy::image::TableImage;
use weir_policy::lists::prefix_order;

use crate::error::{DatapathError, Result, sys as failed};
use crate::sys;

/// How many entries fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub parts4: u32,
    pub lengths: u32,
    pub prefixes: u32,
    pub targets: u32,
    pub policies: u32,
}

/// What a map was made for.
pub fn capacity(map: BorrowedFd<'_>, name: &str) -> Result<u32> {
    sys::map_info(map).map(|info| info.entries).map_err(|e| failed(format!("asking for the size of {name}"), e))
}

impl Room {
    /// Refuses steps that could not be carried out to the end, before any of them is.
    pub fn check(&self, image: &TableImage, steps: &[Step]) -> Result<()> {
        let lists = &image.lists;
        let parts4 =
            steps.iter().filter_map(|step| if let Step::PutParts4(put) = step { Some(&put[..]) } else { None });
        fits(maps::PARTS4, self.parts4, &lists.parts4, parts4, |number| *number)?;
        let lengths =
            steps.iter().filter_map(|step| if let Step::PutLengths(put) = step { Some(&put[..]) } else { None });
        fits(maps::LENGTHS, self.lengths, &lists.lengths, lengths, |key| *key)?;
        let prefixes =
            steps.iter().filter_map(|step| if let Step::PutPrefixes(put) = step { Some(&put[..]) } else { None });
        fits(maps::PREFIXES, self.prefixes, &lists.prefixes, prefixes, prefix_order)?;
        let targets =
            steps.iter().filter_map(|step| if let Step::PutTargets(put) = step { Some(&put[..]) } else { None });
        fits(maps::TARGETS, self.targets, &image.targets, targets, target_order)?;
        let policies =
            steps.iter().filter_map(|step| if let Step::Policies(all) = step { Some(all.len()) } else { None });
        match policies.max() {
            Some(entries) if entries > self.policies as usize => too_many(maps::POLICIES, entries, self.policies),
            _ => Ok(()),
        }
    }
}

/// `held` is sorted; several steps may put the same key.
fn fits<'a, K: 'a, V: 'a, O: Ord>(
    map: &'static str,
    capacity: u32,
    held: &[(K, V)],
    puts: impl Iterator<Item = &'a [(K, V)]> + Clone,
    order: impl Fn(&K) -> O,
) -> Result<()> {
    if held.len() + puts.clone().map(<[_]>::len).sum::<usize>() <= capacity as usize {
        return Ok(());
    }
    let is_new = |key: &O| held.binary_search_by(|(held, _)| order(held).cmp(key)).is_err();
    let mut new: Vec<O> = puts.flatten().map(|(key, _)| order(key)).filter(is_new).collect();
    new.sort_unstable();
    new.dedup();
    let entries = held.len() + new.len();
    if entries <= capacity as usize { Ok(()) } else { too_many(map, entries, capacity) }
}

fn too_many(map: &'static str, entries: usize, capacity: u32) -> Result<()> {
    Err(DatapathError::TooMany { map, entries, capacity })
}

#[cfg(test)]
mod tests {
    //! A table for three entries that holds two.
    use super::*;

    fn check(puts: &[&[(u32, ())]]) -> bool {
        fits("T", 3, &[(1, ()), (5, ())], puts.iter().copied(), |key| *key).is_ok()
    }

    #[test]
    fn what_is_replaced_and_what_comes_twice_needs_no_room() {
        assert!(check(&[&[(1, ()), (5, ()), (7, ())], &[(7, ())]]));
        assert!(!check(&[&[(6, ())], &[(7, ())]]));
        assert!(check(&[]));
    }
}
