//! Story 2: an agent comes, dies, comes back, is replaced and goes; the kernel never misses a packet, and nothing is left.

mod common;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use common::account::Account;
use common::child::{self, Child};
use common::foreign::{open_pin, pins_of, tcx_or_skip};
use common::netns::run;
use common::policy::{DENIED, EXCEPTED, SHOP};
use common::receiver::Receiver;
use common::sender::Sender;
use common::system::{self, Objects};
use common::world::{UPLINK, World};
use common::{frames, policy, traffic, wait};
use weir_abi::Reason;
use weir_datapath::{Datapath, Hook, OpenOptions, Sizes};
use weir_policy::TableImage;
use weir_policy::image::Names;

/// Tables without their names, which the kernel does not keep.
fn nameless(image: &TableImage) -> TableImage {
    TableImage { names: Names::default(), ..image.clone() }
}

/// Link id, program id and interface of the pinned link of the uplink.
fn link(world: &World, hook: &str) -> (u32, u32) {
    let pin = world.pins.path().join(format!("links/{UPLINK}-{hook}"));
    let shown = run("bpftool", &["link", "show", "pinned", &pin.display().to_string()]).unwrap();
    let id = shown.split(':').next().and_then(|id| id.trim().parse().ok()).expect("a link has an id");
    (id, system::field(&shown, "prog").expect("a link has a program"))
}

const PINS: &str = "WEIR_TEST_PINS";

/// The agent: opens, applies, attaches, and lives until it is killed.
fn agent() -> ! {
    let pins = PathBuf::from(std::env::var_os(PINS).expect("the parent names the pins"));
    let sizes = common::world::small_sizes();
    let options = OpenOptions { interfaces: vec![UPLINK.into()], pins, generic: false, sizes };
    let mut datapath = Datapath::open(options).unwrap();
    datapath.apply(&policy::image(&policy::shop())).unwrap();
    datapath.attach().unwrap();
    child::tell("attached");
    child::wait_for_the_end();
}

fn start_agent(world: &World, test: &str) -> Child {
    let agent = Child::start(test, "agent", &[(PINS, world.pins.path().as_os_str())]);
    agent.expect("attached");
    agent
}

/// One packet of each sender, and what is to be counted for it.
fn one_of_each(sender: &Sender, account: &mut Account, number: u64) {
    for from in traffic::SENDERS {
        let frame = frames::udp(from, &number.to_be_bytes());
        sender.send(&frame);
        count(account, from, &frame);
    }
}

fn count(account: &mut Account, from: std::net::Ipv4Addr, frame: &[u8]) {
    match from {
        DENIED => account.add(0, Reason::DenyListed, frame),
        EXCEPTED => account.add(0, Reason::AllowListed, frame),
        _ => account.add(SHOP, Reason::Clean, frame),
    }
}

#[test]
fn a_killed_agent_leaves_the_kernel_enforcing_and_the_next_one_takes_over() {
    let test = "a_killed_agent_leaves_the_kernel_enforcing_and_the_next_one_takes_over";
    if child::role().is_some() {
        agent();
    }
    let Some(world) = World::new(test) else { return };
    let mut receiver = Receiver::on_node(&world);
    let sender = Sender::at_peer(&world);
    let mut account = Account::default();
    world.node.run(|| {
        let agent = start_agent(&world, test);
        let before = link(&world, "xdp");
        one_of_each(&sender, &mut account, 0);
        agent.kill();
        // Nobody is there now.
        for number in 1..100 {
            one_of_each(&sender, &mut account, number);
        }
        traffic::check(&mut receiver, 0, 100);
        assert_eq!(link(&world, "xdp"), before, "what was attached still is");

        let mut datapath = world.open();
        assert!(datapath.adopted());
        account.check(datapath.counters());
        let applied = policy::image(&policy::shop());
        assert!(*datapath.tables().image() == nameless(&applied), "what is read back is what was applied");
        assert_eq!(datapath.apply(&applied).unwrap().changes, 1, "names, and nothing else");
        let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
        assert_eq!((attached.hook, attached.adopted), (Hook::NativeXdp, true));
        assert_eq!(attached.reason, "taken over from the agent before, without a gap");
        assert!(attached.foreign.is_empty(), "{attached:?}");
        let after = link(&world, "xdp");
        assert_eq!(after.0, before.0, "the same link");
        assert_ne!(after.1, before.1, "with the new agent's program");

        for number in 100..200 {
            one_of_each(&sender, &mut account, number);
        }
        account.check(datapath.counters());
        traffic::check(&mut receiver, 0, 200);
    });
}

