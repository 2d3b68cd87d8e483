//! Limits: of packets, bytes and new connections, by source, by source network, by target.

use std::sync::Arc;
use std::time::Duration;

use weir_abi::Reason;
use weir_policy::limits::Rate;
use weir_policy::model::{RateLimits, Target};
use weir_sim::env::{SimEnv, Sizes};
use weir_wire::Bytes;

use crate::packet::{flag, from};
use crate::story::{Story, tables};
use crate::world::{ANN, ANN6, BEN, CAT, SHOP, SHOP6, at, policy, shop};

/// Ten at once, 250 a second: one for every tick.
const TEN: Option<Rate> = Some(Rate::per_second(250, 10));

/// Which of a target's three limits a story is about.
#[derive(Clone, Copy)]
enum Level {
    Source,
    Network,
    Target,
}

fn limited(level: Level, limits: RateLimits) -> Story {
    let mut shop = shop();
    match level {
        Level::Source => shop.per_source = limits,
        Level::Network => shop.per_prefix = limits,
        Level::Target => shop.per_target = limits,
    }
    Story::of(&policy([shop]))
}

const PACKETS: [(Level, Reason); 3] = [
    (Level::Source, Reason::SourcePackets),
    (Level::Network, Reason::PrefixPackets),
    (Level::Target, Reason::TargetPackets),
];

#[test]
fn a_burst_passes_then_what_the_average_allows() {
    for (level, reason) in PACKETS {
        let mut story = limited(level, RateLimits { packets: TEN, ..RateLimits::default() });
        let frame = from(ANN, SHOP).tcp(1, 443, flag::ACK, b"");
        for _ in 0..10 {
            story.passes(&frame, "shop", Reason::Clean);
        }
        for _ in 0..3 {
            story.drops(&frame, "shop", reason);
        }
        for _ in 0..20 {
            story.wait(1);
            story.passes(&frame, "shop", Reason::Clean);
            story.drops(&frame, "shop", reason);
        }
        // After a silence there is a burst again, and no more than one.
        story.wait(1000);
        for _ in 0..10 {
            story.passes(&frame, "shop", Reason::Clean);
        }
        story.drops(&frame, "shop", reason);
    }
}

#[test]
fn each_level_holds_its_own_and_nobody_else() {
    let ack = |src: &str| from(src, if src.contains(':') { SHOP6 } else { SHOP }).tcp(1, 443, flag::ACK, b"");
    let packets = RateLimits { packets: TEN, ..RateLimits::default() };

    let mut story = limited(Level::Source, packets);
    (0..10).for_each(|_| story.passes(&ack(ANN), "shop", Reason::Clean));
    story.drops(&ack(ANN), "shop", Reason::SourcePackets);
    (0..10).for_each(|_| story.passes(&ack(BEN), "shop", Reason::Clean));
    (0..10).for_each(|_| story.passes(&ack(ANN6), "shop", Reason::Clean));
    // A subscriber has all of a /64 to choose from.
    story.drops(&ack("fd00:1::8"), "shop", Reason::SourcePackets);
    story.passes(&ack("fd00:1:0:1::7"), "shop", Reason::Clean);

    let mut story = limited(Level::Network, packets);
    (0..5).for_each(|_| story.passes(&ack(ANN), "shop", Reason::Clean));
    (0..5).for_each(|_| story.passes(&ack(BEN), "shop", Reason::Clean));
    story.drops(&ack("10.1.1.200"), "shop", Reason::PrefixPackets);
    story.passes(&ack(CAT), "shop", Reason::Clean);
    (0..10).for_each(|_| story.passes(&ack(ANN6), "shop", Reason::Clean));
    story.drops(&ack("fd00:1:0:ffff::1"), "shop", Reason::PrefixPackets);
    story.passes(&ack("fd00:1:1::1"), "shop", Reason::Clean);

    let mut story = limited(Level::Target, packets);
    for src in [ANN, BEN, CAT, ANN6, "fd00:2::1"] {
        (0..2).for_each(|_| story.passes(&ack(src), "shop", Reason::Clean));
    }
    story.drops(&ack("172.16.1.1"), "shop", Reason::TargetPackets);
}

