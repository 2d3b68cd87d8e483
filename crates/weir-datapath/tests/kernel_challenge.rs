//! Story 9: unmodified clients pass the SYN challenge at every hook, without noticing; who cannot answer stays outside.

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use common::foreign::{Foreign, tcx_or_skip};
use common::netns::run;
use common::policy::{SHOP, image, shop};
use common::skip;
use common::world::{NODE, PEER, UPLINK, World};
use socket2::{Domain, Socket, Type};
use weir_abi::Reason;
use weir_abi::challenge::reply;
use weir_datapath::{Datapath, Hook, OpenOptions};
use weir_policy::model::Challenge;

const CUSTOMER: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);
/// Longer than any client waits before it sends its SYN again for the first time.
const PATIENCE: Duration = Duration::from_secs(10);
const PORT: u16 = 8080;

fn start(options: OpenOptions, hook: Hook, challenge: Challenge) -> Datapath {
    let mut datapath = Datapath::open(options).expect("the packet path opens");
    let mut policy = shop();
    policy.targets[0].challenge = challenge;
    datapath.apply(&image(&policy)).unwrap();
    let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
    assert_eq!((attached.hook, &attached.blind, &attached.mute), (hook, &None, &None), "{}", attached.reason);
    datapath
}

/// SYNs that were challenged, answers to that, SYNs of proven sources, SYNs that passed because they came again.
fn counted(datapath: &Datapath) -> [u64; 4] {
    [Reason::Challenged, Reason::ChallengeAnswer, Reason::Proven, Reason::ChallengeRetry]
        .map(|reason| datapath.counters().one(SHOP, false, reason).packets)
}

/// Connects from an address, as patient as a client.
fn connect(from: Ipv4Addr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect_timeout(&SocketAddr::from((NODE, PORT)).into(), PATIENCE).expect("a connection");
    socket.into()
}

/// Replies that XDP sends itself arrive where the other end of the cable polls, and are lost without an error where it does not. Either is
/// found out by the answers, and no customer stays outside for it.
#[test]
fn the_short_way_is_taken_once_it_is_proven() {
    let test = "the_short_way_is_taken_once_it_is_proven";
    for polls in [true, false] {
        let Some(world) = World::new(test) else { return };
        if !world.node.run(|| tcx_or_skip(test)) {
            return;
        }
        world.introduce(&[CUSTOMER]);
        let _polling = polls.then(|| world.peer.run(|| Foreign::xdp_link("polls", PEER)));
        let mut datapath = world.node.run(|| start(world.options(), Hook::NativeXdp, Challenge::Always));
        let listener = world.node.run(|| TcpListener::bind((NODE, PORT)).unwrap());
        assert_eq!(datapath.tables().config().reply, reply::PROBE);
        let mut said = None;
        let mut customers = 0;
        while said.is_none() {
            customers += 1;
            assert!(customers < 250, "nothing was found out");
            let customer = Ipv4Addr::new(10, 7, 1, customers);
            world.peer.ip(&format!("address add {customer}/24 dev {PEER}")).unwrap();
            world
                .node
                .ip(&format!("neigh replace {customer} lladdr 02:00:00:00:00:02 nud permanent dev {UPLINK}"))
                .unwrap();
            world.node.ip(&format!("route replace {customer} dev {UPLINK}")).unwrap();
            visit_as(&world, &listener, customer);
            said = datapath.review_replies();
        }
        let way = if polls { reply::TRANSMIT } else { reply::STACK };
        assert_eq!(datapath.tables().config().reply, way, "{said:?}");
        let answered = datapath.counters().one(SHOP, false, Reason::TransmittedAnswer).packets;
        assert_eq!(answered > 0, polls, "{answered}");
        visit_as(&world, &listener, CUSTOMER);
        world.node.run(|| datapath.detach().unwrap());
    }
}

/// One connection from its SYN to the last byte.
fn visit(world: &World, listener: &TcpListener) {
    visit_as(world, listener, CUSTOMER);
}

