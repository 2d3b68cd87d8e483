//! Story 1: attaching. Every kind of packet is counted exactly, and the hook is the best that the interface has.

mod common;

use std::net::Ipv4Addr;

use common::account::Account;
use common::foreign::{Foreign, tcx_or_skip};
use common::policy::{CUSTOMER, DENIED, EXCEPTED, SHOP};
use common::sender::Sender;
use common::world::{UPLINK, World};
use common::{frames, policy};
use weir_abi::Reason;
use weir_datapath::{Datapath, Hook};

/// One of each kind, with its counter.
fn kinds() -> Vec<(u32, Reason, Vec<u8>)> {
    let (mine, yours) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    vec![
        (SHOP, Reason::Clean, frames::udp(CUSTOMER, &[0; 8])),
        (SHOP, Reason::Clean, frames::udp_in_vlan(CUSTOMER, &[0; 8])),
        (SHOP, Reason::Clean, frames::tcp(CUSTOMER, 443, 0x02)),
        (SHOP, Reason::Clean, frames::ping(CUSTOMER)),
        (SHOP, Reason::TcpNull, frames::tcp(CUSTOMER, 443, 0)),
        (SHOP, Reason::TcpSynFin, frames::tcp(CUSTOMER, 443, 0x03)),
        (SHOP, Reason::Rule, frames::udp_to(CUSTOMER, 123, frames::SERVICE, &[0; 8])),
        (SHOP, Reason::Clean, frames::fragment(CUSTOMER, 1, 0, true)),
        (SHOP, Reason::FragmentFollows, frames::fragment(CUSTOMER, 1, 32, false)),
        (SHOP, Reason::FragmentUnmatched, frames::fragment(CUSTOMER, 2, 32, false)),
        (0, Reason::DenyListed, frames::udp(DENIED, &[0; 8])),
        (0, Reason::AllowListed, frames::udp(EXCEPTED, &[0; 8])),
        (0, Reason::NoTarget, frames::udp_to(CUSTOMER, 40_000, 9, &[0; 8])),
        (0, Reason::NoTarget, frames::udp6(mine, yours)),
        (0, Reason::Ip4BadHeaderLength, frames::malformed(CUSTOMER)),
        (0, Reason::Arp, frames::other(0x0806)),
        (0, Reason::UnknownEtherType, frames::other(0x88b5)),
    ]
}

/// Sends all kinds three times. `tagged`: VLAN tags are in the frame; the kernel has taken the outer one off before tcx, and its
/// four bytes are not counted there.
fn send_and_count(world: &World, datapath: &Datapath, tagged: bool) {
    let sender = Sender::at_peer(world);
    let mut account = Account::read(datapath.counters());
    for round in 1..=3 {
        for (target, reason, frame) in kinds() {
            sender.send(&frame);
            let off = if frame[12..14] == [0x81, 0x00] && !tagged { 4 } else { 0 };
            account.add(target, reason, &frame[off..]);
            account.check(datapath.counters());
        }
        assert_eq!(account.packets() % kinds().len() as u64, 0, "round {round}");
    }
    let rules: Vec<u64> = datapath.counters().rules().iter().map(|c| c.packets).filter(|n| *n != 0).collect();
    assert_eq!(rules, [3], "the one rule, three times");
}

#[test]
fn native_xdp_counts_every_kind_exactly() {
    let Some(world) = World::new("native_xdp_counts_every_kind_exactly") else { return };
    world.node.run(|| {
        let mut datapath = world.open();
        assert!(!datapath.adopted());
        datapath.apply(&policy::image(&policy::shop())).unwrap();
        let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
        assert_eq!((attached.interface.as_str(), attached.hook), (UPLINK, Hook::NativeXdp));
        assert_eq!(attached.reason, "the driver supports native XDP");
        assert!(!attached.adopted && attached.foreign.is_empty(), "{attached:?}");
        send_and_count(&world, &datapath, true);
    });
}

