//! The maps. Sizes here are defaults; the loader sets those of the machine. Meaning and layout: `weir_abi`. Why some have many elements in
//! one entry: [`weir_abi::maps::per_entry`].

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, ProgramArray, RingBuf};
use weir_abi::challenge::Retry;
use weir_abi::config::FAILSAFE_WORDS;
use weir_abi::counters::COUNTER_SLOTS;
use weir_abi::flow::{PENDING_PER_LINE, Pending};
use weir_abi::maps::{
    DEFAULT_FLOW_LINES, DEFAULT_FRAGMENT_SLOTS, DEFAULT_PROVEN_LINES, DEFAULT_RETRY_SLOTS, DEFAULT_SOURCE_LINES,
    DEFAULT_TARGETS, PART_CACHE_ENTRIES, TARGET_CACHE_ENTRIES,
};
use weir_abi::prefix::{SLOTS4_WORDS, SLOTS6_WORDS};
use weir_abi::rules::SLOTS;
use weir_abi::sample::SampleBudget;
use weir_abi::{
    Config, Counter, FEATURE_SLOTS, FlowLine, FragmentSlot, Lengths6, Part4, PrefixEntry, PrefixKey, RuleTables,
    SourceExtra, SourceLine, TargetCells, TargetKey, TargetPolicy,
};

/// User space writes these arrays through mmap: no system call per entry. They start page-aligned, so lines really are lines.
const MMAPABLE: u32 = 1 << 10;
/// Entries are allocated when they come: a million-entry map costs nothing while it is empty.
const NO_PREALLOC: u32 = 1;

/// A map value that CPUs share through its cells.
#[repr(transparent)]
pub struct Shared<T>(pub T);

// SAFETY: the value is only ever reached in map memory, where its cells are aligned words that the hardware reads and writes
// whole; nothing in it is a reference or has a destructor.
unsafe impl<T> Sync for Shared<T> {}

