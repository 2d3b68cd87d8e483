//! A plain longest-prefix oracle, and generators of lists that are nested, timed and contradictory on purpose.
#![allow(dead_code, reason = "each test binary uses its part of this module")]

use proptest::prelude::*;
use weir_abi::Addr;
use weir_abi::prefix::State;
use weir_policy::Prefix;
use weir_policy::model::{ListEntry, Scope, Verdict};

/// The tick at which tests compile.
pub const NOW: u64 = 1000;

/// What the entries of a scope say of an address, by going through all of them.
pub fn oracle(entries: &[ListEntry], scopes: &[Scope], addr: Addr, now: u64) -> State {
    let live = entries.iter().filter(|e| scopes.contains(&e.scope) && e.prefix.contains(addr) && e.is_live(now));
    let decides = live.max_by_key(|e| (e.verdict == Verdict::NeverBlock, e.prefix.len(), e.verdict));
    match decides.map(|e| e.verdict) {
        None => State::None,
        Some(Verdict::Deny) => State::Deny,
        Some(Verdict::Allow | Verdict::NeverBlock) => State::Allow,
    }
}

/// Addresses at which something may change: both ends of every prefix, and their neighbours outside.
pub fn edges(entries: &[ListEntry]) -> Vec<Addr> {
    let mut out = Vec::new();
    for e in entries {
        for bits in [e.prefix.first(), e.prefix.last()] {
            for near in [bits.wrapping_sub(1), bits, bits.wrapping_add(1)] {
                let addr = Addr { hi: (near >> 64) as u64, lo: near as u64 };
                // A neighbour of 0.0.0.0 or 255.255.255.255 is no IPv4 address; of ::ffff:0:0/96, no IPv6 one.
                if addr.is_v4() == e.prefix.is_v4() {
                    out.push(addr);
                }
            }
        }
    }
    out
}

/// Every tick at which something may change, from `from` on.
pub fn ticks(entries: &[ListEntry], from: u64) -> Vec<u64> {
    let mut out: Vec<u64> = entries.iter().filter_map(|e| e.expires).map(u64::from).filter(|t| *t >= from).collect();
    out.extend(out.clone().iter().map(|t| t.saturating_sub(1).max(from)));
    out.extend([from, from + 1_000_000]);
    out.sort_unstable();
    out.dedup();
    out
}

/// Few networks and many lengths: prefixes nest and collide all the time.
pub fn prefix() -> impl Strategy<Value = Prefix> {
    let v4 =
        (prop::sample::select(vec![0x0a00_0000u32, 0x0a00_0100, 0xcb00_7100, 0, u32::MAX]), any::<u16>(), 0..=32u8)
            .prop_map(|(base, low, len)| (Addr::v4(base ^ u32::from(low & 0x03ff)), 96 + len));
    let networks = vec![
        0x2001_0db8u128 << 96,
        0x2001_0db8_0000_0020 << 64,
        0x3fff_ffff << 96,
        0xfd00 << 112,
        0,
        0x1fff_ffff << 96,
        0xffff << 112,
    ];
    // Which bits differ: hosts, subnets, or whole slots.
    let spread = vec![0xffffu128, 0xff << 60, 0x7ff << 98, 0xff << 98 | 3];
    let v6 = (prop::sample::select(networks), any::<u128>(), 0..=128u8, prop::sample::select(spread)).prop_map(
        |(base, low, len, spread)| {
            let bits = base ^ low & spread;
            (Addr { hi: (bits >> 64) as u64, lo: bits as u64 }, len)
        },
    );
    prop_oneof![v4, v6].prop_filter_map("not longer than an address", |(addr, len)| {
        // A short prefix of a mapped address is an IPv6 prefix, which is what `new` makes of it.
        Prefix::new(addr, len)
    })
}

/// One /24 and one /27 of IPv6: all prefixes share one table entry each.
pub fn crowded_prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (0..8u32, 24..=32u8).prop_map(|(low, len)| (Addr::v4(0x0a00_0000 | low << 2), 96 + len));
    let v6 = (0..8u64, prop::sample::select(vec![20u8, 28, 40, 62, 63, 64, 128]))
        .prop_map(|(low, len)| (Addr { hi: 0x2001_0db8_0000_0000 | low, lo: 0 }, len));
    prop_oneof![v4, v6].prop_filter_map("not longer than an address", |(addr, len)| Prefix::new(addr, len))
}

/// An entry of the node or of one of four sets; a third of them expire, some have expired.
pub fn entry(prefix: impl Strategy<Value = Prefix>) -> impl Strategy<Value = ListEntry> {
    let verdict = prop_oneof![4 => Just(Verdict::Deny), 3 => Just(Verdict::Allow), 1 => Just(Verdict::NeverBlock)];
    let scope = prop_oneof![3 => Just(Scope::Node), 1 => (1..=4u32).prop_map(Scope::Set)];
    let expires = prop_oneof![2 => Just(None), 1 => (NOW - 10..NOW + 50).prop_map(Some)];
    (prefix, verdict, scope, expires, 1..20u32).prop_map(|(prefix, verdict, scope, expires, rule)| {
        let wide = !prefix.is_v4() && prefix.len() < 16;
        let entry = ListEntry { scope, ..ListEntry::new(prefix, verdict, rule) };
        match expires {
            // What the compiler refuses is tested elsewhere.
            Some(tick) if verdict != Verdict::NeverBlock && !wide => entry.until(tick),
            _ => entry,
        }
    })
}

/// Lists of up to `most` entries.
pub fn entries(most: usize) -> impl Strategy<Value = Vec<ListEntry>> {
    prop::collection::vec(entry(prefix()), 0..most)
}

/// The same, all in one place.
pub fn crowd(most: usize) -> impl Strategy<Value = Vec<ListEntry>> {
    prop::collection::vec(entry(crowded_prefix()), 0..most)
}
