//! Step 8: rate limits by GCRA (ITU-T I.371) in cells of a count-min sketch whose rows share one cache line.
//!
//! A key's hash picks a line and two of its eight cells; the smaller one decides (Cormode and Muthukrishnan, 2005) and only what
//! is behind is raised (conservative update). Nothing is inserted and nothing evicted: a random source costs one cache miss.
//!
//! **Bound.** A key under its limit is held back by others only while both of its cells are held high by them. With `L` lines
//! one other key over its limit does so with probability 1 / (28 L); of `n` such keys two can share the work, and the
//! probability is 1 - 2 (1 - 1 / (4 L))^n + (1 - 13 / (28 L))^n: with 32,768 lines 0.1 % for 880 heavy keys at once, 1 % for
//! 6,700, 7 % for as many as there are lines. Keys under their limits add up only where both of a key's cells are in use by
//! others: `n` random sources of `r` packets per second in all charge a cell with at most `2 r / (8 L)` packets per second.

use weir_abi::limit::{BYTE_COST_SHIFT, EPOCH_SHIFT, Limit, Limits, SOURCE_UNIT_SHIFT, TARGET_UNIT_SHIFT};
use weir_abi::policy::flag;
use weir_abi::{Addr, Cell32, Cell64, Config, Reason, SourceExtra, SourceLine, TargetCells, TargetPolicy};

use weir_wire::Frame;

use crate::Env;
use crate::hash::{hash2, source_hash};
use crate::judge::GO_ON;

/// What of a packet the limits count.
pub struct Load<S> {
    /// Frame length in bytes.
    pub bytes: u32,
    /// Tells whether it asks for a new connection, which is asked only where that is limited.
    pub syn: S,
}

/// A source's hash, 0 where sources are not limited, and its line of cells.
pub type Place<'a> = (u64, &'a SourceLine);

/// The key of a policy's sources, 0 where it does not limit them.
#[inline(always)]
pub fn key(policy: &TargetPolicy) -> u64 {
    if policy.source.any() { policy.limit_key } else { 0 }
}

/// Where a source has its cells under a key; anywhere, if that is 0.
#[inline(always)]
fn place<'a, F: Frame, E: Env>(frame: &F, env: &'a E, key: u64, src: Addr) -> Option<Place<'a>> {
    let config = env.config();
    let mut h = 0;
    if key != 0 {
        h = source_hash(source_key(src), key, &config.seed);
    }
    let h = frame.blur64(h);
    Some((h, env.source(line_of(h, config))?))
}

/// Where a plain packet's source has its cells, for [`check`], which is asked much later: the line is read from memory meanwhile. In a flood
/// from random sources this is the miss that costs most.
#[inline(always)]
pub fn ahead<'a, F: Frame, E: Env>(frame: &F, env: &'a E, key: u64, src: Addr) -> Option<Place<'a>> {
    if !F::PLAIN {
        return None;
    }
    let place = place(frame, env, key, src);
    if let Some((_, line)) = place {
        env.touch(&line.epoch);
    }
    place
}

/// The number of the first limit that the packet exceeds, or [`GO_ON`]. What an earlier limit admitted stays charged. `ahead` is
/// what [`ahead()`] said.
#[inline(always)]
pub fn check<F: Frame, E: Env>(
    frame: &F,
    env: &E,
    policy: &TargetPolicy,
    target: u32,
    src: Addr,
    ahead: Option<Place<'_>>,
    load: &Load<impl Fn() -> bool>,
) -> u8 {
    let config = env.config();
    let mut number = GO_ON;
    let place = if F::PLAIN { ahead } else { place(frame, env, key(policy), src) };
    if let Some((h, line)) = place
        && h != 0
    {
        let extra = || env.source_extra(line_of(h, config));
        number = check_line(frame, env, line, extra, h, &policy.source, load, Reason::SourcePackets as u8);
    }
    if number == GO_ON {
        number = frame.answer(beyond_source(frame, env, policy, target, src, load));
    }
    number
}

