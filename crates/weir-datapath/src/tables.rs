//! The tables in the kernel, as user space writes them: arrays through mmap, hashes in batches.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{addr_of_mut, write_volatile};
use std::sync::atomic::{fence, Ordering};
use std::time::{Duration, Instant};

use weir_abi::config::FAILSAFE_WORDS;
use weir_abi::prefix::{SLOTS4_WORDS, SLOTS6_WORDS};
use weir_abi::{maps, Config, RuleTables, TargetPolicy, ABI_VERSION};
use weir_policy::diff::{diff, Diff, Step};
use weir_policy::image::TableImage;

use crate::clock;
use crate::error::{sys, DatapathError, Result};
use crate::mapped::Mapped;
use crate::object::{Object, Sizes};
use crate::sys as bpf;

/// What applying tables came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyReport {
    /// Elements written or removed.
    pub changes: usize,
    /// How long it took, the comparison included.
    pub elapsed: Duration,
}

/// The tables of a loaded object.
pub struct Tables {
    config: Mapped<Config>,
    slots4: Mapped<u64>,
    slots6: Mapped<u64>,
    failsafe: Mapped<u64>,
    policies: Mapped<TargetPolicy>,
    rules: Mapped<RuleTables>,
    parts4: OwnedFd,
    lengths: OwnedFd,
    prefixes: OwnedFd,
    targets: OwnedFd,
    sizes: Sizes,
    image: TableImage,
    last_flip: Option<Instant>,
}

impl Tables {
    /// Opens the tables of an object. `image` is what they hold: empty after a fresh load.
    pub fn new(object: &Object, sizes: &Sizes, image: TableImage) -> Result<Self> {
        let own = |name: &str| -> Result<OwnedFd> {
            object.map(name)?.try_clone_to_owned().map_err(|e| sys(format!("duplicating map {name}"), e))
        };
        let tables = Self {
            config: map(object, maps::CONFIG, 1)?,
            slots4: map(object, maps::SLOTS4, SLOTS4_WORDS)?,
            slots6: map(object, maps::SLOTS6, SLOTS6_WORDS)?,
            failsafe: map(object, maps::FAILSAFE, FAILSAFE_WORDS)?,
            policies: map(object, maps::POLICIES, 2 * sizes.targets)?,
            rules: map(object, maps::RULES, 2)?,
            parts4: own(maps::PARTS4)?,
            lengths: own(maps::LENGTHS)?,
            prefixes: own(maps::PREFIXES)?,
            targets: own(maps::TARGETS)?,
            sizes: *sizes,
            image,
            last_flip: None,
        };
        Ok(tables)
    }

    /// Sets up a fresh configuration block: sizes, random seeds, no sampling.
    pub fn initialise(&self) -> Result<()> {
        let mut seed = [0u64; 2];
        for word in &mut seed {
            *word = random()?;
        }
        self.configure(|c| {
            c.abi = ABI_VERSION;
            c.flags = 0;
            c.policy_copy = 0;
            c.rules_copy = 0;
            c.generation = 1;
            c.targets = self.sizes.targets;
            c.source_mask = self.sizes.source_lines - 1;
            c.fragment_mask = self.sizes.fragment_slots - 1;
            c.seed = seed;
            c.wide_lens4 = 0;
            c.sample_pass_mask = u32::MAX;
            c.sample_drop_mask = u32::MAX;
            c.samples_per_tick = 8;
            c.fragment_timeout = clock::coarse(Duration::from_secs(30));
            c.cpus = self.sizes.cpus;
        });
        Ok(())
    }

    /// The configuration block as it is.
    pub fn config(&self) -> Config {
        self.config.get(0)
    }

