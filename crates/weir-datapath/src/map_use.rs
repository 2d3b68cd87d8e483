//! How full the maps are and what memory they take, for people and metrics.

use std::os::fd::{AsRawFd, BorrowedFd};

use weir_abi::maps;
use weir_policy::image::TableImage;

use crate::error::{DatapathError, Result, sys as failed};
use crate::object::Object;
use crate::sys;

/// One map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapUse {
    /// Its name.
    pub name: &'static str,
    /// Entries in use; of an array, all it has.
    pub entries: u64,
    /// Entries that fit.
    pub capacity: u64,
    /// Memory that the kernel has given it.
    pub bytes: u64,
}

/// All pinned maps but the ring of samples, which holds bytes and no entries.
pub fn of(object: &Object, image: &TableImage) -> Result<Vec<MapUse>> {
    let held = |name| match name {
        maps::PARTS4 => Some(image.lists.parts4.len()),
        maps::LENGTHS => Some(image.lists.lengths.len()),
        maps::PREFIXES => Some(image.lists.prefixes.len()),
        maps::TARGETS => Some(image.targets.len()),
        // Two copies.
        maps::POLICIES => Some(2 * image.policies.len()),
        _ => None,
    };
    let names = maps::PINNED.into_iter().filter(|name| *name != maps::SAMPLES);
    names
        .map(|name| {
            let map = object.map(name)?;
            let info = sys::map_info(map).map_err(|e| failed(format!("asking for the size of {name}"), e))?;
            let capacity = u64::from(info.entries) * u64::from(maps::per_entry(name));
            Ok(MapUse { name, entries: held(name).map_or(capacity, |n| n as u64), capacity, bytes: memory(map)? })
        })
        .collect()
}

/// The kernel's own account of a map's memory.
fn memory(map: BorrowedFd<'_>) -> Result<u64> {
    let path = std::path::PathBuf::from(format!("/proc/self/fdinfo/{}", map.as_raw_fd()));
    let text = std::fs::read_to_string(&path).map_err(|source| DatapathError::File { path, source })?;
    Ok(memlock(&text).unwrap_or(0))
}

fn memlock(fdinfo: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    //! A descriptor's description.
    use super::memlock;

    #[test]
    fn the_memory_is_found_among_the_rest() {
        assert_eq!(memlock("pos:\t0\nmap_type:\t1\nmemlock:\t4096\nmap_id:\t7\n"), Some(4096));
        assert_eq!(memlock("pos:\t0\n"), None);
    }
}