#[test]
fn bytes_count_whole_frames() {
    let levels = [
        (Level::Source, Reason::SourceBytes),
        (Level::Network, Reason::PrefixBytes),
        (Level::Target, Reason::TargetBytes),
    ];
    // 100 kB at once, 250 kB a second: a kilobyte for every tick.
    let rate = Rate::per_second(250_000, 100_000);
    for (level, reason) in levels {
        let mut story = limited(level, RateLimits { bytes: Some(rate), ..RateLimits::default() });
        let large = from(ANN, SHOP).tcp(1, 443, flag::ACK, &[0; 946]);
        assert_eq!(large.len(), 1000);
        let small = from(ANN, SHOP).tcp(1, 443, flag::ACK, b"");
        for _ in 0..99 {
            story.passes(&large, "shop", Reason::Clean);
        }
        // Each costs a fraction of a unit more than it should: rounded up, so that nothing is free.
        story.passes(&small, "shop", Reason::Clean);
        story.drops(&large, "shop", reason);
        story.wait(1);
        story.passes(&large, "shop", Reason::Clean);
        story.drops(&large, "shop", reason);
    }
}

#[test]
fn new_connections_are_syns_and_nothing_else() {
    let levels = [
        (Level::Source, Reason::SourceSyns),
        (Level::Network, Reason::PrefixSyns),
        (Level::Target, Reason::TargetSyns),
    ];
    for (level, reason) in levels {
        let mut story = limited(level, RateLimits { connections: TEN, ..RateLimits::default() });
        let syn = from(ANN, SHOP).syn(1, 443);
        for _ in 0..10 {
            story.passes(&syn, "shop", Reason::Clean);
        }
        story.drops(&syn, "shop", reason);
        for flags in [flag::ACK, flag::SYN | flag::ACK, flag::RST, flag::ACK | flag::FIN] {
            story.passes(&from(ANN, SHOP).tcp(1, 443, flags, b""), "shop", Reason::Clean);
        }
        story.drops(&syn, "shop", reason);
        story.wait(1);
        story.passes(&syn, "shop", Reason::Clean);
    }
}

#[test]
fn packets_then_bytes_then_connections_and_source_then_network_then_target() {
    let limits = |packets, bytes, connections| RateLimits {
        packets: Some(Rate::per_second(10, packets)),
        bytes: Some(Rate::per_second(100_000, bytes)),
        connections: Some(Rate::per_second(10, connections)),
    };
    let mut shop = shop();
    shop.per_source = limits(40, 1_000_000, 5);
    shop.per_prefix = limits(30, 1_000_000, 1000);
    shop.per_target = limits(20, 1_000_000, 1000);
    let mut story = Story::of(&policy([shop]));
    let syn = from(ANN, SHOP).syn(1, 443);
    let ack = from(ANN, SHOP).tcp(1, 443, flag::ACK, b"");
    (0..5).for_each(|_| story.passes(&syn, "shop", Reason::Clean));
    // 6 SYNs count as packets of the source, 5 as packets of its network and of the target.
    story.drops(&syn, "shop", Reason::SourceSyns);
    (0..15).for_each(|_| story.passes(&ack, "shop", Reason::Clean));
    (0..10).for_each(|_| story.drops(&ack, "shop", Reason::TargetPackets));
    (0..9).for_each(|_| story.drops(&ack, "shop", Reason::PrefixPackets));
    story.drops(&ack, "shop", Reason::SourcePackets);
}

#[test]
fn targets_of_one_group_share_what_a_source_has_used() {
    let other = |group: &str| {
        let mut other = Target { name: "other".into(), endpoints: vec![at(SHOP, 444, 6)], ..shop() };
        let mut shop = shop();
        for target in [&mut other, &mut shop] {
            target.per_source.packets = TEN;
            target.limit_group = group.to_owned();
        }
        Story::of(&policy([shop, other]))
    };
    let (one, two) = (from(ANN, SHOP).tcp(1, 443, flag::ACK, b""), from(ANN, SHOP).tcp(1, 444, flag::ACK, b""));
    let mut together = other("shops");
    (0..10).for_each(|_| together.passes(&one, "shop", Reason::Clean));
    together.drops(&two, "other", Reason::SourcePackets);
    let mut apart = other("");
    (0..10).for_each(|_| apart.passes(&one, "shop", Reason::Clean));
    (0..10).for_each(|_| apart.passes(&two, "other", Reason::Clean));
    apart.drops(&two, "other", Reason::SourcePackets);
}

