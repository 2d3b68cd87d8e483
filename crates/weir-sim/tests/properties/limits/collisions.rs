//! Whom heavy sources hurt: the bound that `weir_core::limits` states, counted.

use weir_abi::Addr;
use weir_policy::limits::{Cell, Rate};

use super::node::{PACKET, conforms, env, packets, per_source};
use crate::traffic::rng::Rng;

/// The stated probability that `n` heavy keys hold an innocent one, with `lines` lines.
fn bound(n: u64, lines: u32) -> f64 {
    let (n, lines) = (n as f64, f64::from(lines));
    1.0 - 2.0 * (1.0 - 1.0 / (4.0 * lines)).powf(n) + (1.0 - 13.0 / (28.0 * lines)).powf(n)
}

/// Different sources, none of them twice.
fn sources(rng: &mut Rng, count: usize) -> Vec<Addr> {
    let (start, step) = (rng.next() as u32, (rng.next() as u32) | 1);
    (0..count as u32).map(|i| Addr::v4(start.wrapping_add(i.wrapping_mul(step)))).collect()
}

/// Heavy sources fill their cells; then each innocent one sends a packet. How many of them are refused?
#[test]
fn heavy_sources_hurt_no_more_innocent_ones_than_stated() {
    let policy = per_source(packets(Cell::Source, Rate::per_second(100, 1000)));
    for (lines, heavy) in
        [(32_768, 880), (32_768, 6_700), (32_768, 32_768), (1024, 1), (1024, 100), (1024, 1024), (256, 1000)]
    {
        let (mut hurt, mut asked, mut expected) = (0u64, 0u64, 0.0);
        for seed in 0..8 {
            let env = env(lines, 1, Rng(seed).next());
            let mut rng = Rng(seed + 100);
            // Far from the wrap: it has its own test.
            env.set_tick(1 << 20);
            let all = sources(&mut rng, heavy + 20_000);
            let (heavy, innocent) = all.split_at(heavy);
            for src in heavy {
                while conforms(&env.cpu(0), &policy, *src, PACKET) {}
            }
            hurt += innocent.iter().filter(|src| !conforms(&env.cpu(0), &policy, **src, PACKET)).count() as u64;
            asked += innocent.len() as u64;
            expected += innocent.len() as f64 * bound(heavy.len() as u64, lines);
        }
        // The sources of one seed share its heavy ones: their fates are not independent, so the spread is that of the seeds.
        let spread = 6.0 * expected.sqrt() + 0.1 * expected + 6.0;
        println!("{lines} lines, {heavy} heavy: {hurt} of {asked} hurt, {expected:.1} expected");
        assert!(
            (hurt as f64) <= expected + spread,
            "{lines} lines, {heavy} heavy: {hurt} of {asked}, {expected:.1} stated"
        );
        assert!(
            (hurt as f64) >= expected - spread,
            "{lines} lines, {heavy} heavy: {hurt} of {asked}: the bound is too wide"
        );
    }
}

/// The same with time going by: heavy sources at ten times their limit, innocent ones at half of it, ten seconds long.
#[test]
fn over_ten_seconds_nobody_else_is_hurt() {
    let policy = per_source(packets(Cell::Source, Rate::per_second(250, 250)));
    let lines = 4096;
    let (mut hurt, mut expected) = (0u64, 0.0);
    for seed in 0..4 {
        let env = env(lines, 1, Rng(seed).next());
        let mut rng = Rng(seed + 7);
        let all = sources(&mut rng, 400 + 1000);
        let (heavy, innocent) = all.split_at(400);
        let mut refused = vec![false; innocent.len()];
        for tick in 0..2500u64 {
            env.set_tick((1 << 20) + tick);
            for src in heavy {
                for _ in 0..10 {
                    let _ = conforms(&env.cpu(0), &policy, *src, PACKET);
                }
            }
            for (i, src) in innocent.iter().enumerate().filter(|(i, _)| (*i as u64 + tick).is_multiple_of(2)) {
                refused[i] |= !conforms(&env.cpu(0), &policy, *src, PACKET);
            }
        }
        hurt += refused.iter().filter(|r| **r).count() as u64;
        expected += innocent.len() as f64 * bound(heavy.len() as u64, lines);
    }
    println!("{hurt} of 4000 hurt, {expected:.1} stated");
    assert!(hurt as f64 <= expected + 6.0 * expected.sqrt() + 6.0, "{hurt} hurt, {expected:.1} stated");
}

/// A flood from random sources, each seen once: what it adds to any cell stays far below a limit.
#[test]
fn a_flood_of_random_sources_hurts_nobody() {
    let policy = per_source(packets(Cell::Source, Rate::per_second(2000, 4000)));
    let lines = 1024;
    let env = env(lines, 1, 11);
    let mut rng = Rng(12);
    let innocent = sources(&mut rng, 200);
    // A cell is charged with 2 r / (8 L) packets a second: 1,000 of these, half of the limit.
    let each_tick = 1000 * 8 * u64::from(lines) / 2 / 250;
    let mut refused = 0;
    for tick in 0..1000u64 {
        env.set_tick((1 << 20) + tick);
        for _ in 0..each_tick {
            let _ = conforms(&env.cpu(0), &policy, Addr::v4(rng.next() as u32), PACKET);
        }
        // At 1,000 a second, half of their limit.
        for src in &innocent {
            refused += (0..4).filter(|_| !conforms(&env.cpu(0), &policy, *src, PACKET)).count();
        }
    }
    assert_eq!(refused, 0, "of {} packets", innocent.len() * 4000);
}

/// Busy sources, each at half of its limit: they share cells, and hardly ever both of a pair. Of as many as there are lines one in a thousand
/// is hurt at most, under any seed; of four times as many, half of the limit on every cell on average, one in a hundred.
#[test]
fn sources_under_their_limit_do_not_add_up() {
    let policy = per_source(packets(Cell::Source, Rate::per_second(250, 250)));
    for (lines, count, most) in [(1024, 1024, 4), (1024, 2048, 24), (1024, 4096, 160)] {
        let mut hurt = 0;
        for seed in 0..4 {
            let env = env(lines, 1, Rng(seed + 21).next());
            let all = sources(&mut Rng(seed + 22), count);
            let mut refused = vec![false; all.len()];
            for tick in 0..1250u64 {
                env.set_tick((1 << 20) + tick);
                for (i, src) in all.iter().enumerate().filter(|(i, _)| (*i as u64 + tick).is_multiple_of(2)) {
                    refused[i] |= !conforms(&env.cpu(0), &policy, *src, PACKET);
                }
            }
            hurt += refused.iter().filter(|r| **r).count();
        }
        println!("4 times {count} sources at half of their limit in {lines} lines: {hurt} hurt");
        assert!(hurt <= most, "{hurt} of 4 times {count}");
    }
}