/// Restarts under traffic: every packet of the customer arrives, none of the denied sender's, and each is counted once.
#[test]
fn no_packet_is_decided_wrongly_while_agents_come_and_go() {
    let Some(world) = World::new("no_packet_is_decided_wrongly_while_agents_come_and_go") else { return };
    let mut receiver = Receiver::on_node(&world);
    const RESTARTS: u32 = 5;
    let (sent, datapath) = world.node.run(|| {
        let image = policy::image(&policy::shop());
        let mut datapath = world.open();
        datapath.apply(&image).unwrap();
        datapath.attach().unwrap();
        let (link_id, mut program) = link(&world, "xdp");
        traffic::during(&world, |sent| {
            for _ in 0..RESTARTS {
                let start = sent.load(Ordering::Relaxed);
                wait_for(sent, start + 200);
                drop(datapath);
                wait_for(sent, start + 400);
                datapath = world.open();
                assert!(datapath.adopted());
                datapath.apply(&image).unwrap();
                assert!(datapath.attach().unwrap()[0].adopted);
                let now = link(&world, "xdp");
                assert_eq!(now.0, link_id);
                assert_ne!(std::mem::replace(&mut program, now.1), now.1);
            }
            wait_for(sent, sent.load(Ordering::Relaxed) + 200);
            datapath
        })
    });
    traffic::check(&mut receiver, 0, sent);
    let mut account = Account::default();
    for number in 0..sent {
        for from in traffic::SENDERS {
            count(&mut account, from, &frames::udp(from, &number.to_be_bytes()));
        }
    }
    account.check(datapath.counters());
    println!("{RESTARTS} restarts during {} packets: every one decided rightly", 3 * sent);
}

fn wait_for(sent: &AtomicU64, number: u64) {
    wait::until("the traffic goes on", || sent.load(Ordering::Relaxed) >= number);
}

/// An upgrade to other sizes: fresh maps are filled beside the old ones, the link is switched, the old ones go.
#[test]
fn an_upgrade_to_another_layout_has_no_gap() {
    let Some(world) = World::new("an_upgrade_to_another_layout_has_no_gap") else { return };
    let mut receiver = Receiver::on_node(&world);
    let larger = Sizes { targets: 32, source_lines: 1 << 11, prefixes: 1 << 13, ..common::world::small_sizes() };
    let (sent, datapath) = world.node.run(|| {
        let image = policy::image(&policy::shop());
        let mut datapath = world.open();
        datapath.apply(&image).unwrap();
        datapath.attach().unwrap();
        let (link_id, _) = link(&world, "xdp");
        let config = map_id(&world, "maps/CONFIG");
        let upgraded = traffic::during(&world, |sent| {
            wait_for(sent, 500);
            drop(datapath);
            let mut datapath = Datapath::open(OpenOptions { sizes: larger, ..world.options() }).unwrap();
            assert!(!datapath.adopted());
            assert!(world.pins.listing().contains(&"maps-next/CONFIG".to_owned()));
            datapath.apply(&image).unwrap();
            let next = map_id(&world, "maps-next/CONFIG");
            wait_for(sent, sent.load(Ordering::Relaxed) + 500);
            assert!(datapath.attach().unwrap()[0].adopted);
            wait_for(sent, sent.load(Ordering::Relaxed) + 500);
            assert_eq!(map_id(&world, "maps/CONFIG"), next, "the new maps have the place of the old ones");
            datapath
        });
        assert_eq!(link(&world, "xdp").0, link_id, "the same link");
        assert!(world.pins.listing().iter().all(|path| !path.starts_with("maps-")), "{:?}", world.pins.listing());
        wait::until("the old maps go", || !Objects::now().has("map", config));
        upgraded
    });
    traffic::check(&mut receiver, 0, sent);
    // The old maps had the counts of before; what the new ones have is a part, and of the same kinds.
    let counted = Account::read(datapath.counters());
    let each = [(SHOP, Reason::Clean), (0, Reason::DenyListed), (0, Reason::AllowListed)]
        .map(|(target, reason)| counted.one(target, false, reason).packets);
    assert_eq!(each.iter().sum::<u64>(), counted.packets(), "no other counter moved");
    assert!(each.iter().all(|n| (500..=sent).contains(n)), "{each:?} of {sent}");

    // The next agent of that version finds everything.
    drop(datapath);
    world.node.run(|| {
        let datapath = Datapath::open(OpenOptions { sizes: larger, ..world.options() }).unwrap();
        assert!(datapath.adopted());
        assert!(Account::read(datapath.counters()) == counted);
        assert!(*datapath.tables().image() == nameless(&policy::image(&policy::shop())));
    });
}

