//! Story 6: samples tell what was done with a packet and why, one in so many, never more than a budget, and what is left out is
//! counted.

mod common;

use std::net::Ipv4Addr;

use common::account::Account;
use common::frames;
use common::policy::{self, CUSTOMER, DENIED, EXCEPTED, SHOP};
use common::sender::Sender;
use common::wait;
use common::world::{UPLINK, World};
use weir_abi::sample::SAMPLE_BYTES;
use weir_abi::{Reason, Sample, Verdict};
use weir_datapath::{Datapath, LostSamples};

/// A packet path with the shop's policy on the uplink of this thread's namespace, every packet of every kind sampled.
fn open(world: &World, enforce: bool) -> Datapath {
    let mut shop = policy::shop();
    shop.enforce_node = enforce;
    shop.targets[0].enforce = enforce;
    let mut datapath = world.open();
    datapath.apply(&policy::image(&shop)).unwrap();
    datapath.tables().configure(|c| c.samples_per_tick = u32::MAX);
    datapath.set_sampling(0, 0);
    datapath.attach().unwrap();
    datapath
}

/// The samples of as many packets.
fn wait_for(datapath: &mut Datapath, samples: usize) -> Vec<Sample> {
    let mut got = Vec::new();
    wait::until(&format!("{samples} samples"), || {
        datapath.drain_samples(&mut got);
        got.len() >= samples
    });
    assert_eq!(got.len(), samples);
    got
}

