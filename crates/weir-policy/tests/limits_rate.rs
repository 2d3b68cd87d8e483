//! Limits keep their promise: the long-run rate, the burst, and an answer where a rate cannot be kept.

use std::time::Duration;

use weir_abi::Limit;
use weir_abi::limit::{BYTE_COST_SHIFT, SOURCE_UNIT_SHIFT, TARGET_UNIT_SHIFT};
use weir_policy::limits::{Cell, LARGEST_FRAME, LimitError, Rate, Unit, compile};

const HZ: u32 = 250;

/// The packet path's cell, in 128 bits so that nothing here wraps.
struct Bucket {
    limit: Limit,
    cell: u128,
    unit_shift: u32,
}

impl Bucket {
    fn new(limit: Limit, cell: Cell) -> Self {
        let unit_shift = if cell == Cell::Source { SOURCE_UNIT_SHIFT } else { TARGET_UNIT_SHIFT };
        Self { limit, cell: 0, unit_shift }
    }

    /// Whether something of this cost conforms at a tick.
    fn admits(&mut self, tick: u64, cost: u64) -> bool {
        let now = u128::from(tick) << self.unit_shift;
        let ahead = self.cell.saturating_sub(now);
        let fits = ahead + u128::from(cost) <= self.limit.window.into();
        if fits {
            self.cell = now + ahead + u128::from(cost);
        }
        fits
    }
}

/// How many packets of `offered_per_tick` get through in `ticks`, after the burst has gone.
fn long_run(rate: Rate, cell: Cell, ticks: u64) -> f64 {
    let limit = compile(&rate, cell, Unit::Packets, HZ).unwrap().limit;
    let mut bucket = Bucket::new(limit, cell);
    while bucket.admits(1000, limit.cost) {}
    let mut passed = 0u64;
    for tick in 1001..1001 + ticks {
        while bucket.admits(tick, limit.cost) {
            passed += 1;
        }
    }
    passed as f64 * f64::from(HZ) / ticks as f64
}

#[test]
fn the_long_run_rate_is_the_average() {
    for (average, cell) in [
        (1, Cell::Source),
        (7, Cell::Source),
        (50, Cell::Source),
        (2_000, Cell::Source),
        (33_333, Cell::Source),
        (80_000, Cell::Source),
        (3, Cell::Target),
        (200_000, Cell::Target),
        (9_999_999, Cell::Target),
    ] {
        // Enough ticks for a hundred packets, and few enough that ten million a second stay a quick test.
        let ticks = if average < 1000 { 25_000 } else { 250 };
        let rate = long_run(Rate::per_second(average, average), cell, ticks);
        let off = (rate / average as f64 - 1.0).abs();
        assert!(off <= 0.01, "{average} in {cell:?} cells: {rate}");
    }
}

#[test]
fn a_small_burst_does_not_starve_between_two_ticks() {
    // 2,000 a second are 8 a tick: with a burst of 1, seven of them would be lost at every tick.
    let rate = Rate::per_second(2000, 1);
    assert!((long_run(rate, Cell::Source, 2500) / 2000.0 - 1.0).abs() <= 0.01);
    assert_eq!(compile(&rate, Cell::Source, Unit::Packets, HZ).unwrap().raised_burst, Some(9), "and that is said");
}

#[test]
fn the_burst_is_what_was_asked_for() {
    for (average, burst, cell) in
        [(2000, 4000, Cell::Source), (50, 100, Cell::Source), (200_000, 400_000, Cell::Target)]
    {
        let compiled = compile(&Rate::per_second(average, burst), cell, Unit::Packets, HZ).unwrap();
        let mut bucket = Bucket::new(compiled.limit, cell);
        let passed = std::iter::from_fn(|| bucket.admits(77, compiled.limit.cost).then_some(())).count();
        assert_eq!((passed as u64, compiled.raised_burst), (burst, None));
    }
}

#[test]
fn a_period_is_only_another_way_to_say_a_rate() {
    let minute = Rate { average: 600, burst: 20, period: Duration::from_secs(60) };
    let second = Rate::per_second(10, 20);
    for cell in [Cell::Source, Cell::Target] {
        assert_eq!(compile(&minute, cell, Unit::Packets, HZ), compile(&second, cell, Unit::Packets, HZ));
    }
}

