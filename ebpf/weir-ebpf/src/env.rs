//! `weir_core::Env` over the kernel's maps.

use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_jiffies64};
use weir_abi::counters::{COUNTER_SLOTS, FEATURE_SLOTS, counter_slot};
use weir_abi::maps::{PART_CACHE_ENTRIES, TARGET_CACHE_ENTRIES};
use weir_abi::rules::SLOTS;
use weir_abi::{
    Cell32, Cell64, Config, FlowLine, FragmentSlot, Lengths6, Part4, PrefixEntry, PrefixKey, RuleTables, SourceExtra,
    SourceLine, TargetCells, TargetKey, TargetPolicy,
};
use weir_core::targets::{self, Found};
use weir_core::{Env, lists};

use crate::maps::{self, CachedPart};

/// The environment of one packet.
pub struct KernelEnv {
    config: &'static Config,
    cpu: u32,
}

impl KernelEnv {
    /// Nothing only where the configuration map is missing, which the verifier cannot know.
    #[inline(always)]
    pub fn new() -> Option<Self> {
        let config = maps::CONFIG.get(0)?;
        // SAFETY: the helper has no arguments and only reads the CPU's number.
        Some(Self { config, cpu: unsafe { bpf_get_smp_processor_id() } })
    }

    /// The same environment in another function of the program.
    #[inline(always)]
    pub fn of(config: &'static Config, cpu: u32) -> Self {
        Self { config, cpu }
    }

    /// What [`Self::of`] takes.
    #[inline(always)]
    pub fn parts(&self) -> (&'static Config, u32) {
        (self.config, self.cpu)
    }

    /// This CPU's number.
    #[inline(always)]
    pub fn cpu(&self) -> u32 {
        self.cpu
    }

    /// 0, which the verifier cannot know.
    #[inline(always)]
    pub fn zero(&self) -> u64 {
        self.config.zero
    }
}

impl Env for KernelEnv {
    #[inline(always)]
    fn config(&self) -> &Config {
        self.config
    }

    #[inline(always)]
    fn tick(&self) -> u64 {
        // SAFETY: the helper has no arguments; the JIT turns it into one load.
        unsafe { bpf_jiffies64() }
    }

    #[inline(always)]
    fn slots4(&self, word: u32) -> u64 {
        maps::SLOTS4.get(0).map_or(0, |words| words[word as usize & (words.len() - 1)])
    }

    #[inline(always)]
    fn part4(&self, number: u32) -> Option<&Part4> {
        // SAFETY: entries are replaced whole and freed after an RCU grace period; this program runs within one.
        unsafe { maps::PARTS4.get(&number) }
    }

    /// Who is denied comes again. Hash calls cost more than all else that such a packet costs.
    #[inline(always)]
    fn in_part4(&self, ip: u32) -> u32 {
        let h = ip.wrapping_mul(0x9E37_79B9) >> (32 - PART_CACHE_ENTRIES.ilog2());
        let Some(own) = maps::PART_CACHE.get_ptr_mut(self.cpu) else {
            return 0;
        };
        // SAFETY: as in `target`.
        let cached = unsafe { &mut (*own)[h as usize & (PART_CACHE_ENTRIES as usize - 1)] };
        if cached.ip == ip && cached.generation == self.config.generation {
            return cached.said;
        }
        let generation = self.config.generation;
        let said = lists::of_part(self, ip);
        *cached = CachedPart { ip, generation, said };
        said
    }

    #[inline(always)]
    fn slots6(&self, word: u32) -> u64 {
        maps::SLOTS6.get(0).map_or(0, |words| words[word as usize & (words.len() - 1)])
    }

    #[inline(always)]
    fn lengths(&self, key: u32) -> Option<&Lengths6> {
        // SAFETY: as in `part4`.
        unsafe { maps::LENGTHS.get(&key) }
    }

    #[inline(always)]
    fn prefix(&self, key: &PrefixKey) -> Option<&PrefixEntry> {
        // SAFETY: as in `part4`.
        unsafe { maps::PREFIXES.get(key) }
    }

    #[inline(always)]
    fn failsafe(&self, word: u32) -> u64 {
        maps::FAILSAFE.get(word).copied().unwrap_or(0)
    }

