//! Names and default sizes of the maps, shared by the kernel program, the loader and `bpftool` users.

use crate::counters::{COUNTER_SLOTS, FEATURE_SLOTS};
use crate::prefix::{SLOTS4_WORDS, SLOTS6_WORDS};

/// One [`crate::Config`].
pub const CONFIG: &str = "CONFIG";
/// Two bits per IPv4 /24.
pub const SLOTS4: &str = "SLOTS4";
/// IPv4 /24 number to [`crate::Part4`].
pub const PARTS4: &str = "PARTS4";
/// Two bits per IPv6 /27.
pub const SLOTS6: &str = "SLOTS6";
/// IPv6 slot (or list + [`SCOPED_LENGTHS_BASE`]) to [`crate::Lengths6`].
pub const LENGTHS: &str = "LENGTHS";
/// [`crate::PrefixKey`] to [`crate::PrefixEntry`].
pub const PREFIXES: &str = "PREFIXES";
/// Bitmap of failsafe ports.
pub const FAILSAFE: &str = "FAILSAFE";
/// [`crate::TargetKey`] to target id.
pub const TARGETS: &str = "TARGETS";
/// Two copies of [`crate::TargetPolicy`] per target.
pub const POLICIES: &str = "POLICIES";
/// [`crate::SourceLine`]s of source limits.
pub const SOURCES: &str = "SOURCES";
/// [`crate::SourceLine`]s of source prefix limits.
pub const SOURCE_PREFIXES: &str = "SOURCE_PREFIXES";
/// [`crate::SourceExtra`]s of source limits.
pub const SOURCE_EXTRAS: &str = "SOURCE_EXTRAS";
/// [`crate::SourceExtra`]s of source prefix limits.
pub const PREFIX_EXTRAS: &str = "PREFIX_EXTRAS";
/// [`crate::TargetCells`] per target.
pub const TARGET_CELLS: &str = "TARGET_CELLS";
/// [`crate::FragmentSlot`]s.
pub const FRAGMENTS: &str = "FRAGMENTS";
/// [`crate::FlowLine`]s.
pub const FLOWS: &str = "FLOWS";
/// [`crate::flow::Pending`] handshakes.
pub const PENDING: &str = "PENDING";
/// [`crate::FlowLine`]s of sources that have proven themselves.
pub const PROVEN: &str = "PROVEN";
/// [`crate::challenge::Retry`]s.
pub const RETRIES: &str = "RETRIES";
/// [`crate::FlowLine`]s of sources that come regularly.
pub const REGULARS: &str = "REGULARS";
/// The program behind XDP that judges what is no plain packet.
pub const ANY_XDP: &str = "ANY_XDP";
/// The one behind XDP in a slot of libxdp's dispatcher.
pub const ANY_CHAINED: &str = "ANY_CHAINED";
/// The one behind tcx.
pub const ANY_TCX: &str = "ANY_TCX";
/// The program behind XDP that settles what a challenge concerns.
pub const SETTLE_XDP: &str = "SETTLE_XDP";
/// The one behind XDP in a slot of libxdp's dispatcher.
pub const SETTLE_CHAINED: &str = "SETTLE_CHAINED";
/// The one behind tcx.
pub const SETTLE_TCX: &str = "SETTLE_TCX";
/// Two copies of [`crate::RuleTables`].
pub const RULES: &str = "RULES";
/// [`crate::Counter`]s, see [`crate::counters::counter_index`].
pub const COUNTERS: &str = "COUNTERS";
/// Feature counts, see [`crate::counters::feature_index`].
pub const FEATURES: &str = "FEATURES";
/// [`crate::Counter`]s per (CPU, rule slot).
pub const RULE_COUNTERS: &str = "RULE_COUNTERS";
/// Ring buffer of [`crate::Sample`]s.
pub const SAMPLES: &str = "SAMPLES";
/// One [`crate::sample::SampleBudget`] per CPU.
pub const SAMPLE_BUDGETS: &str = "SAMPLE_BUDGETS";

/// What each CPU remembers of [`TARGETS`].
pub const TARGET_CACHE: &str = "TARGET_CACHE";
/// What each CPU remembers of [`PARTS4`].
pub const PART_CACHE: &str = "PART_CACHE";

/// Maps that are not pinned and have elements of their own for each CPU: they only save time.
pub const CACHES: [&str; 2] = [TARGET_CACHE, PART_CACHE];

/// Every map that is pinned, in the order of their creation.
pub const PINNED: [&str; 32] = [
    CONFIG,
    SLOTS4,
    PARTS4,
    SLOTS6,
    LENGTHS,
    PREFIXES,
    FAILSAFE,
    TARGETS,
    POLICIES,
    SOURCES,
    SOURCE_PREFIXES,
    SOURCE_EXTRAS,
    PREFIX_EXTRAS,
    TARGET_CELLS,
    FRAGMENTS,
    FLOWS,
    PENDING,
    PROVEN,
    RETRIES,
    REGULARS,
    ANY_XDP,
    ANY_CHAINED,
    ANY_TCX,
    SETTLE_XDP,
    SETTLE_CHAINED,
    SETTLE_TCX,
    RULES,
    COUNTERS,
    FEATURES,
    RULE_COUNTERS,
    SAMPLES,
    SAMPLE_BUDGETS,
];

/// Elements that one entry of a map holds. The kernel finds an entry by a key in memory, and the load of a key waits for its store (some
/// seven cycles here); an element within an entry is an addition away. User space maps arrays into its memory, where that makes no difference.
pub fn per_entry(map: &str) -> u32 {
    match map {
        SLOTS4 => SLOTS4_WORDS,
        SLOTS6 => SLOTS6_WORDS,
        SOURCES => DEFAULT_SOURCE_LINES,
        RULES => 2,
        COUNTERS => COUNTER_SLOTS as u32,
        FEATURES => FEATURE_SLOTS as u32,
        TARGET_CACHE => TARGET_CACHE_ENTRIES,
        PART_CACHE => PART_CACHE_ENTRIES,
        _ => 1,
    }
}

/// Keys of [`LENGTHS`] from here on are scoped lists: base + 2 × list + (1 for IPv6, 0 for IPv4).
pub const SCOPED_LENGTHS_BASE: u32 = 1 << 25;

/// Elements of [`TARGET_CACHE`] for each CPU, a power of two.
pub const TARGET_CACHE_ENTRIES: u32 = 1 << 8;
/// Elements of [`PART_CACHE`] for each CPU, a power of two.
pub const PART_CACHE_ENTRIES: u32 = 1 << 10;

/// Default number of targets.
pub const DEFAULT_TARGETS: u32 = 256;
/// Default number of source lines (64 bytes each, and as many for SYNs and bytes), and the most that there can be.
pub const DEFAULT_SOURCE_LINES: u32 = 1 << 15;
/// Default number of lines of known flows: a million flows in 4 MiB, and 2 MiB of pending handshakes.
pub const DEFAULT_FLOW_LINES: u32 = 1 << 17;
/// Default number of lines of proven sources, and of regular ones: 131,072 of each in 512 KiB.
pub const DEFAULT_PROVEN_LINES: u32 = 1 << 14;
/// Default number of challenged SYNs that are remembered: 2 MiB.
pub const DEFAULT_RETRY_SLOTS: u32 = 1 << 18;
/// Default number of fragment slots.
pub const DEFAULT_FRAGMENT_SLOTS: u32 = 1 << 14;
