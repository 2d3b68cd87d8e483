//! Story 4: changing the tables while packets run: a million prefixes, random changes, small patches, blocks that expire.

mod common;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aya::programs::XdpMode;
use common::netns::Netns;
use common::random::{Random, many_v4, many_v6, nested, nested_address};
use common::world::{NODE, permitted, small_sizes};
use common::{frames, policy, skip, wait};
use weir_abi::prefix::State;
use weir_abi::{Addr, Reason};
use weir_datapath::{Counters, Object, Sizes, Tables};
use weir_policy::explain::Index;
use weir_policy::limits::Rate;
use weir_policy::model::{Endpoint, ListEntry, Policy, Proto, RateLimits, Target, Verdict};
use weir_policy::{TableImage, lookup, patch};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// A packet path without interfaces but loopback's, where nothing comes: a program that is attached somewhere runs by hand
/// without the kernel first telling every CPU of it.
struct Path {
    object: Object,
    tables: Tables,
    counters: Counters,
    /// Goes last.
    _netns: Netns,
}

fn path(test: &str, sizes: Sizes) -> Option<Path> {
    if let Err(reason) = permitted() {
        skip(test, &reason);
        return None;
    }
    let mut object = Object::load(&sizes, None).unwrap();
    let netns = Netns::new("t").unwrap();
    netns.run(|| object.xdp().unwrap().attach("lo", XdpMode::Skb).unwrap());
    let tables = Tables::new(&object, &sizes, TableImage::empty()).unwrap();
    tables.initialise().unwrap();
    let counters = Counters::new(&object, &sizes).unwrap();
    Some(Path { object, tables, counters, _netns: netns })
}

/// A packet from an address.
fn packet(from: Addr) -> Vec<u8> {
    if from.is_v4() {
        return frames::udp(Ipv4Addr::from(from.ip4()), &[0; 8]);
    }
    frames::udp6(Ipv6Addr::from(from.bits()), Ipv6Addr::LOCALHOST)
}

fn enforcing(lists: Vec<ListEntry>) -> Policy {
    let mut policy = Policy { enforce_node: true, lists, ..Policy::default() };
    for name in ["one", "two", "three"] {
        policy.names.intern(name);
    }
    policy
}

/// What may be counted for addresses of a state.
fn reasons(state: State) -> &'static [Reason] {
    match state {
        State::Allow => &[Reason::AllowListed, Reason::NeverBlock],
        State::Deny => &[Reason::DenyListed, Reason::Blocked],
        State::None | State::Part => &[Reason::NoTarget],
    }
}

/// Addresses whose answer is the same before and after a change must get it all the while.
#[test]
fn random_changes_never_give_a_third_answer() {
    let test = "random_changes_never_give_a_third_answer";
    let Some(Path { mut object, mut tables, counters, .. }) = path(test, small_sizes()) else { return };
    let mut random = Random(0x1234_5678_9abc_def1);
    let now = object.tick().unwrap();
    let (frames, round, stop) = (Mutex::new(vec![packet(Addr::v4(1))]), AtomicU64::new(0), AtomicBool::new(false));
    let mut checked = 0u64;
    // A change waits for packets before and after it: a fifth of a second each.
    let changes = if std::env::var_os("WEIR_LONG").is_some() { 2000 } else { 100 };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let now = frames.lock().unwrap().clone();
                for frame in &now {
                    object.run_xdp(frame, 200).unwrap();
                }
                round.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _raise = Raise(&stop);
        let a_round = || {
            let (start, lock) = (round.load(Ordering::Relaxed), ());
            wait::until("packets run", || round.load(Ordering::Relaxed) >= start + 2);
            lock
        };
        let tally = |counters: &Counters| {
            counters.read(1).into_iter().map(|c| (c.reason, c.counter.packets)).collect::<Vec<_>>()
        };
        for change in 0..changes {
            let image = policy::image_after(&enforcing(nested(&mut random, now)), Some(tables.image()), now);
            let says = |image: &TableImage, addr| lookup::node(&image.lists, addr, now).state;
            // One state at a time, so that the counters tell a wrong answer.
            let state = *random.pick(&[State::None, State::Deny, State::Allow]);
            let steady: Vec<Addr> = (0..64)
                .map(|_| nested_address(&mut random))
                .filter(|addr| says(tables.image(), *addr) == state && says(&image, *addr) == state)
                .take(8)
                .collect();
            if !steady.is_empty() {
                *frames.lock().unwrap() = steady.iter().map(|addr| packet(*addr)).collect();
                a_round();
            }
            let before = tally(&counters);
            tables.apply(&image).unwrap();
            if !steady.is_empty() {
                a_round();
                for (reason, packets) in tally(&counters) {
                    let came = packets - before.iter().find(|(r, _)| *r == reason).map_or(0, |(_, n)| *n);
                    assert!(
                        came == 0 || reasons(state).contains(&reason),
                        "change {change}: {came} packets of addresses that are {state:?} were {reason:?}"
                    );
                    checked += came;
                }
            }
        }
    });
    println!("{checked} packets met {changes} changes and always got the old answer or the new one");
}

struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Loads a list while packets run one by one; says how long it took and how long the slowest packet.
fn load_a_million(path: Path, entries: Vec<ListEntry>, what: &str) -> (Tables, Object, Policy) {
    let Path { mut object, mut tables, _netns, .. } = path;
    let policy = enforcing(entries);
    let watched = packet(Addr::v4(0x0102_0304));
    let stop = AtomicBool::new(false);
    let (mut compiled, mut loaded) = (Duration::ZERO, Duration::ZERO);
    let (mut times, object) = thread::scope(|scope| {
        let packets = scope.spawn(|| {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                times.push(object.run_xdp(&watched, 1).unwrap().each);
            }
            (times, object)
        });
        {
            let _raise = Raise(&stop);
            let start = Instant::now();
            let image = policy::image_after(&policy, None, 0);
            compiled = start.elapsed();
            loaded = tables.apply(&image).unwrap().elapsed;
        }
        packets.join().unwrap()
    });
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    println!(
        "{what}: compiled in {compiled:.2?}, in force after {:.2?}; {} packets meanwhile: half within {:?}, \
         99.9 % within {:?}, the slowest {:?}",
        compiled + loaded,
        times.len(),
        at(0.5),
        at(0.999),
        at(1.0)
    );
    // A packet costs a microsecond; what is more are interrupts, and other work of the machine.
    assert!(at(0.999) < Duration::from_millis(1) && at(1.0) < Duration::from_millis(100));
    (tables, object, policy)
}

#[test]
fn a_million_ipv4_prefixes_load_while_packets_run() {
    let test = "a_million_ipv4_prefixes_load_while_packets_run";
    let Some(path) = path(test, Sizes::for_machine()) else { return };
    let (mut tables, mut object, policy) = load_a_million(path, many_v4(1_000_000), "1,000,000 IPv4 prefixes");

    // All of it is there, and decides.
    let applied = tables.image().clone();
    tables.read_back().unwrap();
    assert!(*tables.image() == applied, "what is read back is what was applied");
    let mut random = Random(99);
    for _ in 0..2000 {
        let addr = Addr::v4(random.next() as u32);
        let drops = lookup::node(&applied.lists, addr, 0).state == State::Deny;
        let returned = object.run_xdp(&packet(addr), 1).unwrap().returned;
        assert_eq!(returned, if drops { XDP_DROP } else { XDP_PASS }, "{:x}", addr.ip4());
    }

    // One block more is in force at once.
    let mut index = Index::new(policy.lists.clone());
    let mut times = Vec::new();
    for i in 0..200 {
        let start = Instant::now();
        let now = object.tick().unwrap();
        let addr = Addr::v4(0x0102_0000 + i * 77);
        let block = ListEntry::new(weir_policy::Prefix::host(addr), Verdict::Deny, 1).until(now + 100_000);
        index.insert(block);
        let patch = patch(tables.image(), &index, block.prefix, &policy.names, now).unwrap().unwrap();
        let computed = start.elapsed();
        times.push(computed + tables.patch(patch.diff).unwrap().elapsed);
        assert_eq!(object.run_xdp(&packet(addr), 1).unwrap().returned, XDP_DROP);
    }
    times.sort_unstable();
    println!(
        "one block among a million: half within {:?}, 99 % within {:?}, the slowest {:?}",
        times[100], times[198], times[199]
    );

    // And nothing of it is there afterwards, again while packets run.
    let start = Instant::now();
    tables.apply(&policy::image(&enforcing(Vec::new()))).unwrap();
    println!("all of it removed in {:.2?}", start.elapsed());
    tables.read_back().unwrap();
    assert!(tables.image().lists == TableImage::empty().lists);
    assert_eq!(object.run_xdp(&packet(Addr::v4(0x0102_0000)), 1).unwrap().returned, XDP_PASS);
}

#[test]
fn a_million_ipv6_prefixes_load_while_packets_run() {
    let test = "a_million_ipv6_prefixes_load_while_packets_run";
    let Some(path) = path(test, Sizes::for_machine()) else { return };
    let (mut tables, mut object, _) = load_a_million(path, many_v6(1_000_000), "1,000,000 IPv6 prefixes");
    let applied = tables.image().clone();
    tables.read_back().unwrap();
    assert!(*tables.image() == applied, "what is read back is what was applied");
    let mut random = Random(99);
    for i in 0..2000 {
        let known = applied.lists.prefixes[random.below(applied.lists.prefixes.len() as u64) as usize].0.addr;
        let addr = if i % 2 == 0 { known } else { Addr { hi: 1 << 61 | random.next() >> 3, lo: random.next() } };
        let drops = lookup::node(&applied.lists, addr, 0).state == State::Deny;
        let returned = object.run_xdp(&packet(addr), 1).unwrap().returned;
        assert_eq!(returned, if drops { XDP_DROP } else { XDP_PASS }, "{addr:x?}");
    }
}

