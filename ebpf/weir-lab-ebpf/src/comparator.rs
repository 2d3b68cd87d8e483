//! What Weir is measured against: the bare drop, and the naive per-source design ("seed-like").

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    helpers::bpf_ktime_get_ns,
    macros::{map, xdp},
    maps::{Array, LpmTrie, LruHashMap, PerCpuArray, lpm_trie::Key},
    programs::XdpContext,
};

use crate::abi::{SeedConfig, SeedSource};
use crate::packet::{IPV4, read};

/// Frames that `bare` dropped.
#[map]
static DROPPED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

#[map]
static SEED_CONFIG: Array<SeedConfig> = Array::with_max_entries(1, 0);

#[map]
static SEED_SOURCES: LruHashMap<u32, SeedSource> = LruHashMap::with_max_entries(65536, 0);

/// The flag 1 (BPF_F_NO_PREALLOC) is mandatory for tries.
#[map]
static SEED_DENY: LpmTrie<u32, u32> = LpmTrie::with_max_entries(1 << 21, 1);

/// Frames that `seed_like` passed and dropped.
#[map]
static SEED_SEEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(2, 0);

/// The cheapest way to get rid of a packet: the measure of all others.
#[xdp]
pub fn bare(_ctx: XdpContext) -> u32 {
    if let Some(count) = DROPPED.get_ptr_mut(0) {
        // SAFETY: a per-CPU slot, and the program does not run twice at once on a CPU.
        unsafe { *count += 1 };
    }
    XDP_DROP
}

/// The per-source class of defences: a trie of denied prefixes, a counter per source in an LRU map, a fixed threshold, a
/// block for a minute. IPv4 only, as such programs usually are.
#[xdp]
pub fn seed_like(ctx: XdpContext) -> u32 {
    let Some(config) = SEED_CONFIG.get(0) else { return XDP_PASS };
    let pass = seed_decide(&ctx, config).unwrap_or(true);
    if let Some(count) = SEED_SEEN.get_ptr_mut(if pass { 0 } else { 1 }) {
        // SAFETY: a per-CPU slot, and the program does not run twice at once on a CPU.
        unsafe { *count += 1 };
    }
    if pass && config.drop_passed == 0 { XDP_PASS } else { XDP_DROP }
}

#[inline(always)]
fn seed_decide(ctx: &XdpContext, config: &SeedConfig) -> Option<bool> {
    const SECOND: u64 = 1_000_000_000;
    if read::<u16>(ctx, 12)? != IPV4 {
        return Some(true);
    }
    let source = read::<u32>(ctx, 26)?;
    if SEED_DENY.get(Key::new(32, source)).is_some() {
        return Some(false);
    }
    // SAFETY: a plain helper call.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(state) = SEED_SOURCES.get_ptr_mut(source) else {
        // A full map evicts somebody: what a flood of forged sources does to such a design is part of the measurement.
        let _ = SEED_SOURCES.insert(source, SeedSource { window_ns: now, blocked_ns: 0, packets: 1 }, 0);
        return Some(true);
    };
    // SAFETY: the kernel keeps the entry's memory while the program runs; racing CPUs may lose a count, as in the original.
    let state = unsafe { &mut *state };
    if state.blocked_ns > now {
        return Some(false);
    }
    if now - state.window_ns > SECOND {
        (state.window_ns, state.packets) = (now, 0);
    }
    state.packets += 1;
    if state.packets > config.threshold as u64 {
        state.blocked_ns = now + config.block_s as u64 * SECOND;
        return Some(false);
    }
    Some(true)
}