/// The same from an address.
fn visit_as(world: &World, listener: &TcpListener, from: Ipv4Addr) {
    let mut customer = world.peer.run(|| connect(from));
    let (mut server, _) = listener.accept().unwrap();
    let sent = [7; 100_000];
    let answer = std::thread::spawn(move || {
        let mut heard = [0; 4];
        server.read_exact(&mut heard).unwrap();
        server.write_all(&sent).unwrap();
        heard
    });
    customer.write_all(b"ping").unwrap();
    let mut heard = Vec::new();
    customer.read_to_end(&mut heard).unwrap();
    assert_eq!((&answer.join().unwrap(), heard.len()), (b"ping", sent.len()));
}

fn story(test: &str, prepare: impl Fn(&World) -> Option<Foreign>, generic: bool, hook: Hook) {
    let Some(world) = World::new(test) else { return };
    if !world.node.run(|| tcx_or_skip(test)) {
        return;
    }
    world.introduce(&[CUSTOMER]);
    let _other = prepare(&world);
    let options = || OpenOptions { generic, ..world.options() };
    let datapath = world.node.run(|| start(options(), hook, Challenge::Always));
    datapath.tables().configure(|c| c.reply = reply::STACK);
    let listener = world.node.run(|| TcpListener::bind((NODE, PORT)).unwrap());
    visit(&world, &listener);
    assert_eq!(counted(&datapath), [1, 1, 1, 0], "{hook:?}: asked once, answered, let in");
    visit(&world, &listener);
    assert_eq!(counted(&datapath), [1, 1, 2, 0], "{hook:?}: not asked again");

    // The next agent takes over, with what was proven.
    drop(datapath);
    let datapath = world.node.run(|| start(options(), hook, Challenge::Always));
    assert!(datapath.adopted());
    visit(&world, &listener);
    assert_eq!(counted(&datapath), [1, 1, 3, 0], "{hook:?}: an agent later");

    // Nothing is left of it.
    drop(datapath);
    let datapath = world.node.run(|| start(options(), hook, Challenge::Never));
    visit(&world, &listener);
    assert_eq!(counted(&datapath), [1, 1, 3, 0], "{hook:?}: not any more");
    world.node.run(|| datapath.detach().unwrap());
    let left = world.node.run(|| run("bpftool", &["-j", "net", "show", "dev", UPLINK]));
    assert!(left.is_err() || !left.unwrap().contains("weir"), "programs of ours are left");
}

/// The other end of the cable polls nothing: what `XDP_TX` sends there is lost without an error.
#[test]
fn at_native_xdp() {
    story("at_native_xdp", |_| None, false, Hook::NativeXdp);
}

#[test]
fn at_tcx() {
    let occupied = |world: &World| Some(world.node.run(|| Foreign::xdp("others", UPLINK)));
    story("at_tcx", occupied, false, Hook::Tcx);
}

/// A firewall before the client swallows the odd answer. The SYN that the client sends again, a second later, is let in.
#[test]
fn a_client_whose_answer_is_swallowed_gets_in_a_second_later() {
    let test = "a_client_whose_answer_is_swallowed_gets_in_a_second_later";
    let Some(world) = World::new(test) else { return };
    if !world.node.run(|| tcx_or_skip(test)) {
        return;
    }
    let filter = "add table ip t; add chain ip t out { type filter hook output priority 0; }; \
                  add rule ip t out tcp flags rst drop; add chain ip t in { type filter hook input priority 0; }; \
                  add rule ip t in tcp flags & (syn|ack) == syn|ack tcp option maxseg missing drop";
    if let Err(reason) = world.peer.run(|| run("nft", &[filter])) {
        return skip(test, &format!("no nftables: {reason}"));
    }
    world.introduce(&[CUSTOMER]);
    let datapath = world.node.run(|| start(world.options(), Hook::NativeXdp, Challenge::Always));
    datapath.tables().configure(|c| c.reply = reply::STACK);
    let listener = world.node.run(|| TcpListener::bind((NODE, PORT)).unwrap());
    visit(&world, &listener);
    assert_eq!(counted(&datapath), [1, 0, 0, 1]);
    world.node.run(|| datapath.detach().unwrap());
}
