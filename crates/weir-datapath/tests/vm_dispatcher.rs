//! Story 6: libxdp's dispatcher holds the interface. Weir joins it beside the programs of others, is carried along when they come
//! and go, and leaves without a trace. It takes a kernel with program extensions, and `xdp-loader` as the other user.

mod common;

use std::process::Command;

use common::account::Account;
use common::child::{self, Child};
use common::foreign;
use common::policy::{self, CUSTOMER, DENIED, SHOP};
use common::sender::Sender;
use common::world::{UPLINK, World};
use common::{frames, skip, traffic};
use weir_abi::Reason;
use weir_datapath::{Datapath, Hook, freplace_available};

/// The world with a dispatcher on its uplink, or why not.
fn world(test: &str) -> Option<World> {
    if !freplace_available() {
        skip(test, "this kernel has no program extensions (freplace)");
        return None;
    }
    let world = World::new(test)?;
    world.node.run(|| load("xdpfilt_alw_udp"));
    Some(world)
}

fn object(name: &str) -> String {
    format!("/usr/lib/{}-linux-gnu/bpf/{name}.o", std::env::consts::ARCH)
}

fn loader(args: &[&str]) -> String {
    let ran = Command::new("xdp-loader").args(args).output().expect("xdp-tools are installed");
    assert!(ran.status.success(), "xdp-loader {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

/// A program that passes all packets, as nothing is written into its tables.
fn load(name: &str) {
    loader(&["load", "--mode", "native", UPLINK, &object(name)]);
}

/// Names of the programs in the dispatcher's slots, in order, as libxdp reads them.
fn slots() -> Vec<String> {
    let status = loader(&["status", UPLINK]);
    let in_slot = |line: &str| line.trim_start().strip_prefix("=>")?.split_whitespace().nth(1).map(str::to_owned);
    status.lines().filter_map(in_slot).collect()
}

struct Judge<'a> {
    sender: &'a Sender,
    account: Account,
}

impl Judge<'_> {
    /// Sends one to be passed and one to be dropped; both are counted, once each.
    fn judge(&mut self, datapath: &Datapath) {
        for (from, target, reason) in [(CUSTOMER, SHOP, Reason::Clean), (DENIED, 0, Reason::DenyListed)] {
            let frame = frames::udp(from, &[0; 8]);
            self.sender.send(&frame);
            self.account.add(target, reason, &frame);
        }
        self.account.check(datapath.counters());
    }
}

#[test]
fn weir_joins_is_carried_along_and_leaves() {
    let test = "weir_joins_is_carried_along_and_leaves";
    if child::role().is_some() {
        agent();
    }
    let Some(world) = world(test) else { return };
    let sender = Sender::at_peer(&world);
    world.node.run(|| {
        let theirs = slots();
        assert_eq!(theirs.len(), 1, "{theirs:?}");
        let with_us = vec!["weir_chained".to_owned(), theirs[0].clone()];
        let mut judge = Judge { sender: &sender, account: Account::default() };

        let mut datapath = world.open();
        datapath.apply(&policy::image(&policy::shop())).unwrap();
        let attached = datapath.attach().unwrap()[0].clone();
        println!("{}", attached.reason);
        assert_eq!((attached.hook, attached.adopted), (Hook::Chained, false), "{attached:?}");
        let place = format!("joined libxdp's dispatcher, slot 0 of 2, before {} (id ", theirs[0]);
        assert!(attached.reason.contains(&place), "{}", attached.reason);
        assert_eq!(slots(), with_us, "libxdp reads what we wrote");
        judge.judge(&datapath);

        // A restart puts the new program in the place of the old one.
        drop(datapath);
        let mut datapath = world.open();
        let attached = datapath.attach().unwrap()[0].clone();
        println!("{}", attached.reason);
        assert_eq!((attached.hook, attached.adopted), (Hook::Chained, true), "{attached:?}");
        assert_eq!(slots(), with_us);
        judge.judge(&datapath);
        drop(datapath);

        // A crash leaves it enforcing; somebody joins meanwhile and takes it along.
        let agent = Child::start(test, "agent", &[("WEIR_TEST_PINS", world.pins.path().as_os_str())]);
        agent.expect("attached");
        agent.kill();
        assert_eq!(slots(), with_us);
        load("xdpfilt_alw_tcp");
        let all = slots();
        assert_eq!((all.len(), all.iter().filter(|name| *name == "weir_chained").count()), (3, 1), "{all:?}");
        let mut datapath = world.open();
        judge.judge(&datapath);
        assert_eq!(datapath.attach().unwrap()[0].hook, Hook::Chained);
        assert_eq!(slots(), all);
        judge.judge(&datapath);

        datapath.detach().unwrap();
        let without = all.into_iter().filter(|name| name != "weir_chained").collect::<Vec<_>>();
        assert_eq!(slots(), without, "theirs are there as before");
        loader(&["unload", UPLINK, "--all"]);
        assert!(foreign::xdp_ids(UPLINK).is_empty());
    });
}