/// The cells' clock wraps every 2^18 ticks: what was left in them must never come back as if it were of today.
#[test]
fn after_a_silence_of_any_length_there_is_a_burst_and_no_more() {
    // 40 ticks to drain, and the longest there can be.
    let rates =
        [(Rate::per_second(250, 40), 40), (Rate { period: Duration::from_secs(60), average: 60, burst: 250 }, 62_500)];
    let wrap = 1u64 << 18;
    for (rate, drain) in rates {
        let near = |ticks: u64| {
            [-90_000i64, -62_500, -300, -41, -1, 0, 1, 39, 300, 62_500].map(|d| ticks.saturating_add_signed(d))
        };
        let silences = [1, 2, 3, 4, 5, 8, 16, 64, 1024].into_iter().flat_map(|quarters| near(wrap / 4 * quarters));
        for silence in silences.filter(|s| *s > drain) {
            let all = RateLimits { packets: Some(rate), connections: Some(rate), ..RateLimits::default() };
            let mut story = limited(Level::Source, all);
            let syn = from(ANN, SHOP).syn(1, 443);
            let burst = |story: &Story| (0..300).filter(|_| !story.env.simulate(&Bytes::new(&syn)).drop).count();
            assert_eq!(burst(&story), rate.burst as usize);
            story.wait(silence);
            assert_eq!(burst(&story), rate.burst as usize, "after {silence} ticks");
        }
    }
}

/// At boot the kernel's tick does not begin at zero but five minutes before its low 32 bits wrap; cells that nobody has written
/// are zero. Whoever comes first must find them idle, whenever that is.
#[test]
fn fresh_cells_are_idle_at_every_tick() {
    let rate = Some(Rate { period: Duration::from_secs(60), average: 60, burst: 200 });
    let all = RateLimits { packets: rate, bytes: None, connections: rate };
    for level in [Level::Source, Level::Network, Level::Target] {
        let boot = (1u64 << 32) - 300 * 250;
        let boots = (0..400).map(|i| boot + i * 1_017);
        let rounds = (0..300).map(|i| (i + 1) * ((1 << 18) - 50_000) + i * 997);
        let mut shop = shop();
        match level {
            Level::Source => shop.per_source = all,
            Level::Network => shop.per_prefix = all,
            Level::Target => shop.per_target = all,
        }
        let image = Arc::new(tables(&policy([shop]), 0, None));
        let sizes = Sizes { source_lines: 1, targets: 2, fragment_slots: 1, ..Sizes::default() };
        for tick in boots.chain(rounds) {
            let env = SimEnv::new(Arc::clone(&image), &sizes).unwrap();
            env.set_tick(tick);
            let syn = from(ANN, SHOP).syn(1, 443);
            let passed = (0..250).filter(|_| !env.simulate(&Bytes::new(&syn)).drop).count();
            assert_eq!(passed, 200, "at tick {tick}");
        }
    }
}

/// What was used of a limit that is no longer in force does not count against the one that is.
#[test]
fn a_changed_limit_holds_at_once() {
    let with = |rate| {
        let mut shop = shop();
        shop.per_source.packets = Some(rate);
        policy([shop])
    };
    let ack = from(ANN, SHOP).tcp(1, 443, flag::ACK, b"");
    let mut story = Story::of(&with(Rate { average: 60, burst: 200, period: Duration::from_secs(60) }));
    (0..200).for_each(|_| story.passes(&ack, "shop", Reason::Clean));
    story.drops(&ack, "shop", Reason::SourcePackets);
    // The cells are three minutes ahead. The new limit's longest wait is a tenth of a second.
    story.change(&with(Rate::per_second(1000, 100)));
    (0..100).for_each(|_| story.passes(&ack, "shop", Reason::Clean));
    story.drops(&ack, "shop", Reason::SourcePackets);
    // Another target's change is none of ours.
    let mut both = with(Rate::per_second(1000, 100));
    both.targets.push(Target { name: "other".into(), endpoints: vec![at(SHOP, 444, 6)], ..Target::new("") });
    story.change(&both);
    story.drops(&ack, "shop", Reason::SourcePackets);
}
