//! Carrying steps out: arrays through mmap, hashes in batches, copies by a flip.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::thread;

use weir_abi::config::{failsafe_half, failsafe_remainders};
use weir_abi::{RuleTables, TargetPolicy, maps};
use weir_policy::diff::Step;

use super::{Tables, rounds};
use crate::error::{Result, sys};
use crate::plain::Plain;
use crate::sys as bpf;

impl Tables {
    /// Carries steps out in their order. Between two steps, and within one, every packet meets the old state or the new one.
    pub(super) fn carry_out(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            if self.unseen.must_end_before(step) {
                self.unseen.wait();
            }
            // What was written by mmap must be seen before what follows, be it a system call or another store.
            fence(Ordering::SeqCst);
            self.one(step)?;
            self.unseen.note(step);
        }
        Ok(())
    }

    fn one(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Flags(flags) => self.configure(|c| c.flags = *flags),
            Step::Failsafe(words) => self.set_failsafe(words),
            Step::Slots4(words) => words.iter().for_each(|(i, w)| self.slots4.set(*i as usize, *w)),
            Step::Slots6(words) => words.iter().for_each(|(i, w)| self.slots6.set(*i as usize, *w)),
            Step::WideLens4(lens) => self.configure(|c| c.wide_lens4 = *lens),
            // Also after a part of it that failed: what is remembered must be what the tables say.
            Step::PutParts4(parts) => {
                let done = put(self.parts4.as_fd(), maps::PARTS4, parts);
                self.forget();
                done?;
            }
            Step::RemoveParts4(keys) => {
                let done = remove(self.parts4.as_fd(), maps::PARTS4, keys);
                self.forget();
                done?;
            }
            Step::PutLengths(lengths) => put(self.lengths.as_fd(), maps::LENGTHS, lengths)?,
            Step::RemoveLengths(keys) => remove(self.lengths.as_fd(), maps::LENGTHS, keys)?,
            Step::PutPrefixes(prefixes) if self.prefixes_are_probed() => {
                self.in_rounds(rounds::of_prefixes(prefixes), |t, round| {
                    put(t.prefixes.as_fd(), maps::PREFIXES, round)
                })?;
            }
            Step::PutPrefixes(prefixes) => put(self.prefixes.as_fd(), maps::PREFIXES, prefixes)?,
            Step::RemovePrefixes(keys) => remove(self.prefixes.as_fd(), maps::PREFIXES, keys)?,
            Step::Rules(rules) => self.flip_rules(rules),
            Step::Policies(policies) => self.flip_policies(policies),
            Step::PutTargets(targets) => self.in_rounds(rounds::of_targets(targets), |t, round| {
                let done = put(t.targets.as_fd(), maps::TARGETS, round);
                t.forget();
                done
            })?,
            Step::RemoveTargets(keys) => {
                let done = remove(self.targets.as_fd(), maps::TARGETS, keys);
                self.forget();
                done?;
            }
            Step::Names(_) => {}
        }
        Ok(())
    }

    /// Whether a packet may probe prefixes now: without one in the tables, nothing tells it to.
    fn prefixes_are_probed(&self) -> bool {
        !self.image.lists.prefixes.is_empty() || self.config().wide_lens4 != 0
    }

    fn in_rounds<T>(&mut self, rounds: Vec<Vec<T>>, mut each: impl FnMut(&mut Self, &[T]) -> Result<()>) -> Result<()> {
        for (i, round) in rounds.iter().enumerate() {
            if i > 0 {
                self.unseen.wait();
            }
            each(self, round)?;
        }
        Ok(())
    }

    /// CPUs remember answers of the target map, with the policies' keys, and of the details of /24s; a new generation makes them ask again.
    fn forget(&self) {
        self.configure(|c| c.generation = c.generation.wrapping_add(1).max(1));
    }

    /// A port's remainder is told for as long as its bit may be found.
    fn set_failsafe(&self, words: &[(u32, u64)]) {
        self.configure(|c| words.iter().for_each(|(i, word)| c.failsafe[failsafe_half(*i as usize)] |= word));
        fence(Ordering::SeqCst);
        words.iter().for_each(|(i, word)| self.failsafe.set(*i as usize, *word));
        fence(Ordering::SeqCst);
        let all = failsafe_remainders((0..self.failsafe.len()).map(|i| self.failsafe.get(i)));
        self.configure(|c| c.failsafe = all);
    }

    fn flip_rules(&self, rules: &RuleTables) {
        let next = (self.config().rules_copy ^ 1) & 1;
        self.rules.set(next as usize, rules.clone());
        fence(Ordering::SeqCst);
        self.configure(|c| c.rules_copy = next);
    }

    fn flip_policies(&self, policies: &[TargetPolicy]) {
        let next = (self.config().policy_copy ^ 1) & 1;
        let base = next as usize * self.sizes.targets as usize;
        for i in 0..self.sizes.targets as usize {
            self.policies.set(base + i, policies.get(i).copied().unwrap_or(TargetPolicy::NONE));
        }
        fence(Ordering::SeqCst);
        self.configure(|c| c.policy_copy = next);
        fence(Ordering::SeqCst);
        self.forget();
    }
}

/// Entries of one piece of work: a large change is cut into such, so that a million entries need no second copy of themselves.
const PIECE: usize = 1 << 14;

/// Writes entries, in any order. A large change is shared between CPUs: an entry's place in a hash is a cache miss to wait for.
fn put<K, V>(fd: BorrowedFd<'_>, name: &str, entries: &[(K, V)]) -> Result<()>
where
    K: Plain + Copy + Sync,
    V: Plain + Copy + Sync,
{
    let pieces: Vec<&[(K, V)]> = entries.chunks(PIECE).collect();
    let next = AtomicUsize::new(0);
    let work = || -> io::Result<()> {
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            let keys: Vec<K> = piece.iter().map(|(k, _)| *k).collect();
            let values: Vec<V> = piece.iter().map(|(_, v)| *v).collect();
            bpf::update_all(fd, &keys, &values)?;
        }
        Ok(())
    };
    let helpers =
        if pieces.len() < 4 { 0 } else { thread::available_parallelism().map_or(1, usize::from).min(MOST_CPUS) - 1 };
    let done = thread::scope(|scope| {
        let helpers: Vec<_> =
            (0..helpers).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let all = std::iter::once(work()).chain(helpers.into_iter().map(|helper| match helper.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        all.collect::<io::Result<Vec<()>>>()
    });
    done.map(drop).map_err(|e| sys(format!("writing {} entries of {name}", entries.len()), e))
}

/// More would not be faster by much, and packets need CPUs, too.
const MOST_CPUS: usize = 4;

fn remove<K: Plain>(fd: BorrowedFd<'_>, name: &str, keys: &[K]) -> Result<()> {
    bpf::delete_all(fd, keys).map_err(|e| sys(format!("removing {} entries of {name}", keys.len()), e))
}