    /// Few targets are hot: a direct-mapped array in front saves the hash calls. All of the key is compared. The loader makes it, and
    /// `PART_CACHE`, for every CPU that there can be, so that a place is always found.
    #[inline(always)]
    fn target(&self, key: &TargetKey) -> Found {
        let ports = (key.port as u64) << 8 | key.proto as u64;
        let h = (key.addr.lo ^ key.addr.hi.rotate_left(32) ^ ports << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let h = (h >> (64 - TARGET_CACHE_ENTRIES.ilog2())) as u32;
        let Some(own) = maps::TARGET_CACHE.get_ptr_mut(self.cpu) else {
            return targets::NONE;
        };
        // SAFETY: the entry is this CPU's own, and packet programs on one CPU do not interrupt each other.
        let cached = unsafe { &mut (*own)[h as usize & (TARGET_CACHE_ENTRIES as usize - 1)] };
        if cached.generation == self.config.generation
            && cached.key.addr.lo == key.addr.lo
            && cached.key.addr.hi == key.addr.hi
            && cached.key.port == key.port
            && cached.key.proto == key.proto
        {
            return Found { id: cached.id, limit_key: cached.limit_key };
        }
        let generation = self.config.generation;
        // A copy, which has to lie in memory; the other need not.
        let found = targets::resolve(self, &TargetKey::new(key.addr, key.port, key.proto));
        cached.key = *key;
        cached.generation = generation;
        cached.id = found.id;
        cached.limit_key = found.limit_key;
        found
    }

    #[inline(always)]
    fn target_entry(&self, key: &TargetKey) -> Option<u32> {
        // SAFETY: as in `part4`.
        unsafe { maps::TARGETS.get(key) }.copied()
    }

    #[inline(always)]
    fn policy(&self, index: u32) -> Option<&TargetPolicy> {
        maps::POLICIES.get(index)
    }

    #[inline(always)]
    fn source(&self, line: u32) -> Option<&SourceLine> {
        maps::SOURCES.get(0).map(|shared| &shared.0[line as usize & (shared.0.len() - 1)])
    }

    #[inline(always)]
    fn source_prefix(&self, line: u32) -> Option<&SourceLine> {
        maps::SOURCE_PREFIXES.get(line).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn source_extra(&self, line: u32) -> Option<&SourceExtra> {
        maps::SOURCE_EXTRAS.get(line).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn prefix_extra(&self, line: u32) -> Option<&SourceExtra> {
        maps::PREFIX_EXTRAS.get(line).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn target_cells(&self, target: u32) -> Option<&TargetCells> {
        maps::TARGET_CELLS.get(target).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn fragment(&self, slot: u32) -> Option<&FragmentSlot> {
        maps::FRAGMENTS.get(slot).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn flow_line(&self, line: u32) -> Option<&FlowLine> {
        maps::FLOWS.get(line).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn pending(&self, slot: u32) -> Option<&Cell64> {
        maps::PENDING.get(slot).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn proven_line(&self, line: u32) -> Option<&FlowLine> {
        maps::PROVEN.get(line).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn retry(&self, slot: u32) -> Option<&Cell64> {
        maps::RETRIES.get(slot).map(|shared| &shared.0)
    }

    #[inline(always)]
    fn regular_line(&self, line: u32) -> Option<&FlowLine> {
        maps::REGULARS.get(line).map(|shared| &shared.0)
    }

    /// A load into a register that nobody waits for.
    #[inline(always)]
    fn touch(&self, cell: &Cell32) {
        // SAFETY: as in `add32`, and nothing is written.
        unsafe {
            core::arch::asm!("{v} = *(u32 *)({p} + 0)", p = in(reg) cell.as_ptr(), v = out(wreg) _, options(nostack))
        }
    }

    /// The target has no compare-and-swap for Rust to build on, but the instruction set has an atomic addition.
    #[inline(always)]
    fn add32(&self, cell: &Cell32, n: u32) {
        // SAFETY: the pointer comes from a live reference to an aligned map cell.
        unsafe {
            core::arch::asm!("lock *(u32 *)({p} + 0) += {v}", p = in(reg) cell.as_ptr(), v = in(wreg) n, options(nostack))
        }
    }

    #[inline(always)]
    fn add64(&self, cell: &Cell64, n: u64) {
        // SAFETY: as in `add32`.
        unsafe {
            core::arch::asm!("lock *(u64 *)({p} + 0) += {v}", p = in(reg) cell.as_ptr(), v = in(reg) n, options(nostack))
        }
    }

    #[inline(always)]
    fn opaque(&self, n: u32) -> u32 {
        let mut n = n;
        // SAFETY: one move of a register to itself. (Text without an instruction would break the line information.)
        unsafe { core::arch::asm!("{n} = {n}", n = inout(wreg) n, options(nomem, nostack, preserves_flags)) }
        n
    }

    #[inline(always)]
    fn rules(&self, copy: u32) -> Option<&RuleTables> {
        maps::RULES.get(0).map(|copies| &copies[copy as usize & 1])
    }

    #[inline(always)]
    fn count_rule(&self, slot: u32, bytes: u32) {
        if let Some(counter) = maps::RULE_COUNTERS.get_ptr_mut(self.cpu * SLOTS as u32 + slot) {
            // SAFETY: the element belongs to this CPU; user space only reads it.
            unsafe {
                (*counter).packets += 1;
                (*counter).bytes += bytes as u64;
            }
        }
    }

    #[inline(always)]
    fn count(&self, target: u32, would: bool, reason: u8, bytes: u32) -> u64 {
        let Some(counters) = maps::COUNTERS.get_ptr_mut(self.cpu * self.config.targets + target) else { return 0 };
        let slot = counter_slot(would, reason);
        if slot >= COUNTER_SLOTS {
            return 0;
        }
        // SAFETY: as in `count_rule`.
        unsafe {
            let counter = &mut (*counters)[slot];
            counter.packets += 1;
            counter.bytes += bytes as u64;
            counter.packets
        }
    }

    #[inline(always)]
    fn feature(&self, target: u32, slot: u8) {
        if let Some(counts) = maps::FEATURES.get_ptr_mut(self.cpu * self.config.targets + target) {
            // SAFETY: as in `count_rule`.
            unsafe { (*counts)[slot as usize & (FEATURE_SLOTS - 1)] += 1 }
        }
    }
}