fn map_id(world: &World, pin: &str) -> u32 {
    let path = world.pins.path().join(pin).display().to_string();
    let shown = run("bpftool", &["map", "show", "pinned", &path]).unwrap();
    shown.split(':').next().and_then(|id| id.trim().parse().ok()).expect("a map has an id")
}

/// Agents that died at every point of an upgrade.
#[test]
fn an_upgrade_that_died_half_way_is_finished_or_forgotten() {
    let Some(world) = World::new("an_upgrade_that_died_half_way_is_finished_or_forgotten") else { return };
    let larger = || OpenOptions { sizes: Sizes { targets: 32, ..common::world::small_sizes() }, ..world.options() };
    let at = |name: &str| world.pins.path().join(name);
    let image = policy::image(&policy::shop());
    let sender = Sender::at_peer(&world);
    let denied = frames::udp(DENIED, &[0; 8]);
    world.node.run(|| {
        let mut account = Account::default();
        let mut drops = |datapath: &Datapath| {
            sender.send(&denied);
            account.add(0, Reason::DenyListed, &denied);
            account.check(datapath.counters());
        };
        let mut datapath = world.open();
        datapath.apply(&image).unwrap();
        datapath.attach().unwrap();
        drops(&datapath);
        let config = map_id(&world, "maps/CONFIG");

        // Died before attaching; then the old version came back.
        drop(datapath);
        drop(Datapath::open(larger()).unwrap());
        assert!(at("maps-next").exists());
        let mut datapath = world.open();
        assert!(datapath.adopted() && !at("maps-next").exists());
        assert!(datapath.attach().unwrap()[0].adopted);
        assert_eq!(map_id(&world, "maps/CONFIG"), config, "tables in force are not replaced by what nobody filled");
        drops(&datapath);
        drop(datapath);

        // Died between the two renames at the end.
        fs::create_dir(at("maps-old")).unwrap();
        fs::rename(at("maps"), at("maps-next")).unwrap();
        let datapath = world.open();
        assert!(datapath.adopted());
        assert_eq!(map_id(&world, "maps/CONFIG"), config);
        drops(&datapath);
        drop(datapath);

        // Died after them.
        fs::create_dir(at("maps-old")).unwrap();
        let datapath = world.open();
        assert!(datapath.adopted() && !at("maps-old").exists());
        drops(&datapath);
        drop(datapath);

        // Died while it made its first maps, or somebody removed one.
        fs::remove_file(at("maps/RULES")).unwrap();
        let mut datapath = world.open();
        assert!(!datapath.adopted());
        datapath.apply(&image).unwrap();
        assert!(datapath.attach().unwrap()[0].adopted, "the link goes on");
        assert_ne!(map_id(&world, "maps/CONFIG"), config);
        let mut account = Account::default();
        sender.send(&denied);
        account.add(0, Reason::DenyListed, &denied);
        account.check(datapath.counters());
    });
}

#[test]
fn detach_leaves_nothing() {
    let test = "detach_leaves_nothing";
    if child::role().is_some() {
        agent();
    }
    let Some(world) = World::new(test) else { return };
    let before = (Objects::now(), world.node.run(|| system::hooks(&world.node)));
    let clean = |what: &str| {
        assert_eq!(system::hooks(&world.node), before.1, "{what}");
        assert!(!world.pins.path().exists(), "{what}: {:?}", world.pins.listing());
    };
    world.node.run(|| {
        // By the agent itself.
        let mut datapath = world.open();
        datapath.apply(&policy::image(&policy::shop())).unwrap();
        datapath.attach().unwrap();
        let attached = link(&world, "xdp");
        assert!(Objects::now().has("link", attached.0) && Objects::now().has("prog", attached.1));
        assert_ne!(system::hooks(&world.node), before.1);
        let gone = datapath.detach().unwrap();
        let (pins, maps) = (weir_abi::maps::PINNED.len(), world.pins.path().join("maps"));
        let mut expected = pins_of("wn0", "xdp").iter().map(|name| format!("link {name}")).collect::<Vec<_>>();
        expected.push(format!("{pins} pins in {}", maps.display()));
        assert_eq!(gone, expected);
        clean("by the agent");
        before.0.come_back();

        // By tcx.
        if tcx_or_skip(test) {
            let mut datapath =
                Datapath::open(OpenOptions { interfaces: vec!["lo".into()], ..world.options() }).unwrap();
            assert_eq!(datapath.attach().unwrap()[0].hook, Hook::Tcx);
            datapath.detach().unwrap();
            clean("by tcx");
        }

        // While an agent runs and goes on holding programs and maps.
        let agent = start_agent(&world, test);
        weir_datapath::detach(world.pins.path()).unwrap();
        clean("beside a running agent");
        assert!(agent.finish().success());
        before.0.come_back();

        // While some process holds the link.
        let agent = start_agent(&world, test);
        let held = open_pin(&world.pins.path().join("links/wn0-xdp").display().to_string());
        agent.kill();
        weir_datapath::detach(world.pins.path()).unwrap();
        clean("with a link held");
        drop(held);
        before.0.come_back();

        // Twice is as good as once.
        assert_eq!(weir_datapath::detach(world.pins.path()).unwrap(), [""; 0]);
    });
}

