//! Average, burst and period become the two numbers of a GCRA cell (ITU-T I.371): what a packet costs, how far ahead it may run.
//!
//! The packet path then needs no division: with `ahead` the time by which the cell is ahead of now, a packet conforms when
//! `ahead + cost <= window`, and the cell becomes now + `ahead + cost`. What the cell's unit cannot express within
//! [`TOLERANCE_PERCENT`] is refused here, where somebody reads the answer.

use std::time::Duration;

use thiserror::Error;
use weir_abi::limit::{BYTE_COST_SHIFT, Limit, MAX_SOURCE_WINDOW_TICKS, SOURCE_UNIT_SHIFT, TARGET_UNIT_SHIFT};

/// How far the rate in force may lie from the one that was asked for.
pub const TOLERANCE_PERCENT: u128 = 2;

/// The longest burst window of a target limit, in ticks (18 hours at 250 Hz).
pub const MAX_TARGET_WINDOW_TICKS: u64 = 1 << 24;

/// The longest period of a rate.
pub const MAX_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest frame that the packet path can see: receive offload joins segments to up to 64 KiB before tcx sees them.
pub const LARGEST_FRAME: u64 = 65_549;

/// So many per period in the long run, so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Packets, bytes or connections per period.
    pub average: u64,
    /// Packets, bytes or connections that may come at once after a silence.
    pub burst: u64,
    /// The period.
    pub period: Duration,
}

impl Rate {
    /// Later fragments whose first one was not seen: 1,000 a second and 2,000 at once, room for reordering, not for a flood.
    pub const UNMATCHED_FRAGMENTS: Self = Self::per_second(1000, 2000);
    /// Challenged SYNs that come again: 100 a second and 200 at once. Room for clients that never see the challenge, and less than the
    /// smallest usual queue of half-open connections (`net.ipv4.tcp_max_syn_backlog`) empties in a SYN-ACK's first time-out.
    pub const REPEATED_SYNS: Self = Self::per_second(100, 200);

    /// A rate per second.
    pub const fn per_second(average: u64, burst: u64) -> Self {
        Self { average, burst, period: Duration::from_secs(1) }
    }
}

/// Which cells a limit is for: they differ in unit and range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A source's or a source network's cells: 32 bits, 2^-14 tick.
    Source,
    /// A target's cells: 64 bits, 2^-32 tick.
    Target,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Packets, connections, fragments.
    Packets,
    /// Bytes.
    Bytes,
}

/// A limit in cell units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// What the packet path reads.
    pub limit: Limit,
    /// The burst in force, where a larger one than asked for was needed: see [`compile`].
    pub raised_burst: Option<u64>,
}

/// Why a rate cannot be a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LimitError {
    /// The average is zero.
    #[error("an average of 0 would refuse everything; leave the limit out for none, or use a deny list")]
    ZeroAverage,
    /// The burst is zero.
    #[error("a burst of 0 would refuse everything; the average over one period is a usual burst")]
    ZeroBurst,
    /// The period is zero.
    #[error("a period of 0 has no meaning; use 1s")]
    ZeroPeriod,
    /// The period is longer than [`MAX_PERIOD`].
    #[error("a period of more than a day is beyond what the cells can count; divide average and period alike")]
    PeriodTooLong,
    /// The tick rate is zero or absurd.
    #[error("the kernel's tick rate was given as {hz} Hz; it is CONFIG_HZ of the running kernel, 100 to 1000")]
    TickRate {
        /// What was given.
        hz: u32,
    },
    /// A single packet costs too few units.
    #[error(
        "{asked} per second cannot be counted within {TOLERANCE_PERCENT}% here; use at most {most} per second, or limit the \
         target as a whole, whose cells are finer"
    )]
    TooFast {
        /// What was asked for, per second.
        asked: u64,
        /// A rate per second up to which every rate can be expressed.
        most: u64,
    },
    /// The window is beyond the cells' range.
    #[error(
        "the burst takes {seconds} s to drain at this average, the cells reach {most} s; lower the burst or raise the average\
         {}",
        if *floor { " (a byte limit must let one joined frame of 64 KiB pass)" } else { "" }
    )]
    TooSlow {
        /// What the burst takes to drain, seconds.
        seconds: u64,
        /// The longest the cells can express, seconds.
        most: u64,
        /// Whether the largest frame, not the burst, is what takes so long.
        floor: bool,
    },
}