fn agent() -> ! {
    let pins = std::env::var_os("WEIR_TEST_PINS").expect("the parent names the pins").into();
    let options = weir_datapath::OpenOptions {
        interfaces: vec![UPLINK.into()],
        pins,
        generic: false,
        sizes: common::world::small_sizes(),
    };
    Datapath::open(options).unwrap().attach().unwrap();
    child::tell("attached");
    child::wait_for_the_end();
}

/// The others leave first: the last one out takes the dispatcher with it.
#[test]
fn the_last_one_out_takes_the_dispatcher_away() {
    let Some(world) = world("the_last_one_out_takes_the_dispatcher_away") else { return };
    world.node.run(|| {
        let mut datapath = world.open();
        assert_eq!(datapath.attach().unwrap()[0].hook, Hook::Chained);
        let status = loader(&["status", UPLINK]);
        let theirs = status.lines().find(|line| line.contains("xdpfilt_alw_udp")).expect("they are there");
        // => priority, name, mode (none in a slot), id …
        let id = theirs.split_whitespace().nth(3).expect("an id");
        loader(&["unload", UPLINK, "--id", id]);
        assert_eq!(slots(), ["weir_chained"], "{status}");
        datapath.detach().unwrap();
        assert!(foreign::xdp_ids(UPLINK).is_empty());
    });
}

/// Without the right to look into the dispatcher nothing can be taken out of it: that is said, and nothing is forgotten.
#[test]
fn leaving_without_the_right_to_is_refused_and_done_later() {
    let test = "leaving_without_the_right_to_is_refused_and_done_later";
    if child::role().is_some() {
        let pins = std::env::var_os("WEIR_TEST_PINS").expect("the parent names the pins");
        let left = weir_datapath::detach(pins.as_ref());
        child::tell(&left.map_or_else(|e| e.to_string(), |gone| format!("{gone:?}")));
        child::wait_for_the_end();
    }
    let Some(world) = world(test) else { return };
    world.node.run(|| {
        let mut datapath = world.open();
        assert_eq!(datapath.attach().unwrap()[0].hook, Hook::Chained);
        drop(datapath);
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps=-sys_admin", "--bounding-set=-sys_admin"]).arg(child::this_binary());
        let pins = [("WEIR_TEST_PINS", world.pins.path().as_os_str())];
        let child = Child::start_by(command, test, "leaver", &pins);
        let said = child.hear();
        assert!(said.contains("leaving it takes CAP_SYS_ADMIN"), "{said}");
        child.kill();
        assert!(slots().contains(&"weir_chained".to_owned()));
        weir_datapath::detach(world.pins.path()).unwrap();
        assert!(!slots().contains(&"weir_chained".to_owned()));
        loader(&["unload", UPLINK, "--all"]);
    });
}

/// Restarts of ours, and others that come and go: every packet is decided, and decided rightly.
#[test]
fn nobody_comes_or_goes_at_the_cost_of_a_packet() {
    let Some(world) = world("nobody_comes_or_goes_at_the_cost_of_a_packet") else { return };
    let mut receiver = common::receiver::Receiver::on_node(&world);
    let (sent, ()) = world.node.run(|| {
        let mut datapath = world.open();
        datapath.apply(&policy::image(&policy::shop())).unwrap();
        assert_eq!(datapath.attach().unwrap()[0].hook, Hook::Chained);
        traffic::during(&world, |_| {
            for _ in 0..3 {
                drop(datapath);
                datapath = world.open();
                assert!(datapath.attach().unwrap()[0].adopted);
            }
            load("xdpfilt_alw_tcp");
            drop(datapath);
            datapath = world.open();
            assert!(datapath.attach().unwrap()[0].adopted);
        })
    });
    traffic::check(&mut receiver, 0, sent);
    assert!(sent > 0);
}