#[test]
fn pins_of_interfaces_that_are_gone_hinder_nobody() {
    let test = "pins_of_interfaces_that_are_gone_hinder_nobody";
    let Some(world) = World::new(test) else { return };
    let before = Objects::now();
    let options = |name: &str| OpenOptions { interfaces: vec![name.into()], ..world.options() };
    world.node.run(|| {
        world.cable("wn1", "wp1").unwrap();
        let mut datapath = Datapath::open(options("wn1")).unwrap();
        datapath.attach().unwrap();
        drop(datapath);
        world.node.ip("link del wn1").unwrap();
        assert!(world.pins.path().join("links/wn1-xdp").exists());
        weir_datapath::detach(world.pins.path()).unwrap();
        assert!(!world.pins.path().exists());
        before.come_back();

        // The interface went and came back under its name, as pods' do.
        world.cable("wn1", "wp1").unwrap();
        let mut datapath = Datapath::open(options("wn1")).unwrap();
        datapath.attach().unwrap();
        drop(datapath);
        world.node.ip("link del wn1").unwrap();
        world.cable("wn1", "wp1").unwrap();
        let mut datapath = Datapath::open(options("wn1")).unwrap();
        assert!(datapath.adopted(), "the tables are still there");
        let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
        assert!(!attached.adopted, "the link is not: {attached:?}");
        assert_eq!(links(&world), pins_of("wn1", "xdp"));
        drop(datapath);

        // It was renamed.
        world.node.ip("link set wn1 down").unwrap();
        world.node.ip("link set wn1 name wn.2").unwrap();
        let mut datapath = Datapath::open(options("wn.2")).unwrap();
        assert!(datapath.attach().unwrap()[0].adopted);
        assert_eq!(links(&world), pins_of("wn:2", "xdp"));
        drop(datapath);

        // It is no longer asked for.
        let mut datapath = world.open();
        datapath.attach().unwrap();
        assert_eq!(links(&world), pins_of(UPLINK, "xdp"));
        datapath.detach().unwrap();
        before.come_back();
    });
}

/// Interfaces of two namespaces may have the same name and number; a link is only ever taken over where it is.
#[test]
fn a_link_of_another_namespace_is_not_taken_over() {
    let Some(world) = World::new("a_link_of_another_namespace_is_not_taken_over") else { return };
    world.node.run(|| {
        let mut datapath = world.open();
        datapath.attach().unwrap();
    });
    let shown = world.node.ip(&format!("link show dev {UPLINK}")).unwrap();
    let number = shown.split(':').next().expect("an interface has a number");
    let other = common::netns::Netns::new("o").unwrap();
    other.ip(&format!("link add name {UPLINK} index {number} type veth peer name {UPLINK}p index 99")).unwrap();
    other.run(|| {
        let mut datapath = world.open();
        let said = datapath.attach().unwrap_err().to_string();
        assert!(said.starts_with("cannot attach to wn0: the link pinned as "), "{said}");
        assert!(said.contains("is attached to an interface of another network namespace"), "{said}");
    });
    // And there it still is.
    world.node.run(|| {
        let mut datapath = world.open();
        assert!(datapath.attach().unwrap()[0].adopted);
    });
}

/// Names of the pinned links, in their order.
fn links(world: &World) -> Vec<String> {
    let mut names: Vec<_> =
        world.pins.listing().iter().filter_map(|path| Some(path.strip_prefix("links/")?.to_owned())).collect();
    names.sort();
    names
}