    /// Changes the configuration block; each changed field is one store.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        let old = self.config.get(0);
        let mut new = old;
        change(&mut new);
        let at = self.config.ptr(0);
        macro_rules! store {
            ($($field:ident),*) => {$(
                if old.$field != new.$field {
                    // SAFETY: `at` is the one element of the mapped array; the field is aligned and the store is whole.
                    unsafe { write_volatile(addr_of_mut!((*at).$field), new.$field) }
                }
            )*};
        }
        store!(
            abi, policy_copy, rules_copy, generation, targets, source_mask, fragment_mask, seed, wide_lens4,
            sample_pass_mask, sample_drop_mask, samples_per_tick, fragment_timeout, cpus, flags
        );
    }

    /// What is in force.
    pub fn image(&self) -> &TableImage {
        &self.image
    }

    /// Puts an image in force, by the difference to what is. Packets go on meanwhile and meet the old or the new state.
    pub fn apply(&mut self, image: &TableImage) -> Result<ApplyReport> {
        let start = Instant::now();
        self.check_capacity(image)?;
        let difference = diff(&self.image, image);
        let changes = difference.changes();
        for step in &difference.steps {
            self.carry_out(step)?;
        }
        self.image = image.clone();
        Ok(ApplyReport { changes, elapsed: start.elapsed() })
    }

    /// Carries out a small change that was computed against [`Self::image`], without comparing whole images.
    pub fn patch(&mut self, change: Diff) -> Result<ApplyReport> {
        let start = Instant::now();
        for step in &change.steps {
            self.carry_out(step)?;
        }
        // The kernel first: the packets wait for that, the copy here does not.
        let elapsed = start.elapsed();
        let changes = change.changes();
        change.apply(&mut self.image);
        Ok(ApplyReport { changes, elapsed })
    }

    /// Refuses before anything is changed what cannot fit.
    fn check_capacity(&self, image: &TableImage) -> Result<()> {
        let checks = [
            (maps::PARTS4, image.lists.parts4.len(), self.sizes.parts),
            (maps::LENGTHS, image.lists.lengths.len(), 1 << 20),
            (maps::PREFIXES, image.lists.prefixes.len(), self.sizes.prefixes),
            (maps::TARGETS, image.targets.len(), 1 << 16),
            (maps::POLICIES, image.policies.len(), self.sizes.targets),
        ];
        for (map, entries, capacity) in checks {
            if entries > capacity as usize {
                return Err(DatapathError::TooMany { map, entries, capacity });
            }
        }
        Ok(())
    }

    pub(crate) fn sizes(&self) -> &Sizes {
        &self.sizes
    }
    pub(crate) fn slots4(&self) -> &Mapped<u64> {
        &self.slots4
    }
    pub(crate) fn slots6(&self) -> &Mapped<u64> {
        &self.slots6
    }
    pub(crate) fn failsafe(&self) -> &Mapped<u64> {
        &self.failsafe
    }
    pub(crate) fn parts4_fd(&self) -> BorrowedFd<'_> {
        self.parts4.as_fd()
    }
    pub(crate) fn lengths_fd(&self) -> BorrowedFd<'_> {
        self.lengths.as_fd()
    }
    pub(crate) fn prefixes_fd(&self) -> BorrowedFd<'_> {
        self.prefixes.as_fd()
    }
    pub(crate) fn targets_fd(&self) -> BorrowedFd<'_> {
        self.targets.as_fd()
    }
    pub(crate) fn policy(&self, i: usize) -> TargetPolicy {
        self.policies.get(i)
    }
    pub(crate) fn rule_tables(&self, copy: usize) -> RuleTables {
        self.rules.get(copy)
    }
    pub(crate) fn set_image(&mut self, image: TableImage) {
        self.image = image;
    }

    fn carry_out(&mut self, step: &Step) -> Result<()> {
        // What is written by mmap before a system call or a flag must be seen before it.
        fence(Ordering::SeqCst);
        match step {
            Step::Flags(flags) => self.configure(|c| c.flags = *flags),
            Step::Failsafe(words) => words.iter().for_each(|(i, w)| self.failsafe.set(*i as usize, *w)),
            Step::Slots4(words) => words.iter().for_each(|(i, w)| self.slots4.set(*i as usize, *w)),
            Step::Slots6(words) => words.iter().for_each(|(i, w)| self.slots6.set(*i as usize, *w)),
            Step::WideLens4(lens) => self.configure(|c| c.wide_lens4 = *lens),
            Step::PutParts4(parts) => put(self.parts4.as_fd(), maps::PARTS4, parts)?,
            Step::RemoveParts4(keys) => remove(self.parts4.as_fd(), maps::PARTS4, keys)?,
            Step::PutLengths(lengths) => put(self.lengths.as_fd(), maps::LENGTHS, lengths)?,
            Step::RemoveLengths(keys) => remove(self.lengths.as_fd(), maps::LENGTHS, keys)?,
            Step::PutPrefixes(prefixes) => put(self.prefixes.as_fd(), maps::PREFIXES, prefixes)?,
            Step::RemovePrefixes(keys) => remove(self.prefixes.as_fd(), maps::PREFIXES, keys)?,
            Step::Rules(rules) => self.flip_rules(rules),
            Step::Policies(policies) => self.flip_policies(policies),
            Step::PutTargets(targets) => {
                put(self.targets.as_fd(), maps::TARGETS, targets)?;
                self.forget_targets();
            }
            Step::RemoveTargets(keys) => {
                remove(self.targets.as_fd(), maps::TARGETS, keys)?;
                self.forget_targets();
            }
            Step::Names(_) => {}
        }
        Ok(())
    }

    /// CPUs remember answers of the target map; a new generation makes them ask again.
    fn forget_targets(&self) {
        self.configure(|c| c.generation = c.generation.wrapping_add(1).max(1));
    }

    fn flip_rules(&mut self, rules: &RuleTables) {
        self.wait_for_readers();
        let next = self.config().rules_copy ^ 1;
        self.rules.set(next as usize & 1, rules.clone());
        fence(Ordering::SeqCst);
        self.configure(|c| c.rules_copy = next & 1);
        self.last_flip = Some(Instant::now());
    }

    fn flip_policies(&mut self, policies: &[TargetPolicy]) {
        self.wait_for_readers();
        let next = self.config().policy_copy ^ 1;
        let base = (next & 1) as usize * self.sizes.targets as usize;
        for i in 0..self.sizes.targets as usize {
            self.policies.set(base + i, policies.get(i).copied().unwrap_or(TargetPolicy::NONE));
        }
        fence(Ordering::SeqCst);
        self.configure(|c| c.policy_copy = next & 1);
        self.last_flip = Some(Instant::now());
    }

    /// The copy about to be written may still be read by packets that began before the last flip. A packet takes microseconds;
    /// a millisecond is a thousand times that, and two flips within one are rare.
    fn wait_for_readers(&self) {
        const GRACE: Duration = Duration::from_millis(1);
        if let Some(left) = self.last_flip.and_then(|at| GRACE.checked_sub(at.elapsed())) {
            std::thread::sleep(left);
        }
    }
}