/// Compiles a rate for a kind of cell at a tick rate in Hz.
///
/// The window is the burst's cost, but at least a packet and a tick: the clock moves in ticks, and a shorter window would lose
/// what drains between two of them. A byte window is at least [`LARGEST_FRAME`] and a tick: a smaller one would never let
/// such a frame pass, at no rate whatever.
pub fn compile(rate: &Rate, cell: Cell, unit: Unit, tick_hz: u32) -> Result<Compiled, LimitError> {
    check(rate, tick_hz)?;
    let (unit_shift, most_ticks) = match cell {
        Cell::Source => (SOURCE_UNIT_SHIFT, MAX_SOURCE_WINDOW_TICKS),
        Cell::Target => (TARGET_UNIT_SHIFT, MAX_TARGET_WINDOW_TICKS),
    };
    let (fraction, largest) = match unit {
        Unit::Packets => (0, 1),
        Unit::Bytes => (BYTE_COST_SHIFT, u128::from(LARGEST_FRAME)),
    };
    let hz = u128::from(tick_hz);
    let tick = 1u128 << unit_shift;

    // Units in a period over packets in a period, to the nearest. Period and tick rate were checked: this is below 2^110.
    let units = (hz * rate.period.as_nanos()) << (unit_shift + fraction);
    let packets = NANOS * u128::from(rate.average);
    let cost = (units + packets / 2) / packets;
    let off = (cost * packets).abs_diff(units);
    if off * 100 > TOLERANCE_PERCENT * cost * packets {
        // Rounding by half a unit is within tolerance from this cost on.
        let enough = 100u128.div_ceil(2 * TOLERANCE_PERCENT);
        let most = (hz << (unit_shift + fraction)) / enough;
        return Err(LimitError::TooFast { asked: per_second(rate), most: saturating(most) });
    }

    let asked = cost.saturating_mul(u128::from(rate.burst)) >> fraction;
    let least = (cost.saturating_mul(largest) >> fraction) + tick;
    let window = asked.max(least);
    // The core multiplies a byte's cost by a frame's length in 64 bits.
    if window > u128::from(most_ticks) << unit_shift || cost.saturating_mul(largest) > u128::from(u64::MAX) {
        let floor = unit == Unit::Bytes && asked < least;
        let seconds = saturating(window / tick / hz);
        return Err(LimitError::TooSlow { seconds, most: most_ticks / u64::from(tick_hz), floor });
    }
    let raised_burst = (asked < least).then(|| saturating((least << fraction) / cost));
    Ok(Compiled { limit: Limit { cost: saturating(cost), window: saturating(window) }, raised_burst })
}

/// Nanoseconds in a second.
const NANOS: u128 = 1_000_000_000;

/// What makes no sense in any cell.
fn check(rate: &Rate, tick_hz: u32) -> Result<(), LimitError> {
    if tick_hz == 0 || tick_hz > 10_000 {
        return Err(LimitError::TickRate { hz: tick_hz });
    }
    if rate.average == 0 {
        return Err(LimitError::ZeroAverage);
    }
    if rate.burst == 0 {
        return Err(LimitError::ZeroBurst);
    }
    if rate.period.is_zero() {
        return Err(LimitError::ZeroPeriod);
    }
    if rate.period > MAX_PERIOD {
        return Err(LimitError::PeriodTooLong);
    }
    Ok(())
}

fn per_second(rate: &Rate) -> u64 {
    saturating(u128::from(rate.average) * NANOS / rate.period.as_nanos())
}

fn saturating(n: u128) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
