//! What the tables hold, read from the kernel: a new agent continues from there, by differences.

use std::os::fd::BorrowedFd;

use weir_abi::{Lengths6, Part4, PrefixEntry, PrefixKey, TargetKey, TargetPolicy, maps};
use weir_policy::compile::target_order;
use weir_policy::image::{ListImage, TableImage};
use weir_policy::lists::prefix_order;

use crate::error::{Result, sys};
use crate::mapped::Mapped;
use crate::plain::Plain;
use crate::sys as bpf;
use crate::tables::Tables;

impl Tables {
    /// Reads the image back from the kernel and continues from it. Names stay what they were here: the kernel has none.
    pub fn read_back(&mut self) -> Result<()> {
        let config = self.config();
        let targets: Vec<(TargetKey, u32)> = sorted(self.targets_fd(), maps::TARGETS, target_order)?;
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
            policies: self.policies_in_force(&targets),
            targets,
            rules: Box::new(self.rule_tables(config.rules_copy as usize & 1)),
            node_flags: config.flags,
            names: self.image().names.clone(),
        };
        self.set_image(image);
        Ok(())
    }

    /// The copy that counts, up to the last target that a destination leads to or that asks for something; the node's own at
    /// least, as images have it.
    fn policies_in_force(&self, targets: &[(TargetKey, u32)]) -> Vec<TargetPolicy> {
        let all = self.sizes().targets as usize;
        let base = (self.config().policy_copy & 1) as usize * all;
        let mut policies: Vec<TargetPolicy> = (0..all).map(|i| self.policy(base + i)).collect();
        let led_to = targets.iter().map(|(_, id)| *id as usize + 1).max().unwrap_or(0);
        let asking = policies.iter().rposition(|policy| *policy != TargetPolicy::NONE).map_or(0, |last| last + 1);
        policies.truncate(led_to.max(asking).max(1));
        policies
    }
}

fn words(mapped: &Mapped<u64>) -> Vec<u64> {
    (0..mapped.len()).map(|i| mapped.get(i)).collect()
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
