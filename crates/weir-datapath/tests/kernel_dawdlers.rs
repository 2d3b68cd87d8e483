//! Story 10: a source that keeps many connections waiting loses those beyond a few, by a reset that the host's own stack believes, and opens no others.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::foreign::{Foreign, tcx_or_skip};
use common::netns::run;
use common::policy::{SHOP, image, shop};
use common::wait::until;
use common::world::{NODE, PEER, UPLINK, World};
use socket2::{Domain, Socket, Type};
use weir_abi::flow::{AGE_SHIFT, SLOW_UNITS};
use weir_abi::policy::{feed, flag};
use weir_abi::{Feature, Reason};
use weir_datapath::{Datapath, Hook};

const DAWDLER: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 3);
const PORT: u16 = 8080;
const AT_ONCE: usize = feed::AT_ONCE as usize;
const CONNECTIONS: usize = AT_ONCE + 2;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

fn socket(from: Ipv4Addr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket
}

/// A client's end of a connection, and the server's.
struct Connection {
    client: TcpStream,
    server: TcpStream,
}

impl Connection {
    /// Connects, and begins a request.
    fn begin(world: &World, listener: &TcpListener, from: Ipv4Addr) -> Self {
        let client = world.peer.run(|| {
            let socket = socket(from);
            socket.connect_timeout(&SocketAddr::from((NODE, PORT)).into(), PATIENCE).expect("a connection");
            TcpStream::from(socket)
        });
        let (server, _) = listener.accept().unwrap();
        for end in [&client, &server] {
            end.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut connection = Self { client, server };
        assert!(connection.says(b"GET / HTTP/1.1\r\n").is_ok());
        connection
    }

    /// The client says something; whether the server hears it.
    fn says(&mut self, what: &[u8]) -> Result<(), ErrorKind> {
        self.client.write_all(what).map_err(|e| e.kind())?;
        let mut heard = vec![0; what.len()];
        self.server.read_exact(&mut heard).map_err(|e| e.kind())?;
        assert_eq!(heard, what);
        Ok(())
    }
}

/// Lets time pass until whoever waits now has waited for long.
fn grow_old(datapath: &mut Datapath) {
    let mut unit = || datapath.now_ticks().unwrap() >> AGE_SHIFT;
    let (before, start) = (unit(), Instant::now());
    let hz = u64::from(weir_datapath::clock::tick_hz());
    let most = Duration::from_secs((u64::from(SLOW_UNITS) << AGE_SHIFT) / hz + 2);
    while unit() - before < u64::from(SLOW_UNITS) {
        assert!(start.elapsed() < most, "the kernel's ticks stand still");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn dropped(datapath: &Datapath, reason: Reason) -> u64 {
    datapath.counters().one(SHOP, false, reason).packets
}

fn story(test: &str, hook: Hook, offloads: &str) {
    let Some(world) = World::new(test) else { return };
    if !world.node.run(|| tcx_or_skip(test)) {
        return;
    }
    world.introduce(&[DAWDLER, OTHER]);
    world.peer.run(|| run("ethtool", &["-K", PEER, "tx", offloads])).unwrap();
    let _other = (hook == Hook::Tcx).then(|| world.node.run(|| Foreign::xdp("others", UPLINK)));
    let mut tables = image(&shop());
    let mut datapath = world.node.run(|| {
        let mut datapath = world.open();
        datapath.apply(&tables).unwrap();
        let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
        assert_eq!((attached.hook, &attached.blind), (hook, &None), "{}", attached.reason);
        datapath
    });
    let listener = world.node.run(|| TcpListener::bind((NODE, PORT)).unwrap());
    let mut held: Vec<_> = (0..CONNECTIONS).map(|_| Connection::begin(&world, &listener, DAWDLER)).collect();
    let mut others = Connection::begin(&world, &listener, OTHER);
    tables.policies[SHOP as usize].flags |= flag::CLOSE;
    datapath.apply(&tables).unwrap();
    grow_old(&mut datapath);

    let line = b"X-Patience: 1\r\n";
    let heard: Vec<_> = held.iter_mut().map(|connection| connection.says(line)).collect();
    let (few, more) = heard.split_at(AT_ONCE);
    assert!(few.iter().all(Result::is_ok), "{heard:?}");
    assert!(more.iter().all(|heard| *heard == Err(ErrorKind::ConnectionReset)), "the server is told: {heard:?}");
    assert_eq!((dropped(&datapath, Reason::KeptWaiting), more.len()), (2, 2));
    assert_eq!(others.says(line), Ok(()), "who keeps one waiting is a slow customer");
    // The client hears of it when it says something again: the server knows no such connection.
    let client = &mut held[AT_ONCE].client;
    client.write_all(line).unwrap();
    assert_eq!(client.read(&mut [0; 8]).map_err(|e| e.kind()), Err(ErrorKind::ConnectionReset));

    let refused = world.peer.run(|| socket(DAWDLER));
    refused.set_nonblocking(true).unwrap();
    // It is on its way.
    let _ = refused.connect(&SocketAddr::from((NODE, PORT)).into());
    until("its SYN is refused", || dropped(&datapath, Reason::Dawdler) > 0);
    Connection::begin(&world, &listener, OTHER);
    let fact = |feature: Feature| feature.sum(&datapath.counters().feature_slots(SHOP));
    assert_eq!((fact(Feature::Completed), fact(Feature::WaitFed)), (CONNECTIONS as u64 + 2, CONNECTIONS as u64 + 1));
    assert_eq!(fact(Feature::WaitFedBeyond), (CONNECTIONS - AT_ONCE) as u64);
    assert!(fact(Feature::Dawdler) > 0);
    world.node.run(|| datapath.detach().unwrap());
}

/// The sender has left its checksums to hardware.
#[test]
fn at_native_xdp() {
    story("at_native_xdp", Hook::NativeXdp, "on");
}

/// The host's stack sums up what it is told.
#[test]
fn at_native_xdp_with_whole_checksums() {
    story("at_native_xdp_with_whole_checksums", Hook::NativeXdp, "off");
}

#[test]
fn at_tcx() {
    story("at_tcx", Hook::Tcx, "on");
}

#[test]
fn at_tcx_with_whole_checksums() {
    story("at_tcx_with_whole_checksums", Hook::Tcx, "off");
}