/// One CPU sends, and receives what it sends: veth hands a frame over on the CPU that sent it.
fn stay_on_one_cpu() {
    // SAFETY: zeros are an empty set; it outlives the call, whose length is its own.
    let done = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(usize::try_from(libc::sched_getcpu()).expect("a CPU has a number"), &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_sample_tells_what_was_done_and_why() {
    let Some(world) = World::new("a_sample_tells_what_was_done_and_why") else { return };
    let sender = Sender::at_peer(&world);
    let long: Vec<u8> = (0..200).collect();
    for enforce in [true, false] {
        world.node.run(|| {
            let mut datapath = open(&world, enforce);
            let rule = policy::shop().rules[0].id;
            let refused = if enforce { Verdict::Drop } else { Verdict::WouldDrop };
            let story = [
                (frames::udp(DENIED, b"short"), refused, Reason::DenyListed, 0, 0),
                (frames::udp(EXCEPTED, &long), Verdict::Pass, Reason::AllowListed, 0, 0),
                (frames::udp(CUSTOMER, &long), Verdict::Pass, Reason::Clean, SHOP, 0),
                (frames::udp_to(CUSTOMER, 123, frames::SERVICE, b"ntp"), refused, Reason::Rule, SHOP, rule),
                (frames::udp_to(CUSTOMER, 5, 9, b"elsewhere"), Verdict::Pass, Reason::NoTarget, 0, 0),
            ];
            // SAFETY: a C string literal.
            let ifindex = unsafe { libc::if_nametoindex(c"wn0".as_ptr()) };
            assert_eq!(UPLINK, "wn0");
            for (frame, verdict, reason, target, rule) in &story {
                sender.send(frame);
                let [sample] = wait_for(&mut datapath, 1)[..] else { unreachable!("one was waited for") };
                assert_eq!(sample.reason, *reason as u8, "{reason:?}");
                assert_eq!((sample.verdict, u32::from(sample.target)), (*verdict as u8, *target), "{reason:?}");
                assert_eq!((sample.rule, sample.ifindex, sample.weight), (*rule, ifindex, 1), "{reason:?}");
                assert_eq!(sample.length as usize, frame.len(), "{reason:?}");
                let captured = frame.len().min(SAMPLE_BYTES);
                assert_eq!(usize::from(sample.captured), captured, "{reason:?}");
                assert_eq!(sample.bytes[..captured], frame[..captured], "{reason:?}");
                assert!(sample.bytes[captured..].iter().all(|b| *b == 0), "{reason:?}");
                assert!(sample.time_ns > 0);
            }
            assert_eq!(datapath.counters().lost_samples(), LostSamples::default());
            datapath.detach().unwrap();
        });
    }
}

#[test]
fn of_each_kind_the_first_and_then_one_in_so_many_is_sampled() {
    let Some(world) = World::new("of_each_kind_the_first_and_then_one_in_so_many_is_sampled") else { return };
    let sender = Sender::at_peer(&world);
    world.node.run(|| {
        stay_on_one_cpu();
        let mut datapath = open(&world, true);
        // Passed ones: 1 in 4. Dropped ones: 1 in 16.
        datapath.set_sampling(3, 15);
        let mut account = Account::default();
        for n in 0..64u64 {
            let (passed, dropped) = (frames::udp(CUSTOMER, &n.to_be_bytes()), frames::udp(DENIED, &n.to_be_bytes()));
            sender.send_all([&passed, &dropped]);
            account.add(SHOP, Reason::Clean, &passed);
            account.add(0, Reason::DenyListed, &dropped);
        }
        account.check(datapath.counters());
        let samples = wait_for(&mut datapath, 64 / 4 + 64 / 16);
        let numbers = |from: Ipv4Addr, weight: u32| -> Vec<u64> {
            let of = samples.iter().filter(|s| s.bytes[26..30] == from.octets());
            of.inspect(|s| assert_eq!(s.weight, weight))
                .map(|s| u64::from_be_bytes(*s.bytes[42..50].first_chunk().expect("eight bytes")))
                .collect()
        };
        assert_eq!(numbers(CUSTOMER, 4), (0..64).step_by(4).collect::<Vec<_>>());
        assert_eq!(numbers(DENIED, 16), [0, 16, 32, 48]);

        // None at all, and again.
        datapath.set_sampling(u32::MAX, u32::MAX);
        sender.send(&frames::udp(CUSTOMER, b"unseen"));
        account.add(SHOP, Reason::Clean, &frames::udp(CUSTOMER, b"unseen"));
        account.check(datapath.counters());
        assert!(wait_for(&mut datapath, 0).is_empty());
        assert_eq!(datapath.counters().lost_samples(), LostSamples::default());
        datapath.detach().unwrap();
    });
}

#[test]
fn a_flood_gets_no_more_samples_than_the_budget_and_the_ring_allow_and_the_rest_is_counted() {
    let test = "a_flood_gets_no_more_samples_than_the_budget_and_the_ring_allow_and_the_rest_is_counted";
    let Some(world) = World::new(test) else { return };
    let sender = Sender::at_peer(&world);
    world.node.run(|| {
        stay_on_one_cpu();
        let mut datapath = open(&world, true);
        let frame = frames::udp(DENIED, b"flood");
        let mut account = Account::default();
        let flood = |datapath: &Datapath, account: &mut Account, packets: usize| {
            for _ in 0..packets {
                sender.send(&frame);
                account.add(0, Reason::DenyListed, &frame);
            }
            account.check(datapath.counters());
        };

        // The budget: eight within a tick.
        datapath.tables().configure(|c| c.samples_per_tick = 8);
        let start = datapath.now_ticks().unwrap();
        flood(&datapath, &mut account, 4_000);
        let ticks = datapath.now_ticks().unwrap() - start + 1;
        let mut got = Vec::new();
        datapath.drain_samples(&mut got);
        let lost = datapath.counters().lost_samples();
        assert!(got.len() as u64 <= 8 * ticks, "{} samples in {ticks} ticks", got.len());
        assert!(lost.over_budget > 0, "4,000 packets are more than {ticks} ticks have budget for");
        assert_eq!((got.len() as u64 + lost.over_budget, lost.ring_full), (4_000, 0));

        // The ring: 1 MiB, which nobody reads for a while. A record is the sample and eight bytes of the kernel's.
        datapath.tables().configure(|c| c.samples_per_tick = u32::MAX);
        flood(&datapath, &mut account, 9_000);
        got.clear();
        datapath.drain_samples(&mut got);
        let after = datapath.counters().lost_samples();
        assert_eq!(after.over_budget, lost.over_budget);
        assert_eq!(got.len() as u64 + after.ring_full, 9_000);
        let room = (1 << 20) / (size_of::<Sample>() + 8);
        assert!(got.len() <= room && got.len() + 1 >= room, "{} of {room}", got.len());

        // Read empty, it takes samples again.
        flood(&datapath, &mut account, 10);
        assert_eq!(wait_for(&mut datapath, 10).len(), 10);
        assert_eq!(datapath.counters().lost_samples(), after);
        datapath.detach().unwrap();
    });
}
