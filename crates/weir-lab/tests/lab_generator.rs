//! The traffic source: it sends what it says, keeps its bounds, and leaves by nothing but the lab's own interface.

mod common;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use common::skip;
use weir_datapath::traffic::{Bare, Flood, Generator, LabInterface};
use weir_lab::cpu;
use weir_lab::flood::{self, Phase};
use weir_lab::lab::Lab;
use weir_lab::netns::Netns;
use weir_lab::plan::UPLINK;
use weir_lab::scenario::{ALL, Scenario};
use weir_lab::tally;
use weir_lab::topology::Shape;

const SMALL: Shape = Shape { pods: 1, customers: 1, addresses: 1, bots: 0 };

fn flood(pps: u64, packets: u64, time: Duration) -> Flood {
    let flood = Scenario::named("syn-flood-spoofed").expect("a scenario").flood(pps, time).expect("a flood");
    Flood { packets, ..flood }
}

#[test]
fn frames_sent_are_frames_counted() {
    if skip("frames_sent_are_frames_counted") {
        return;
    }
    let lab = Lab::up(SMALL, "test").expect("a lab");
    let node = &lab.layout().node;
    let (bare, _attached) = node
        .within(|| {
            let mut bare = Bare::load()?;
            let attached = bare.attach(&LabInterface::open(UPLINK)?)?;
            Ok((bare, attached))
        })
        .expect("a counter on the uplink");
    // Received, or lost in the uplink's queue on a busy machine.
    let arrived = || bare.tally().expect("a tally").dropped + tally::queued_out(&lab).expect("losses").1;
    for scenario in ALL.iter().filter(|scenario| scenario.pps > 0) {
        let (before, forwarded) = (arrived(), lab.forwarded().expect("a count"));
        let some = scenario.flood(20_000, Duration::from_secs(60)).map(|flood| Flood { packets: 4_000, ..flood });
        let sent = flood::start(&lab, some.expect("a flood"), 1).expect("it starts").wait().expect("it ends");
        assert_eq!(sent.frames, 4_000, "{}", scenario.name);
        assert_eq!(sent.by_stream.iter().map(|(_, frames)| frames).sum::<u64>(), 4_000);
        common::until("the last frames arrive", || arrived() - before >= 4_000);
        // The kernel's own multicast may come between.
        let forwarded = lab.forwarded().expect("a count") - forwarded;
        assert!((4_000..4_020).contains(&forwarded), "{}: {forwarded}", scenario.name);
        assert!(arrived() - before < 4_040, "{}", scenario.name);
    }
    lab.down().expect("a clean end");
}

#[test]
fn a_flood_keeps_its_bounds() {
    if skip("a_flood_keeps_its_bounds") {
        return;
    }
    let lab = Lab::up(SMALL, "test").expect("a lab");
    let run = |flood| flood::start(&lab, flood, 1).expect("it starts").wait().expect("it ends");

    let start = Instant::now();
    let by_time = run(flood(10_000, u64::MAX, Duration::from_millis(300)));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(by_time.frames <= 3_050, "{by_time:?}");
    let by_packets = run(flood(1_000_000, 777, Duration::from_secs(60)));
    assert_eq!(by_packets.frames, 777);

    // Floods one after another, and quiet between them.
    let train = [(1_000, 300), (500, 200)].map(|(packets, rest)| Phase {
        flood: flood(100_000, packets, Duration::from_secs(60)),
        rest: Duration::from_millis(rest),
    });
    let start = Instant::now();
    let running = flood::start_train(&lab, train.to_vec(), 1).expect("it starts");
    common::until("both are over", || !running.is_running());
    assert!(start.elapsed() >= Duration::from_millis(500));
    let (sent, stretches) = running.stop_and_tell().expect("it ended");
    assert_eq!((sent.frames, stretches.iter().map(|it| it.frames).collect::<Vec<_>>()), (1_500, vec![1_000, 500]));
    let ended = stretches[0].ended.expect("the first is over");
    assert!(stretches[1].began.duration_since(ended).is_ok_and(|quiet| quiet >= Duration::from_millis(300)));

    let endless = flood::start(&lab, flood(1_000, u64::MAX, Duration::from_secs(3600)), 1).expect("it starts");
    common::until("it is under way", || endless.so_far() > 10);
    assert!(endless.is_running());
    endless.stop().expect("it stops when told to");

    for (pps, packets, time) in [(0, 1, 1), (1, 0, 1), (1, 1, 0)] {
        let boundless =
            flood::start(&lab, flood(pps, packets, Duration::from_secs(time)), 1).and_then(flood::Running::wait);
        assert!(boundless.is_err(), "{pps} {packets} {time}");
    }
    lab.down().expect("a clean end");
}