/// The same of the limits that come after the source's: of its network, and of the target as a whole.
#[inline(always)]
pub(crate) fn beyond_source<F: Frame, E: Env>(
    frame: &F,
    env: &E,
    policy: &TargetPolicy,
    target: u32,
    src: Addr,
    load: &Load<impl Fn() -> bool>,
) -> u8 {
    let config = env.config();
    let mut number = GO_ON;
    if number == GO_ON && policy.prefix.any() {
        let h = hash2(prefix_key(src), !policy.limit_key, &config.seed);
        if let Some(line) = env.source_prefix(line_of(h, config)) {
            let extra = || env.prefix_extra(line_of(h, config));
            number = check_line(frame, env, line, extra, h, &policy.prefix, load, Reason::PrefixPackets as u8);
        }
    }
    if number == GO_ON
        && policy.target.any()
        && let Some(cells) = env.target_cells(target)
    {
        // A forged flood must not use up what the target takes as a whole: the challenge comes first, see `settle`.
        let syns = !policy.has(flag::CHALLENGE);
        number = frame.answer(check_target(env, cells, &policy.target, syns, load));
    }
    number
}

// `check_line` counts on the three dimensions of a limit having neighbouring numbers.
const _: () = {
    assert!(Reason::SourceBytes as u8 == Reason::SourcePackets as u8 + 1);
    assert!(Reason::SourceSyns as u8 == Reason::SourcePackets as u8 + 2);
    assert!(Reason::PrefixBytes as u8 == Reason::PrefixPackets as u8 + 1);
    assert!(Reason::PrefixSyns as u8 == Reason::PrefixPackets as u8 + 2);
};

/// The target's own limits.
#[inline(always)]
fn check_target<E: Env>(env: &E, cells: &TargetCells, l: &Limits, syns: bool, load: &Load<impl Fn() -> bool>) -> u8 {
    if l.packets.cost != 0 && charge64(env, &cells.packets, l.packets.cost, l.packets.window) {
        return Reason::TargetPackets as u8;
    }
    if l.bytes.cost != 0 && charge64(env, &cells.bytes, byte_cost(&l.bytes, load.bytes), l.bytes.window) {
        return Reason::TargetBytes as u8;
    }
    if l.syns.cost != 0 && syns && (load.syn)() && charge64(env, &cells.syns, l.syns.cost, l.syns.window) {
        return Reason::TargetSyns as u8;
    }
    GO_ON
}

/// Whether a SYN exceeds the target's limit of them, where that was left open.
#[inline(always)]
pub fn is_syn_refused<E: Env>(env: &E, policy: &TargetPolicy, target: u32) -> bool {
    let l = &policy.target.syns;
    match env.target_cells(target) {
        Some(cells) if l.cost != 0 => charge64(env, &cells.syns, l.cost, l.window),
        _ => false,
    }
}

/// Whether a source is over a limit of SYNs that no policy names, in its cells under this key.
#[inline(always)]
pub(crate) fn is_source_over<F: Frame, E: Env>(frame: &F, env: &E, key: u64, src: Addr, syns: Limit) -> bool {
    const OFF: Limit = Limit { cost: 0, window: 0 };
    let limits = &Limits { packets: OFF, bytes: OFF, syns };
    let config = env.config();
    let h = source_hash(source_key(src), key, &config.seed);
    let load = &Load { bytes: 0, syn: || true };
    let extra = || env.source_extra(line_of(h, config));
    match env.source(line_of(h, config)) {
        Some(line) => check_line(frame, env, line, extra, h, limits, load, Reason::SourcePackets as u8) != GO_ON,
        None => false,
    }
}

/// Whether the target's limit of unmatched later fragments is exceeded.
#[inline(always)]
pub fn fragments<E: Env>(env: &E, policy: &TargetPolicy, target: u32) -> bool {
    let limit = &policy.fragments;
    if limit.cost == 0 {
        return false;
    }
    match env.target_cells(target) {
        Some(cells) => charge64(env, &cells.fragments, limit.cost, limit.window),
        None => false,
    }
}