/// Nobody is there when a block ends: the kernel's clock ends it.
#[test]
fn blocks_expire_without_user_space() {
    let test = "blocks_expire_without_user_space";
    let Some(Path { mut object, mut tables, counters, .. }) = path(test, small_sizes()) else { return };
    let blocked = [Addr::v4(0x0a01_0207), Addr { hi: 0x2001_0db8 << 32, lo: 7 }];
    let now = object.tick().unwrap();
    let end = now + 50;
    let host = |addr| ListEntry::new(weir_policy::Prefix::host(addr), Verdict::Deny, 1).until(end);
    let image = policy::image_after(&enforcing(blocked.map(host).to_vec()), None, now);
    tables.apply(&image).unwrap();
    drop(tables);
    for addr in blocked {
        assert_eq!(object.run_xdp(&packet(addr), 1).unwrap().returned, XDP_DROP, "{addr:?}");
    }
    let mut packets = [1u64; 2];
    for (addr, sent) in blocked.into_iter().zip(&mut packets) {
        let frame = packet(addr);
        wait::until("the block ends", || {
            let before = object.tick().unwrap();
            let passed = object.run_xdp(&frame, 1).unwrap().returned == XDP_PASS;
            let after = object.tick().unwrap();
            assert!(if passed { after >= end } else { before < end }, "ticks {before} to {after}, the end is {end}");
            *sent += 1;
            passed
        });
    }
    let counted = counters.read(1);
    let of = |reason| counted.iter().find(|c| c.reason == reason).map_or(0, |c| c.counter.packets);
    assert_eq!(of(Reason::NoTarget), 2, "the first packet of each that passed");
    assert_eq!(of(Reason::Blocked) + 2, packets.iter().sum::<u64>());
    assert_eq!(counted.len(), 2, "{counted:?}");
}

/// A CPU remembers what was said of an address in a partly listed /24, and for no longer than it holds.
#[test]
fn what_is_remembered_of_an_address_ends_with_the_next_change() {
    let test = "what_is_remembered_of_an_address_ends_with_the_next_change";
    let Some(Path { mut object, mut tables, counters, .. }) = path(test, small_sizes()) else { return };
    let [neighbour, host] = [Addr::v4(0x0a01_0207), Addr::v4(0x0a01_0209)];
    let denied = |addr| ListEntry::new(weir_policy::Prefix::host(addr), Verdict::Deny, 1);
    let frame = packet(host);
    let mut expected = [0u64; 3];
    for round in 0..3 {
        for (entries, answer) in [(vec![neighbour], XDP_PASS), (vec![neighbour, host], XDP_DROP)] {
            let list = entries.into_iter().map(denied).collect();
            tables.apply(&policy::image_after(&enforcing(list), Some(tables.image()), 1)).unwrap();
            for _ in 0..2 {
                assert_eq!(object.run_xdp(&frame, 5).unwrap().returned, answer, "round {round}");
                expected[usize::from(answer == XDP_DROP)] += 5;
            }
        }
        // And one that ends by itself is asked for again each time.
        let end = object.tick().unwrap() + 1_000_000;
        let list = vec![denied(neighbour), denied(host).until(end)];
        tables.apply(&policy::image_after(&enforcing(list), Some(tables.image()), 1)).unwrap();
        assert_eq!(object.run_xdp(&frame, 5).unwrap().returned, XDP_DROP, "round {round}");
        expected[2] += 5;
    }
    let counted = counters.read(1);
    let of = |reason| counted.iter().find(|c| c.reason == reason).map_or(0, |c| c.counter.packets);
    assert_eq!([Reason::NoTarget, Reason::DenyListed, Reason::Blocked].map(of), expected);
}