#[map]
pub static CONFIG: Array<Config> = Array::with_max_entries(1, MMAPABLE);
#[map]
pub static SLOTS4: Array<[u64; SLOTS4_WORDS as usize]> = Array::with_max_entries(1, MMAPABLE);
#[map]
pub static PARTS4: HashMap<u32, Part4> = HashMap::with_max_entries(1 << 20, NO_PREALLOC);
#[map]
pub static SLOTS6: Array<[u64; SLOTS6_WORDS as usize]> = Array::with_max_entries(1, MMAPABLE);
#[map]
pub static LENGTHS: HashMap<u32, Lengths6> = HashMap::with_max_entries(1 << 20, NO_PREALLOC);
#[map]
pub static PREFIXES: HashMap<PrefixKey, PrefixEntry> = HashMap::with_max_entries(1 << 21, NO_PREALLOC);
#[map]
pub static FAILSAFE: Array<u64> = Array::with_max_entries(FAILSAFE_WORDS, MMAPABLE);
#[map]
pub static TARGETS: HashMap<TargetKey, u32> = HashMap::with_max_entries(1 << 16, NO_PREALLOC);
#[map]
pub static POLICIES: Array<TargetPolicy> = Array::with_max_entries(2 * DEFAULT_TARGETS, MMAPABLE);
#[map]
pub static SOURCES: Array<Shared<[SourceLine; DEFAULT_SOURCE_LINES as usize]>> = Array::with_max_entries(1, MMAPABLE);
#[map]
pub static SOURCE_PREFIXES: Array<Shared<SourceLine>> = Array::with_max_entries(DEFAULT_SOURCE_LINES, MMAPABLE);
#[map]
pub static SOURCE_EXTRAS: Array<Shared<SourceExtra>> = Array::with_max_entries(DEFAULT_SOURCE_LINES, MMAPABLE);
#[map]
pub static PREFIX_EXTRAS: Array<Shared<SourceExtra>> = Array::with_max_entries(DEFAULT_SOURCE_LINES, MMAPABLE);
#[map]
pub static TARGET_CELLS: Array<Shared<TargetCells>> = Array::with_max_entries(DEFAULT_TARGETS, MMAPABLE);
#[map]
pub static FRAGMENTS: Array<Shared<FragmentSlot>> = Array::with_max_entries(DEFAULT_FRAGMENT_SLOTS, MMAPABLE);
#[map]
pub static FLOWS: Array<Shared<FlowLine>> = Array::with_max_entries(DEFAULT_FLOW_LINES, MMAPABLE);
#[map]
pub static PENDING: Array<Shared<Pending>> = Array::with_max_entries(DEFAULT_FLOW_LINES * PENDING_PER_LINE, MMAPABLE);
#[map]
pub static PROVEN: Array<Shared<FlowLine>> = Array::with_max_entries(DEFAULT_PROVEN_LINES, MMAPABLE);
#[map]
pub static RETRIES: Array<Shared<Retry>> = Array::with_max_entries(DEFAULT_RETRY_SLOTS, MMAPABLE);
#[map]
pub static REGULARS: Array<Shared<FlowLine>> = Array::with_max_entries(DEFAULT_PROVEN_LINES, MMAPABLE);
/// A tick, and the replies handed to the stack within it: this CPU's.
#[map]
pub static HANDED: PerCpuArray<[u64; 2]> = PerCpuArray::with_max_entries(1, 0);
/// The decision that a program leaves to the program behind it: one word, written just before the tail call.
#[map]
pub static SETTLING: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
/// Tables of one program each: none holds a program that has a use for it, which would keep both alive until the kernel empties it.
#[map]
pub static ANY_XDP: ProgramArray = ProgramArray::with_max_entries(1, 0);
/// The same program, loaded so that an extension may call it.
#[map]
pub static ANY_CHAINED: ProgramArray = ProgramArray::with_max_entries(1, 0);
#[map]
pub static ANY_TCX: ProgramArray = ProgramArray::with_max_entries(1, 0);
#[map]
pub static SETTLE_XDP: ProgramArray = ProgramArray::with_max_entries(1, 0);
/// As [`ANY_CHAINED`].
#[map]
pub static SETTLE_CHAINED: ProgramArray = ProgramArray::with_max_entries(1, 0);
#[map]
pub static SETTLE_TCX: ProgramArray = ProgramArray::with_max_entries(1, 0);
#[map]
pub static RULES: Array<[RuleTables; 2]> = Array::with_max_entries(1, MMAPABLE);
#[map]
pub static COUNTERS: Array<[Counter; COUNTER_SLOTS]> = Array::with_max_entries(DEFAULT_TARGETS, MMAPABLE);
#[map]
pub static FEATURES: Array<[u64; FEATURE_SLOTS]> = Array::with_max_entries(DEFAULT_TARGETS, MMAPABLE);
#[map]
pub static RULE_COUNTERS: Array<Counter> = Array::with_max_entries(SLOTS as u32, MMAPABLE);
#[map]
pub static SAMPLES: RingBuf = RingBuf::with_byte_size(1 << 20, 0);
#[map]
pub static SAMPLE_BUDGETS: Array<SampleBudget> = Array::with_max_entries(1, MMAPABLE);

/// What each CPU remembers of the target map. Not pinned, and each CPU has elements of its own: it is only a shortcut. No per-CPU
/// array, because finding an element there takes two loads more, each of which waits for the one before.
#[map]
pub static TARGET_CACHE: Array<[CachedTarget; TARGET_CACHE_ENTRIES as usize]> = Array::with_max_entries(1, MMAPABLE);

/// What each CPU remembers of partly listed /24s, by address.
#[map]
pub static PART_CACHE: Array<[CachedPart; PART_CACHE_ENTRIES as usize]> = Array::with_max_entries(1, MMAPABLE);

/// What was said of one address in a partly listed /24.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CachedPart {
    pub ip: u32,
    pub generation: u32,
    pub said: u32,
}

/// One remembered answer; all of the key is kept, so that no collision can give a wrong one. A cache line, and a power of two: see
/// [`Config`].
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub struct CachedTarget {
    pub key: TargetKey,
    pub generation: u32,
    pub id: u32,
    pub limit_key: u64,
}