/// A source: one IPv4 address, or one IPv6 /64, which is what one subscriber holds and can pick addresses from at will.
#[inline(always)]
pub fn source_key(src: Addr) -> u64 {
    if src.is_v4() { src.lo } else { src.hi }
}

/// A source prefix: /24 or /48. Shifted words of the two families cannot meet: bit 63 marks IPv6.
#[inline(always)]
pub fn prefix_key(src: Addr) -> u64 {
    if src.is_v4() { (src.lo & 0xffff_ffff) >> 8 } else { 1 << 63 | src.hi >> 16 }
}

#[inline(always)]
fn line_of(h: u64, config: &Config) -> u32 {
    h as u32 & config.source_mask
}

/// The key's limits in its line. The line's other cells are touched only when asked for.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "always inlined; a struct would only rename them")]
fn check_line<'a, F: Frame, E: Env>(
    frame: &F,
    env: &E,
    line: &SourceLine,
    extra: impl Fn() -> Option<&'a SourceExtra>,
    h: u64,
    limits: &Limits,
    load: &Load<impl Fn() -> bool>,
    base: u8,
) -> u8 {
    let i = (h >> 32) as usize & 7;
    let j = (i + 1 + (h >> 35) as usize % 7) & 7;
    let tick = env.tick();
    let now = (tick << SOURCE_UNIT_SHIFT) as u32;
    tidy(frame, line, &extra, (tick >> EPOCH_SHIFT) as u32, now);
    let mut number = GO_ON;
    if limits.packets.cost != 0 {
        let l = &limits.packets;
        let over = charge32(frame, env, &line.packets[i], &line.packets[j], now, l.cost as u32, l.window as u32);
        number = frame.answer(if over { base } else { GO_ON });
    }
    if number == GO_ON
        && limits.bytes.cost != 0
        && let Some(extra) = extra()
    {
        let l = &limits.bytes;
        let over = charge32(
            frame,
            env,
            &extra.bytes[i],
            &extra.bytes[j],
            now,
            byte_cost(l, load.bytes) as u32,
            l.window as u32,
        );
        number = frame.answer(if over { base + 1 } else { GO_ON });
    }
    if number == GO_ON
        && limits.syns.cost != 0
        && (load.syn)()
        && let Some(extra) = extra()
    {
        let l = &limits.syns;
        let over = charge32(frame, env, &extra.syns[i], &extra.syns[j], now, l.cost as u32, l.window as u32);
        number = frame.answer(if over { base + 2 } else { GO_ON });
    }
    number
}

/// What a frame costs in cell units; never nothing.
#[inline(always)]
fn byte_cost(limit: &Limit, bytes: u32) -> u64 {
    ((bytes as u64 * limit.cost) >> BYTE_COST_SHIFT) + 1
}

/// Sets the cells that lie in the past to now, once in an epoch, so that no wrap of the clock makes them look ahead. A line that
/// nobody touched for a whole epoch has no cell that is ahead, whatever it looks like: fresh ones are such.
#[inline(always)]
fn tidy<'a, F: Frame>(frame: &F, line: &SourceLine, extra: impl Fn() -> Option<&'a SourceExtra>, epoch: u32, now: u32) {
    let behind = epoch.wrapping_sub(line.epoch.load()) as i32;
    // Below zero: another CPU has seen the next epoch begin already. The line is tidy for this one as well.
    if behind <= 0 {
        return;
    }
    let Some(extra) = extra() else { return };
    let keep = frame.blur64(if behind > 1 { 0 } else { u64::MAX }) as u32;
    let mut i = 0;
    while i < 8 {
        settle(frame, &line.packets[i], keep, now);
        settle(frame, &extra.syns[i], keep, now);
        settle(frame, &extra.bytes[i], keep, now);
        i += 1;
    }
    line.epoch.store(epoch);
}