/// Loopback and a bridge have no native XDP.
#[test]
fn tcx_is_taken_where_the_driver_has_no_xdp() {
    let test = "tcx_is_taken_where_the_driver_has_no_xdp";
    if !tcx_or_skip(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    world.node.ip("link add wbr0 type bridge").unwrap();
    world.node.ip("link set wbr0 up").unwrap();
    world.node.run(|| {
        for interface in ["lo", "wbr0"] {
            let mut options = world.options();
            options.interfaces = vec![interface.into()];
            let mut datapath = Datapath::open(options).unwrap();
            let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
            assert_eq!(attached.hook, Hook::Tcx, "{attached:?}");
            assert_eq!(attached.reason, "no native XDP: the driver does not offer it");
            assert!(attached.foreign.is_empty(), "{attached:?}");
            datapath.detach().unwrap();
        }
    });
}

/// Somebody else's XDP program holds the uplink: Weir goes behind it, and judges packet for packet as it would before it.
#[test]
fn tcx_counts_every_kind_exactly() {
    let test = "tcx_counts_every_kind_exactly";
    if !tcx_or_skip(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    world.node.run(|| {
        let foreign = Foreign::xdp("their_xdp", UPLINK);
        let mut datapath = world.open();
        datapath.apply(&policy::image(&policy::shop())).unwrap();
        let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
        assert_eq!(attached.hook, Hook::Tcx);
        assert_eq!(attached.foreign, [format!("xdp {}", foreign.called())]);
        let why = format!(
            "no native XDP: {} holds the hook and is no libxdp dispatcher that could be joined; Weir leaves it alone",
            foreign.called()
        );
        assert_eq!(attached.reason, why);
        send_and_count(&world, &datapath, false);
    });
}

#[test]
fn generic_xdp_is_taken_only_when_asked_for() {
    let Some(world) = World::new("generic_xdp_is_taken_only_when_asked_for") else { return };
    world.node.run(|| {
        let mut options = world.options();
        options.interfaces = vec!["lo".into()];
        options.generic = true;
        let mut datapath = Datapath::open(options.clone()).unwrap();
        let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
        assert_eq!(attached.hook, Hook::GenericXdp);
        assert_eq!(attached.reason, "no native XDP: the driver does not offer it; generic XDP was asked for");
        datapath.detach().unwrap();

        // Where native XDP is to be had, asking for generic changes nothing.
        options.interfaces = vec![UPLINK.into()];
        let mut datapath = Datapath::open(options).unwrap();
        assert_eq!(datapath.attach().unwrap()[0].hook, Hook::NativeXdp);
    });
}

#[test]
fn several_interfaces_share_tables_and_counters() {
    let Some(world) = World::new("several_interfaces_share_tables_and_counters") else { return };
    world.cable("wn1", "wp1").unwrap();
    world.node.run(|| {
        let mut options = world.options();
        options.interfaces.push("wn1".into());
        let mut datapath = Datapath::open(options).unwrap();
        datapath.apply(&policy::image(&policy::shop())).unwrap();
        let hooks: Vec<_> = datapath.attach().unwrap().iter().map(|a| (a.interface.clone(), a.hook)).collect();
        assert_eq!(hooks, [(UPLINK.to_owned(), Hook::NativeXdp), ("wn1".to_owned(), Hook::NativeXdp)]);
        let mut account = Account::default();
        for peer_end in [common::world::PEER, "wp1"] {
            let frame = frames::udp(DENIED, &[0; 8]);
            world.peer.run(|| Sender::on(peer_end)).send(&frame);
            account.add(0, Reason::DenyListed, &frame);
        }
        account.check(datapath.counters());
    });
}

#[test]
fn what_cannot_be_says_why() {
    let Some(world) = World::new("what_cannot_be_says_why") else { return };
    world.node.run(|| {
        let mut options = world.options();
        options.interfaces = vec!["nowhere0".into()];
        let mut datapath = Datapath::open(options).unwrap();
        let said = datapath.attach().unwrap_err().to_string();
        assert_eq!(said, "there is no interface nowhere0 in this network namespace; `ip link` lists them");
        datapath.detach().unwrap();

        let place = std::env::temp_dir().join(format!("weir-test-{}", common::random_suffix())).join("pins");
        let options = weir_datapath::OpenOptions { pins: place.clone(), ..world.options() };
        let said = Datapath::open(options).err().expect("no pins there").to_string();
        assert!(said.contains("is not on a bpf filesystem; mount one with"), "{said}");
        assert!(!place.parent().unwrap().exists(), "nothing is left where no pins can be");
    });
}

/// The same object runs by hand: what the tests of the pipeline build on.
#[test]
fn both_programs_decide_alike() {
    let Some(world) = World::new("both_programs_decide_alike") else { return };
    let sizes = common::world::small_sizes();
    let mut object = weir_datapath::Object::load(&sizes, None).unwrap();
    let mut tables = weir_datapath::Tables::new(&object, &sizes, weir_policy::TableImage::empty()).unwrap();
    tables.initialise().unwrap();
    tables.apply(&policy::image(&policy::shop())).unwrap();
    let from: Ipv4Addr = CUSTOMER;
    for (_, reason, frame) in kinds().into_iter().filter(|(_, _, frame)| frame[14 + 12..14 + 16] == from.octets()) {
        const XDP: [u32; 2] = [2, 1];
        const TCX: [u32; 2] = [u32::MAX, 2];
        let drops = usize::from(reason.drops());
        assert_eq!(object.run_xdp(&frame, 1).unwrap().returned, XDP[drops], "{reason:?}");
        assert_eq!(object.run_tcx(&frame, 1).unwrap().returned, TCX[drops], "{reason:?}");
    }
    drop(world);
}