#[test]
fn equal_seeds_give_equal_floods() {
    if skip("equal_seeds_give_equal_floods") {
        return;
    }
    let lab = Lab::up(SMALL, "test").expect("a lab");
    let layout = lab.layout();
    let capture = |seed: u64| {
        layout.attackers.within(|| {
            // Each core has numbers of its own.
            cpu::tie(None, &[cpu::cores()?.attack])?;
            let mut generator = Generator::load(&LabInterface::open(&layout.attack_interface)?, seed)?;
            let frame = &flood(1, 1, Duration::from_secs(1)).streams[0].frame;
            let prepared = generator.prepare(frame, 0)?;
            Ok((0..4).map(|_| generator.preview(&prepared)).collect::<Result<Vec<_>, _>>()?)
        })
    };
    let (one, again, other) = (capture(7).expect("frames"), capture(7).expect("frames"), capture(8).expect("frames"));
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert_ne!(one[0], one[1], "each frame is drawn anew");
    for frame in one {
        assert_eq!(frame[..12], [0x02, 0x77, 0, 0, 0, 0x02, 0x02, 0x77, 0, 0, 0, 0x01]);
        assert!((11..100).contains(&frame[26]), "an ordinary source");
    }
    lab.down().expect("a clean end");
}

#[test]
fn nothing_leaves_by_other_interfaces() {
    if skip("nothing_leaves_by_other_interfaces") {
        return;
    }
    let lab = Lab::up(SMALL, "test").expect("a lab");
    let layout = lab.layout();
    let some = || vec![Phase { flood: flood(1, 1, Duration::from_secs(1)), rest: Duration::ZERO }];

    // Not recorded by this lab: refused before anything is loaded.
    let other = Netns::named("wl-no-such");
    for (ns, interface) in [
        (&layout.attackers, "lo"),
        (&layout.attackers, "eth0"),
        (&layout.customers, "eth0"),
        (&layout.node, UPLINK),
        (&other, layout.attack_interface.as_str()),
    ] {
        let refused = flood::start_on(&lab, ns, interface, some(), 1).map(|_| ()).expect_err(interface);
        assert!(refused.to_string().contains("refusing"), "{refused}");
    }

    // The generator itself: in the machine's own namespace nothing, in the lab's only what is named like the lab's.
    for interface in ["lo", "eth0", layout.attack_interface.as_str()] {
        assert!(LabInterface::open(interface).is_err(), "{interface} in the machine's own namespace");
    }
    let refused = layout.attackers.within(|| Ok(Generator::load(&LabInterface::open("lo")?, 1).map(|_| ())?));
    assert!(refused.expect_err("lo is not to send on").to_string().contains("refusing"));
    lab.down().expect("a clean end");
}

#[test]
fn a_flood_ends_with_its_stop_flag_before_it_begins() {
    if skip("a_flood_ends_with_its_stop_flag_before_it_begins") {
        return;
    }
    let lab = Lab::up(SMALL, "test").expect("a lab");
    let layout = lab.layout();
    let sent = layout.attackers.within(|| {
        let mut generator = Generator::load(&LabInterface::open(&layout.attack_interface)?, 1)?;
        Ok(flood(1_000, 1_000, Duration::from_secs(60)).run(&mut generator, &AtomicBool::new(true))?)
    });
    assert_eq!(sent.expect("it ends at once").frames, 0);
    lab.down().expect("a clean end");
}