/// Without a branch: twenty-four of them would be too many ways for the verifier. The sign is blurred, because the compiler
/// would make a branch of it again.
#[inline(always)]
fn settle<F: Frame>(frame: &F, cell: &Cell32, keep: u32, now: u32) {
    let ahead = cell.load().wrapping_sub(now);
    let past = frame.blur64((ahead as i32 >> 31) as u64) as u32;
    cell.store(now.wrapping_add(ahead & !past & keep));
}

/// Cells that are less than 2^3 packets apart may belong to one key that several CPUs are charging.
const RACE_SHIFT: u32 = 3;

/// A distance, or nothing where it is negative. Without a branch.
#[inline(always)]
fn positive<F: Frame>(frame: &F, distance: u32) -> u32 {
    let negative = frame.blur64((distance as i32 >> 31) as u32 as u64) as u32;
    distance & !negative
}

/// Charges a packet to both cells; true when it exceeds the limit. Over the limit nothing is written.
///
/// CPUs that charge in the same instant can push a cell beyond the window by a packet each. It is full then, and drains.
#[inline(always)]
fn charge32<F: Frame, E: Env>(frame: &F, env: &E, a: &Cell32, b: &Cell32, now: u32, cost: u32, window: u32) -> bool {
    // Of a tidy line: how far ahead of now, negative for how long it has been idle.
    let (dx, dy) = (a.load().wrapping_sub(now), b.load().wrapping_sub(now));
    let (x, y) = (positive(frame, dx), positive(frame, dy));
    let least = frame.blur64(if x < y { x } else { y } as u64) as u32;
    // Below half a wrap and a quarter of one.
    if least + cost > window {
        return true;
    }
    raise32(env, a, x.wrapping_sub(dx), x - least, cost, now);
    raise32(env, b, y.wrapping_sub(dy), y - least, cost, now);
    false
}

/// Charges one cell that was idle for `idle` and is `above` the other one.
///
/// What is far above belongs to other keys and stays (the conservative update). What is a few packets above may be this key
/// itself, on a CPU that has written one cell and not yet the other: leaving it would lose a charge. A cell that became idle
/// within this tick is added to as well, so that CPUs that find it so in the same instant all pay.
#[inline(always)]
fn raise32<E: Env>(env: &E, cell: &Cell32, idle: u32, above: u32, cost: u32, now: u32) {
    if idle > 1 << SOURCE_UNIT_SHIFT {
        cell.store(now.wrapping_add(cost));
    } else if above >> RACE_SHIFT < cost {
        env.add32(cell, idle + cost);
    }
}

/// CPUs that charge a target's cell in the same instant push it beyond its window, by a packet each: so far ahead it is full,
/// not idle.
const RACING: u64 = 256;

/// Charges one cell of a target; true when it exceeds the limit.
///
/// These cells wrap after months. What lies further ahead than the limit can write is left over from before the wrap, or from a
/// policy that is no longer in force: idle. So is a cell that was never written, however near to it the clock begins at boot.
#[inline(always)]
pub(crate) fn charge64<E: Env>(env: &E, cell: &Cell64, cost: u64, window: u64) -> bool {
    let now = env.tick() << TARGET_UNIT_SHIFT;
    let held = cell.load();
    let ahead = held.wrapping_sub(now);
    // Wrapping: the compiler of policies keeps windows and costs far below where this could. Saturation would be a branch each.
    let most = window.wrapping_mul(2).wrapping_add(cost.wrapping_mul(RACING));
    let ahead = if held == 0 || ahead > most { 0 } else { ahead };
    if ahead.wrapping_add(cost) > window {
        return true;
    }
    let idle = if ahead == 0 { now.wrapping_sub(held) } else { 0 };
    // As for a source: whoever finds it idle in the same instant pays as well.
    if idle > 1 << TARGET_UNIT_SHIFT {
        cell.store(now.wrapping_add(cost));
    } else {
        env.add64(cell, idle + cost);
    }
    false
}