/// A CPU remembers with a target whether, and under which key, it limits sources: a limit counts from the next packet on, and so does its end.
#[test]
fn a_limit_of_sources_counts_from_the_next_packet_on() {
    let test = "a_limit_of_sources_counts_from_the_next_packet_on";
    let Some(Path { mut object, mut tables, counters, .. }) = path(test, small_sizes()) else { return };
    let frame = frames::udp_to(Ipv4Addr::new(10, 1, 2, 9), 40_000, 53, &[0; 8]);
    let mut expected = [0u64; 2];
    for round in 0..3 {
        // Each limit is another one, so that it has cells of its own.
        let tight = |burst| Some(Rate { average: 1, burst, period: Duration::from_secs(10) });
        for limit in [None, tight(1 + round), Some(Rate::per_second(1_000, 1_000 + round)), tight(11 + round)] {
            let mut policy = enforcing(Vec::new());
            let mut target = Target::new("one");
            target.endpoints = vec![Endpoint { addr: NODE.into(), port: 53, proto: 17 }];
            target.enforce = true;
            target.per_source = RateLimits { packets: limit, ..RateLimits::default() };
            policy.targets.push(target);
            tables.apply(&policy::image_after(&policy, Some(tables.image()), 1)).unwrap();
            let passes = limit.map_or(40, |rate| rate.burst.min(40));
            for i in 0..40 {
                let answer = if i < passes { XDP_PASS } else { XDP_DROP };
                assert_eq!(object.run_xdp(&frame, 1).unwrap().returned, answer, "round {round}, {limit:?}, packet {i}");
                expected[usize::from(answer == XDP_DROP)] += 1;
            }
        }
    }
    let counted = counters.read(2);
    let of = |reason| counted.iter().find(|c| c.reason == reason).map_or(0, |c| c.counter.packets);
    assert_eq!([Reason::Clean, Reason::SourcePackets].map(of), expected);
}

/// Which ports are failsafe is told by their remainders first: another port of the same remainder is none, and a new one is one at once.
#[test]
fn failsafe_ports_change_under_traffic() {
    let test = "failsafe_ports_change_under_traffic";
    let Some(Path { mut object, mut tables, counters, .. }) = path(test, small_sizes()) else { return };
    let from = Ipv4Addr::new(10, 1, 2, 9);
    let frame = |proto, port| match proto {
        Proto::Tcp => frames::tcp(from, port, 2),
        Proto::Udp => frames::udp_to(from, 40_000, port, &[0; 8]),
    };
    let mut passed = 0;
    let ports = [(Proto::Tcp, 22), (Proto::Tcp, 22 + 64), (Proto::Udp, 22), (Proto::Udp, 22 + 64), (Proto::Tcp, 80)];
    for failsafe in [vec![ports[0]], vec![ports[1], ports[2]], Vec::new(), vec![ports[4], ports[3]]] {
        let list = vec![ListEntry::new(weir_policy::Prefix::host(Addr::v4(0x0a01_0209)), Verdict::Deny, 1)];
        let wanted = Policy { failsafe: failsafe.clone(), ..enforcing(list) };
        tables.apply(&policy::image_after(&wanted, Some(tables.image()), 1)).unwrap();
        for (proto, port) in ports {
            let is_one = failsafe.contains(&(proto, port));
            let answer = if is_one { XDP_PASS } else { XDP_DROP };
            assert_eq!(
                object.run_xdp(&frame(proto, port), 3).unwrap().returned,
                answer,
                "{proto:?} {port} in {failsafe:?}"
            );
            passed += 3 * u64::from(is_one);
        }
    }
    let counted = counters.read(1);
    let of = |reason| counted.iter().find(|c| c.reason == reason).map_or(0, |c| c.counter.packets);
    assert_eq!([of(Reason::Failsafe), of(Reason::DenyListed)], [passed, 4 * 5 * 3 - passed]);
}

/// What does not fit is refused before anything has changed, also where old and new would fit one after the other.
#[test]
fn what_does_not_fit_changes_nothing() {
    let test = "what_does_not_fit_changes_nothing";
    let sizes = Sizes { parts: 64, prefixes: 64, ..small_sizes() };
    let Some(Path { object, mut tables, .. }) = path(test, sizes) else { return };
    let hosts = |first: u32, count: u32| {
        let host = |i| ListEntry::new(weir_policy::Prefix::host(Addr::v4(first + i * 256)), Verdict::Deny, 1);
        policy::image(&enforcing((0..count).map(host).collect()))
    };
    let said = |result: weir_datapath::ApplyReport| panic!("{result:?}");
    let first = hosts(0x0a00_0001, 40);
    tables.apply(&first).unwrap();
    let refused = tables.apply(&hosts(0x0a00_0001, 65)).map(said).unwrap_err();
    assert_eq!(refused.to_string(), "table PARTS4 cannot hold 65 entries (its size is 64)");
    let refused = tables.apply(&hosts(0x0b00_0001, 40)).map(said).unwrap_err();
    assert!(refused.to_string().starts_with("table PARTS4 cannot hold 80 entries"), "{refused}");
    let names = tables.image().names.clone();
    tables.read_back().unwrap();
    assert!(tables.image().lists == first.lists && tables.image().names == names);
    // Half of it is the same: that fits.
    tables.apply(&hosts(0x0a00_0001 + 20 * 256, 40)).unwrap();
    drop(object);
}
