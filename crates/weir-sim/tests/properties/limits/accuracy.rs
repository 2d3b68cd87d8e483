//! What passes in the long run is what the rate says, within five per cent, at every rate from one to a hundred thousand a
//! second, by the tick of 250 Hz; and never more than rate and burst together.

use weir_abi::Addr;
use weir_abi::limit::Limits;
use weir_abi::policy::TargetPolicy;
use weir_policy::limits::{Cell, Rate, Unit};

use super::node::{HZ, Load, PACKET, conforms, env, limit, packets, per_source};

const ANN: Addr = Addr::v4(0x0a01_0107);

/// Offers some loads at every tick, in turn, and sums what passes after the burst is used up, per second.
fn long_run(policy: &TargetPolicy, loads: &[Load], each_tick: u64, ticks: u64, unit: impl Fn(&Load) -> u64) -> f64 {
    let env = env(16, 1, 5);
    let mut next = loads.iter().cycle();
    let mut passed = 0;
    // The first half uses the burst up.
    for tick in 0..2 * ticks {
        env.set_tick(1 << 20 | tick);
        for _ in 0..each_tick {
            let load = next.next().expect("a cycle");
            if conforms(&env.cpu(0), policy, ANN, *load) && tick >= ticks {
                passed += unit(load);
            }
        }
    }
    passed as f64 * f64::from(HZ) / ticks as f64
}

#[track_caller]
fn close(measured: f64, asked: f64) {
    let off = (measured / asked - 1.0) * 100.0;
    assert!(off.abs() <= 5.0, "{measured:.2} instead of {asked}: {off:.2} % off");
}

#[test]
fn packets_of_a_source_and_of_a_target() {
    for average in [1, 2, 3, 7, 10, 50, 100, 249, 250, 251, 333, 1000, 2000, 5000, 10_000, 33_333, 60_000, 100_000] {
        // Long enough for a hundred packets, and a second at least.
        let ticks = (u64::from(HZ) * 100 / average).max(250) + 250;
        let each_tick = average / u64::from(HZ) * 2 + 3;
        for burst in [1, 2, average, 2 * average] {
            if burst / average > 100 {
                continue;
            }
            let rate = Rate::per_second(average, burst);
            let source = per_source(packets(Cell::Source, rate));
            let target = TargetPolicy { target: packets(Cell::Target, rate), ..TargetPolicy::NONE };
            for policy in [source, target] {
                close(long_run(&policy, &[PACKET], each_tick, ticks, |_| 1), average as f64);
            }
        }
    }
}

#[test]
fn bytes_of_mixed_frames() {
    let loads = [64, 1514, 100, 9000, 60, 1514, 1514].map(|bytes| Load { bytes, syn: false });
    for average in [100_000, 1_000_000, 10_000_000, 125_000_000] {
        for (cell, source) in [(Cell::Source, true), (Cell::Target, false)] {
            let l = limit(cell, Unit::Bytes, Rate::per_second(average, average));
            let limits = Limits { bytes: l, ..Limits::default() };
            let policy =
                if source { per_source(limits) } else { TargetPolicy { target: limits, ..TargetPolicy::NONE } };
            let each_tick = average / u64::from(HZ) / 1000 + 20;
            let ticks = (250 * 2_000_000 / average).max(500);
            close(long_run(&policy, &loads, each_tick, ticks, |l| l.bytes.into()), average as f64);
        }
    }
}

/// At other tick rates as well: the tick is the clock, and kernels tick from 100 to 1000 times a second.
#[test]
fn in_any_span_no_more_than_burst_and_rate() {
    for hz in [100u32, 250, 300, 1000] {
        for (average, burst) in [(10, 20), (1000, 50), (20_000, 300)] {
            let rate = Rate::per_second(average, burst);
            let compiled = weir_policy::limits::compile(&rate, Cell::Source, Unit::Packets, hz).unwrap();
            let policy = per_source(Limits { packets: compiled.limit, ..Limits::default() });
            let env = env(16, 1, 6);
            let mut passed = 0u64;
            for tick in 0..u64::from(hz) * 20 {
                env.set_tick(tick);
                let offered = average / u64::from(hz) * 3 + 1;
                passed += (0..offered).filter(|_| conforms(&env.cpu(0), &policy, ANN, PACKET)).count() as u64;
                // The burst may have been raised so that a tick's worth fits (weir_policy::limits::compile).
                let burst = compiled.raised_burst.unwrap_or(burst);
                let most = (burst + 1) as f64 + tick as f64 * average as f64 * 1.02 / f64::from(hz);
                assert!(passed as f64 <= most, "{passed} after {tick} ticks of {hz}, at most {most:.1}");
            }
        }
    }
}
