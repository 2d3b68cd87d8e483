//! The tables in the kernel, as user space writes them: arrays through mmap, hashes in batches.

mod grace;
mod looks;
mod room;
mod rounds;
mod steps;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{addr_of_mut, write_volatile};
use std::time::{Duration, Instant};

use weir_abi::challenge::reply;
use weir_abi::config::FAILSAFE_WORDS;
use weir_abi::flow::PENDING_PER_LINE;
use weir_abi::prefix::{SLOTS4_WORDS, SLOTS6_WORDS};
use weir_abi::{ABI_VERSION, Config, RuleTables, TargetPolicy, maps};
use weir_policy::diff::{Diff, diff};
use weir_policy::image::TableImage;

use crate::clock;
use crate::error::{Result, sys};
use crate::mapped::Mapped;
use crate::object::{Object, Sizes};
use grace::Unseen;
use room::Room;

/// What applying tables came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyReport {
    /// Elements written or removed.
    pub changes: usize,
    /// How long it took, the comparison included.
    pub elapsed: Duration,
}

/// When a challenged SYN counts as sent again. First repetitions come after one second (RFC 6298), after three at the latest; some
/// stacks are a little early.
const RETRY_LEAST: Duration = Duration::from_millis(700);
const RETRY_MOST: Duration = Duration::from_secs(8);
/// Handshakes that complete within it are prompt: a window of detection.
const PROMPT: Duration = Duration::from_millis(100);

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
    room: Room,
    image: TableImage,
    /// A change broke off: what the tables hold is to be read before the next one.
    unknown: bool,
    unseen: Unseen,
}

impl Tables {
    /// Opens the tables of an object. `image` is what they hold: empty after a fresh load.
    pub fn new(object: &Object, sizes: &Sizes, image: TableImage) -> Result<Self> {
        let own = |name: &str| -> Result<OwnedFd> {
            object.map(name)?.try_clone_to_owned().map_err(|e| sys(format!("duplicating map {name}"), e))
        };
        let fits = |name: &str| room::capacity(object.map(name)?, name);
        Ok(Self {
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
            room: Room {
                parts4: fits(maps::PARTS4)?,
                lengths: fits(maps::LENGTHS)?,
                prefixes: fits(maps::PREFIXES)?,
                targets: fits(maps::TARGETS)?,
                policies: sizes.targets,
            },
            image,
            unknown: false,
            unseen: Unseen::default(),
        })
    }

    /// Sets up a fresh configuration block: sizes, random seeds, no sampling.
    pub fn initialise(&self) -> Result<()> {
        let seed = [random()?, random()?];
        let secret = [random()?, random()?];
        self.configure(|c| {
            c.abi = ABI_VERSION;
            c.flags = 0;
            c.policy_copy = 0;
            c.rules_copy = 0;
            c.generation = 1;
            c.targets = self.sizes.targets;
            c.source_mask = self.sizes.source_lines - 1;
            c.fragment_mask = self.sizes.fragment_slots - 1;
            c.flow_mask = self.sizes.flow_lines - 1;
            c.pending_mask = self.sizes.flow_lines * PENDING_PER_LINE - 1;
            c.connections = 0;
            c.reply = reply::NONE;
            c.secret = secret;
            c.proven_mask = self.sizes.proven_lines - 1;
            c.retry_mask = self.sizes.retry_slots - 1;
            c.retry_least = clock::ticks(RETRY_LEAST) as u32;
            c.retry_most = clock::ticks(RETRY_MOST) as u32;
            c.prompt = clock::ticks(PROMPT) as u32;
            c.seed = seed;
            c.wide_lens4 = 0;
            c.failsafe = [0; 2];
            c.zero = 0;
            c.sample_pass_mask = u32::MAX;
            c.sample_drop_mask = u32::MAX;
            c.samples_per_tick = 32;
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
            policy_copy,
            rules_copy,
            generation,
            targets,
            source_mask,
            fragment_mask,
            flow_mask,
            pending_mask,
            connections,
            reply,
            secret,
            proven_mask,
            retry_mask,
            retry_least,
            retry_most,
            prompt,
            seed,
            wide_lens4,
            failsafe,
            zero,
            sample_pass_mask,
            sample_drop_mask,
            samples_per_tick,
            fragment_timeout,
            cpus,
            flags,
            abi
        );
    }

    /// What is in force. Names are those of the last image applied: the kernel keeps none.
    pub fn image(&self) -> &TableImage {
        &self.image
    }

    /// Puts an image in force, by the difference to what is. Packets go on meanwhile and meet the old or the new state.
    ///
    /// An image that does not fit is refused before anything is changed. Should the kernel refuse in the middle (memory), the
    /// tables are between the two images, every packet still meets one or the other, and the next call goes on from there.
    pub fn apply(&mut self, image: &TableImage) -> Result<ApplyReport> {
        let start = Instant::now();
        self.know()?;
        let difference = diff(&self.image, image);
        let changes = difference.changes();
        self.change(&difference)?;
        self.image = image.clone();
        Ok(ApplyReport { changes, elapsed: start.elapsed() })
    }

    /// Carries out a small change that was computed against [`Self::image`], without comparing whole images. The time that it
    /// reports is the kernel's: the copy here, which no packet waits for, comes after it.
    pub fn patch(&mut self, change: Diff) -> Result<ApplyReport> {
        let start = Instant::now();
        self.know()?;
        self.change(&change)?;
        let elapsed = start.elapsed();
        let changes = change.changes();
        change.apply(&mut self.image);
        Ok(ApplyReport { changes, elapsed })
    }

    fn change(&mut self, change: &Diff) -> Result<()> {
        self.room.check(&self.image, &change.steps)?;
        self.carry_out(&change.steps).inspect_err(|_| self.unknown = true)
    }

    /// After a change that broke off: reads what it came to.
    fn know(&mut self) -> Result<()> {
        if self.unknown {
            self.read_back()?;
        }
        Ok(())
    }

    /// Goes on from an image that was read from the kernel.
    pub(crate) fn set_image(&mut self, image: TableImage) {
        self.image = image;
        self.unknown = false;
        // Another process may have written a moment ago.
        self.unseen = Unseen::anything();
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
}

/// Maps an array of the object.
pub(crate) fn map<T: crate::plain::Plain>(object: &Object, name: &'static str, len: u32) -> Result<Mapped<T>> {
    Mapped::new(object.map(name)?, len as usize).map_err(|e| sys(format!("mapping {name} into memory"), e))
}

/// A random word from the kernel.
fn random() -> Result<u64> {
    let mut word = 0u64;
    // SAFETY: eight writable bytes.
    let got = unsafe { libc::getrandom(std::ptr::from_mut(&mut word).cast(), 8, 0) };
    if got == 8 { Ok(word) } else { Err(sys("getrandom", std::io::Error::last_os_error())) }
}