#[test]
fn bytes_are_charged_by_length() {
    let rate = Rate::per_second(1_000_000, 2_000_000);
    for cell in [Cell::Source, Cell::Target] {
        let limit = compile(&rate, cell, Unit::Bytes, HZ).unwrap().limit;
        let mut bucket = Bucket::new(limit, cell);
        let mut passed = 0;
        // Two seconds in all: the burst, then a second's average twice.
        for tick in 0..=2 * u64::from(HZ) {
            while bucket.admits(tick, (1500 * limit.cost) >> BYTE_COST_SHIFT) {
                passed += 1500;
            }
        }
        let off = (f64::from(passed) / 4_000_000.0 - 1.0).abs();
        assert!(off <= 0.01, "{passed} in {cell:?} cells");
    }
}

#[test]
fn a_byte_limit_always_lets_one_joined_frame_pass() {
    let compiled = compile(&Rate::per_second(100_000, 2000), Cell::Source, Unit::Bytes, HZ).unwrap();
    assert!(compiled.raised_burst.is_some_and(|burst| burst >= LARGEST_FRAME));
    assert!(
        Bucket::new(compiled.limit, Cell::Source).admits(9, (LARGEST_FRAME * compiled.limit.cost) >> BYTE_COST_SHIFT)
    );
}

#[test]
fn what_cannot_be_kept_is_refused_with_what_could_be() {
    let source = |average, burst| compile(&Rate::per_second(average, burst), Cell::Source, Unit::Packets, HZ);
    assert_eq!(source(480_000, 1), Err(LimitError::TooFast { asked: 480_000, most: 163_840 }));
    assert!(source(163_840, 163_840).is_ok());
    assert!(compile(&Rate::per_second(480_000, 1), Cell::Target, Unit::Packets, HZ).is_ok());
    assert_eq!(source(1, 1000), Err(LimitError::TooSlow { seconds: 1000, most: 262, floor: false }));
    assert_eq!(source(0, 1), Err(LimitError::ZeroAverage));
    assert_eq!(source(1, 0), Err(LimitError::ZeroBurst));
    let bytes = compile(&Rate::per_second(100, 100), Cell::Source, Unit::Bytes, HZ).unwrap_err();
    let text = bytes.to_string();
    assert!(text.ends_with("raise the average (a byte limit must let one joined frame of 64 KiB pass)"), "{text}");
    let period = |period| compile(&Rate { average: 1, burst: 1, period }, Cell::Target, Unit::Packets, HZ);
    assert_eq!(period(Duration::ZERO), Err(LimitError::ZeroPeriod));
    assert_eq!(period(Duration::from_secs(90_000)), Err(LimitError::PeriodTooLong));
    let ticks = compile(&Rate::per_second(1, 1), Cell::Target, Unit::Packets, 0);
    assert_eq!(ticks, Err(LimitError::TickRate { hz: 0 }));
}

#[test]
fn no_numbers_whatever_overflow() {
    for average in [1, 2, 1000, u64::MAX / 3, u64::MAX] {
        for burst in [1, 1000, u64::MAX] {
            for nanos in [1, 1_000_000_000, 86_400_000_000_000] {
                let rate = Rate { average, burst, period: Duration::from_nanos(nanos) };
                for (cell, most) in [(Cell::Source, u64::from(u32::MAX)), (Cell::Target, u64::MAX)] {
                    for unit in [Unit::Packets, Unit::Bytes] {
                        for hz in [1, 100, 1000, 10_000] {
                            let Ok(compiled) = compile(&rate, cell, unit, hz) else { continue };
                            let largest = if unit == Unit::Bytes { LARGEST_FRAME } else { 1 };
                            // What the core computes: a cost times a length, and ahead plus cost.
                            let cost = compiled.limit.cost.checked_mul(largest).expect("fits 64 bits");
                            let cost = if unit == Unit::Bytes { cost >> BYTE_COST_SHIFT } else { cost };
                            assert!(compiled.limit.window.checked_add(cost + 1).is_some_and(|sum| sum <= most / 2));
                        }
                    }
                }
            }
        }
    }
}
