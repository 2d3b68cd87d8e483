//! Story 3: programs of others on the interface. Whatever Weir does, they stay where they are, and they are named.

mod common;

use std::process::Command;

use common::child::{self, Child};
use common::foreign::{self, Foreign, tcx_or_skip};
use common::policy::{self, CUSTOMER, DENIED, SHOP};
use common::sender::Sender;
use common::world::{UPLINK, World};
use common::{account::Account, frames, skip, traffic};
use weir_abi::Reason;
use weir_datapath::{Datapath, Hook, OpenOptions, freplace_available};

/// Attach, restart, crash, detach beside a program of somebody else.
fn live_beside(test: &str, theirs: fn(&str) -> Foreign, hook: Hook, label: &str) {
    if child::role().is_some() {
        agent();
    }
    if (hook == Hook::Tcx || label == "tcx ingress") && !tcx_or_skip(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    let sender = Sender::at_peer(&world);
    world.node.run(|| {
        let theirs = theirs(UPLINK);
        let there = |when: &str| assert!(theirs.is_on(UPLINK), "{when}: {} is gone", theirs.called());
        there("at first");
        let named = [format!("{label} {}", theirs.called())];

        let mut datapath = world.open();
        datapath.apply(&policy::image(&policy::shop())).unwrap();
        let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
        assert_eq!((attached.hook, &attached.foreign[..]), (hook, &named[..]), "{attached:?}");
        there("attached");
        let mut account = Account::default();
        let mut judge = |datapath: &Datapath| {
            for (from, target, reason) in [(CUSTOMER, SHOP, Reason::Clean), (DENIED, 0, Reason::DenyListed)] {
                let frame = frames::udp(from, &[0; 8]);
                sender.send(&frame);
                account.add(target, reason, &frame);
            }
            account.check(datapath.counters());
        };
        judge(&datapath);

        drop(datapath);
        let mut datapath = world.open();
        let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
        assert_eq!((attached.hook, attached.adopted, &attached.foreign[..]), (hook, true, &named[..]));
        there("restarted");
        judge(&datapath);
        drop(datapath);

        let agent = Child::start(test, "agent", &[("WEIR_TEST_PINS", world.pins.path().as_os_str())]);
        agent.expect("attached");
        agent.kill();
        there("killed");
        let mut datapath = world.open();
        datapath.attach().unwrap();
        judge(&datapath);

        datapath.detach().unwrap();
        there("detached");
        assert_eq!(
            foreign::xdp_ids(UPLINK).len() + foreign::tcx_ids(UPLINK).len() + foreign::filter_ids(UPLINK).len(),
            1
        );
    });
}

fn agent() -> ! {
    let pins = std::env::var_os("WEIR_TEST_PINS").expect("the parent names the pins").into();
    let sizes = common::world::small_sizes();
    let mut datapath =
        Datapath::open(OpenOptions { interfaces: vec![UPLINK.into()], pins, generic: false, sizes }).unwrap();
    datapath.attach().unwrap();
    child::tell("attached");
    child::wait_for_the_end();
}

#[test]
fn native_xdp_of_others_stays() {
    live_beside("native_xdp_of_others_stays", |i| Foreign::xdp("their_xdp", i), Hook::Tcx, "xdp");
}

#[test]
fn an_xdp_link_of_others_stays() {
    live_beside("an_xdp_link_of_others_stays", |i| Foreign::xdp_link("their_link", i), Hook::Tcx, "xdp");
}

#[test]
fn generic_xdp_of_others_stays() {
    live_beside("generic_xdp_of_others_stays", |i| Foreign::generic_xdp("their_generic", i), Hook::Tcx, "xdp");
}

#[test]
fn tcx_programs_of_others_stay() {
    live_beside("tcx_programs_of_others_stay", |i| Foreign::tcx("their_tcx", i), Hook::NativeXdp, "tcx ingress");
}

#[test]
fn tc_filters_of_others_stay() {
    live_beside("tc_filters_of_others_stay", |i| Foreign::filter("their_filter", i), Hook::NativeXdp, "tc ingress");
}

/// On the same hook: ours runs first, so that what it drops costs nobody anything, and theirs sees the rest.
#[test]
fn several_programs_share_tcx() {
    let test = "several_programs_share_tcx";
    if !tcx_or_skip(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    world.node.run(|| {
        let _xdp = Foreign::xdp("their_xdp", UPLINK);
        let tcx = Foreign::tcx("their_tcx", UPLINK);
        let filter = Foreign::filter("their_filter", UPLINK);
        let mut datapath = world.open();
        let attached = datapath.attach().unwrap()[0].clone();
        assert_eq!(attached.hook, Hook::Tcx);
        let named = [
            format!("xdp {}", _xdp.called()),
            format!("tcx ingress {}", tcx.called()),
            format!("tc ingress {}", filter.called()),
        ];
        assert_eq!(attached.foreign, named);
        let order = foreign::tcx_ids(UPLINK);
        assert_eq!((order.len(), order[1]), (2, tcx.id()), "ours, then theirs");
        datapath.detach().unwrap();
        assert_eq!(foreign::tcx_ids(UPLINK), [tcx.id()]);
        assert!(_xdp.is_on(UPLINK) && filter.is_on(UPLINK));
    });
}

/// Generic XDP does not push anybody off either.
#[test]
fn generic_xdp_asked_for_gives_way_as_well() {
    let test = "generic_xdp_asked_for_gives_way_as_well";
    if !tcx_or_skip(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    world.node.run(|| {
        let theirs = Foreign::xdp("their_xdp", UPLINK);
        let mut datapath = Datapath::open(OpenOptions { generic: true, ..world.options() }).unwrap();
        let attached = datapath.attach().unwrap()[0].clone();
        assert_eq!(attached.hook, Hook::Tcx);
        assert!(attached.reason.contains("; no generic XDP: their_xdp"), "{}", attached.reason);
        assert!(theirs.is_on(UPLINK));
    });
}

/// A program of the name of libxdp's dispatcher that is none of its, as its lack of a configuration shows.
#[test]
fn what_only_calls_itself_a_libxdp_dispatcher_is_left_alone() {
    let test = "what_only_calls_itself_a_libxdp_dispatcher_is_left_alone";
    if !tcx_or_skip(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    world.node.run(|| {
        let dispatcher = Foreign::xdp("xdp_dispatcher", UPLINK);
        let mut datapath = world.open();
        let attached = datapath.attach().unwrap()[0].clone();
        assert_eq!(attached.hook, Hook::Tcx);
        let start = format!("no native XDP: {} holds the hook, libxdp's dispatcher; not joined: ", dispatcher.called());
        assert!(attached.reason.starts_with(&start), "{}", attached.reason);
        if !freplace_available() {
            assert!(attached.reason.contains("program extensions (freplace)"), "{}", attached.reason);
        }
        println!("{}", attached.reason);
        assert!(dispatcher.is_on(UPLINK));
    });
}

/// What `xdp-loader` puts there, dispatcher or (where the kernel has no freplace) the bare program.
#[test]
fn programs_of_xdp_loader_stay() {
    let test = "programs_of_xdp_loader_stay";
    if !tcx_or_skip(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    let Some(object) = xdp_tools_object() else { return skip(test, "xdp-tools is not installed") };
    world.node.run(|| {
        // In a mount namespace of its own: xdp-tools pins maps at the root of the bpf filesystem.
        let script = "mount -t bpf bpf /sys/fs/bpf && exec xdp-loader load -m native \"$0\" \"$1\"";
        let loaded = Command::new("unshare").args(["--mount", "sh", "-c", script, UPLINK, &object]).output().unwrap();
        let before = foreign::xdp_ids(UPLINK);
        if before.is_empty() {
            return skip(test, &format!("xdp-loader: {}", String::from_utf8_lossy(&loaded.stderr).trim()));
        }
        let mut datapath = world.open();
        let attached = datapath.attach().unwrap()[0].clone();
        assert_eq!(attached.hook, Hook::Tcx);
        println!("{}", attached.reason);
        assert_eq!(attached.foreign.len(), 1, "{attached:?}");
        assert!(attached.foreign[0].contains(&format!("(id {})", before[0])), "{attached:?}");
        datapath.detach().unwrap();
        assert_eq!(foreign::xdp_ids(UPLINK), before);
    });
}

fn xdp_tools_object() -> Option<String> {
    let arch = std::env::consts::ARCH;
    let path = format!("/usr/lib/{arch}-linux-gnu/bpf/xdpfilt_alw_all.o");
    std::path::Path::new(&path).exists().then_some(path)
}

/// The customers' view: with somebody else's program in front, restarts are as free of gaps as without.
#[test]
fn tcx_links_are_taken_over_without_a_gap() {
    let test = "tcx_links_are_taken_over_without_a_gap";
    if !tcx_or_skip(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    let mut receiver = common::receiver::Receiver::on_node(&world);
    let (sent, ()) = world.node.run(|| {
        let _theirs = Foreign::xdp("their_xdp", UPLINK);
        let mut datapath = world.open();
        datapath.apply(&policy::image(&policy::shop())).unwrap();
        assert_eq!(datapath.attach().unwrap()[0].hook, Hook::Tcx);
        traffic::during(&world, |_| {
            for _ in 0..3 {
                datapath = world.open();
                assert!(datapath.attach().unwrap()[0].adopted);
            }
        })
    });
    traffic::check(&mut receiver, 0, sent);
}
