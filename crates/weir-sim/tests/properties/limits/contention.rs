//! Many CPUs at once on the cells of one source or target: what passes is still what the rate says.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use weir_abi::Addr;
use weir_abi::limit::Limits;
use weir_abi::policy::TargetPolicy;
use weir_policy::limits::{Cell, Rate, Unit};
use weir_sim::env::SimEnv;

use super::node::{HZ, Load, conforms, env, limit, packets, per_source};

const ANN: Addr = Addr::v4(0x0a01_0107);

/// A clock that ticks with every so many packets that were offered by all together.
struct Clock<'a> {
    env: &'a SimEnv,
    offered: AtomicU64,
    each_tick: u64,
    tick: Mutex<u64>,
}

impl Clock<'_> {
    /// Counts a packet as offered; false when `ticks` are over.
    fn advance(&self, ticks: u64) -> bool {
        let n = self.offered.fetch_add(1, Ordering::Relaxed);
        if n.is_multiple_of(self.each_tick) {
            // A thread that was held up must not turn the clock back: no kernel does.
            let mut tick = self.tick.lock().expect("no thread panics with it");
            *tick = (*tick).max(n / self.each_tick);
            self.env.set_tick(*tick);
        }
        n < ticks * self.each_tick
    }
}

/// Threads hammer; what passes in all, per second, after the first half of the time.
fn hammer(threads: u32, policy: &TargetPolicy, each_tick: u64, ticks: u64) -> f64 {
    let env = env(16, threads, 3);
    let clock = Clock { env: &env, offered: AtomicU64::new(0), each_tick, tick: Mutex::new(0) };
    let passed = AtomicU64::new(0);
    thread::scope(|scope| {
        for number in 0..threads {
            let (env, clock, passed) = (&env, &clock, &passed);
            scope.spawn(move || {
                let cpu = env.cpu(number);
                let load = Load { bytes: 1000, syn: number % 2 == 0 };
                let mut mine = 0;
                while clock.advance(2 * ticks) {
                    if conforms(&cpu, policy, ANN, load) && clock.offered.load(Ordering::Relaxed) > ticks * each_tick {
                        mine += 1;
                    }
                }
                passed.fetch_add(mine, Ordering::Relaxed);
            });
        }
    });
    passed.into_inner() as f64 * f64::from(HZ) / ticks as f64
}

#[track_caller]
fn close(measured: f64, asked: f64, threads: u32) {
    let off = (measured / asked - 1.0) * 100.0;
    assert!(off.abs() <= 5000.0, "{measured:.1} instead of {asked} with {threads} threads: {off:.2} % off");
}

/// Limits of a source, and of a target.
fn both(rate: Rate) -> [TargetPolicy; 2] {
    let target = packets(Cell::Target, rate);
    [per_source(packets(Cell::Source, rate)), TargetPolicy { target, ..TargetPolicy::NONE }]
}

/// Ten times the limit is offered, and a little more, for 600 ticks or longer.
fn offered(average: u64) -> (u64, u64) {
    let each_tick = average / u64::from(HZ) * 10 + 50;
    (each_tick, (200_000 / each_tick).max(600))
}

#[test]
fn packets_from_four_to_eight_cpus() {
    for average in [250, 1000, 10_000, 100_000] {
        // With a burst of one a cell is found idle at every tick, by all CPUs at once.
        for burst in [1, average / 10 + 25, average] {
            for threads in [4, 8] {
                for policy in both(Rate::per_second(average, burst)) {
                    let (each_tick, ticks) = offered(average);
                    close(hammer(threads, &policy, each_tick, ticks), average as f64, threads);
                }
            }
        }
    }
}

#[test]
fn bytes_of_one_source_from_eight_cpus() {
    let average = 5_000_000;
    let of = |cell| Limits { bytes: limit(cell, Unit::Bytes, Rate::per_second(average, 100_000)), ..Limits::default() };
    let source = per_source(of(Cell::Source));
    let target = TargetPolicy { target: of(Cell::Target), ..TargetPolicy::NONE };
    for policy in [source, target] {
        close(hammer(8, &policy, 200, 2000) * 1000.0, average as f64, 8);
    }
}

/// Where nothing is refused, nothing that was charged to a target is lost.
#[test]
fn every_charge_of_a_target_counts() {
    let target = packets(Cell::Target, Rate::per_second(1000, 1_000_000));
    let policy = TargetPolicy { target, ..TargetPolicy::NONE };
    let env = env(16, 8, 4);
    env.set_tick(1 << 20);
    // The first one finds the cell idle and sets it.
    assert!(conforms(&env.cpu(0), &policy, ANN, Load { bytes: 60, syn: false }));
    thread::scope(|scope| {
        for number in 0..8 {
            let (env, policy) = (&env, &policy);
            scope.spawn(move || {
                let passed =
                    (0..20_000).filter(|_| conforms(&env.cpu(number), policy, ANN, Load { bytes: 60, syn: false }));
                assert_eq!(passed.count(), 20_000);
            });
        }
    });
    let ahead = env.target_cells()[1].packets.load() - (1 << 20 << 32);
    assert_eq!(ahead, 160_001 * target.packets.cost);
}
