//! What adopted tables hold, read from the kernel: a new agent continues from there, by differences.

use std::os::fd::BorrowedFd;

use weir_abi::{maps, Lengths6, Part4, PrefixEntry, PrefixKey, TargetKey};
use weir_policy::compile::target_order;
use weir_policy::lists::prefix_order;
use weir_policy::image::{ListImage, Names, TableImage};

use crate::error::{sys, Result};
use crate::plain::Plain;
use crate::sys as bpf;
use crate::tables::Tables;

impl Tables {
    /// Reads the image back from the kernel and continues from it.
    pub fn read_back(&mut self) -> Result<()> {
        let config = self.config();
        let base = (config.policy_copy & 1) as usize * self.sizes().targets as usize;
        let words = |m: &crate::mapped::Mapped<u64>| (0..m.len()).map(|i| m.get(i)).collect::<Vec<u64>>();
        let targets: Vec<(TargetKey, u32)> = sorted(self.targets_fd(), maps::TARGETS, target_order)?;
        let used = targets.iter().map(|(_, id)| (id & !weir_abi::target::OWNER_ONLY) + 1).max().unwrap_or(0);
        let image = TableImage {
            lists: ListImage {
                slots4: words(self.slots4()),
                parts4: sorted::<u32, Part4, _>(self.parts4_fd(), maps::PARTS4, |k| *k)?,
                slots6: words(self.slots6()),
                lengths: sorted::<u32, Lengths6, _>(self.lengths_fd(), maps::LENGTHS, |k| *k)?,
                prefixes: sorted::<PrefixKey, PrefixEntry, _>(self.prefixes_fd(), maps::PREFIXES, prefix_order)?,
                wide_lens4: config.wide_lens4,
            },
            failsafe: words(self.failsafe()),
            targets,
            policies: (0..used as usize).map(|i| self.policy(base + i)).collect(),
            rules: Box::new(self.rule_tables(config.rules_copy as usize & 1)),
            node_flags: config.flags,
            names: Names::default(),
        };
        self.set_image(image);
        Ok(())
    }
}

/// All entries of a hash in the order that images have them in.
fn sorted<K, V, O: Ord>(fd: BorrowedFd<'_>, name: &str, order: impl Fn(&K) -> O) -> Result<Vec<(K, V)>>
where
    K: Plain + Default + Copy + PartialEq,
    V: Plain + Default + Copy,
{
    let mut all = bpf::read_all::<K, V>(fd).map_err(|e| sys(format!("reading {name} back"), e))?;
    all.sort_unstable_by_key(|(k, _)| order(k));
    all.dedup_by_key(|(k, _)| *k);
    Ok(all)
}