/// Maps an array of the object.
pub(crate) fn map<T: crate::plain::Plain>(object: &Object, name: &'static str, len: u32) -> Result<Mapped<T>> {
    Mapped::new(object.map(name)?, len as usize).map_err(|e| sys(format!("mapping {name} into memory"), e))
}

fn put<K: crate::plain::Plain + Copy, V: crate::plain::Plain + Copy>(fd: BorrowedFd<'_>, name: &str, entries: &[(K, V)]) -> Result<()> {
    // In pieces, so that a million entries need no second copy of themselves.
    for piece in entries.chunks(1 << 16) {
        let keys: Vec<K> = piece.iter().map(|(k, _)| *k).collect();
        let values: Vec<V> = piece.iter().map(|(_, v)| *v).collect();
        bpf::update_all(fd, &keys, &values).map_err(|e| sys(format!("writing {} entries of {name}", entries.len()), e))?;
    }
    Ok(())
}

fn remove<K: crate::plain::Plain>(fd: BorrowedFd<'_>, name: &str, keys: &[K]) -> Result<()> {
    bpf::delete_all(fd, keys).map_err(|e| sys(format!("removing {} entries of {name}", keys.len()), e))
}

/// A random word from the kernel.
fn random() -> Result<u64> {
    let mut word = 0u64;
    // SAFETY: eight writable bytes.
    let got = unsafe { libc::getrandom(std::ptr::from_mut(&mut word).cast(), 8, 0) };
    if got == 8 { Ok(word) } else { Err(sys("getrandom", std::io::Error::last_os_error())) }
}
