//! Story 8: what the host sends teaches its connections, a restart forgets none, and silence does.

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use common::foreign::tcx_or_skip;
use common::policy::{SHOP, image, shop};
use common::world::{NODE, World};
use weir_abi::Feature;
use weir_abi::flow::{AGE_MASK, AGE_MOST, AGE_SHIFT, MARK_SHIFT};
use weir_datapath::{Datapath, Flows, Object};

const CUSTOMER: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);

fn start(world: &World) -> Datapath {
    let mut datapath = world.open();
    datapath.apply(&image(&shop())).unwrap();
    let [attached] = datapath.attach().unwrap() else { panic!("one interface") };
    assert_eq!(attached.blind, None);
    datapath
}

fn fact(datapath: &Datapath, feature: Feature) -> u64 {
    feature.sum(&datapath.counters().feature_slots(SHOP))
}

/// One question and its answer.
fn talk(customer: &mut TcpStream, server: &mut TcpStream) {
    let mut heard = [0; 4];
    customer.write_all(b"ping").unwrap();
    server.read_exact(&mut heard).unwrap();
    server.write_all(b"pong").unwrap();
    customer.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"pong");
}

#[test]
fn a_connection_is_known_from_its_handshake_on_and_across_restarts() {
    let test = "a_connection_is_known_from_its_handshake_on_and_across_restarts";
    let Some(world) = World::new(test) else { return };
    if !world.node.run(|| tcx_or_skip(test)) {
        return;
    }
    world.introduce(&[CUSTOMER]);
    let mut datapath = world.node.run(|| start(&world));
    let listener = world.node.run(|| TcpListener::bind((NODE, 8080)).unwrap());
    let mut customer = world.peer.run(|| TcpStream::connect(SocketAddr::from((NODE, 8080))).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    let seen = [Feature::Syn, Feature::SynAckSent, Feature::Completed, Feature::UnknownFlow, Feature::RstSent];
    assert_eq!(seen.map(|feature| fact(&datapath, feature)), [1, 1, 1, 0, 0]);
    talk(&mut customer, &mut server);
    assert_eq!(datapath.sweep_flows().unwrap(), 1);

    // The next agent takes the table over.
    drop(datapath);
    datapath = world.node.run(|| start(&world));
    assert!(datapath.adopted());
    let known = fact(&datapath, Feature::KnownFlow);
    talk(&mut customer, &mut server);
    assert_eq!((datapath.sweep_flows().unwrap(), fact(&datapath, Feature::UnknownFlow)), (1, 0));
    assert!(fact(&datapath, Feature::KnownFlow) > known);

    // What nobody has begun is told from it: the host answers with a reset.
    let stray = world.peer.run(|| TcpStream::connect(SocketAddr::from((NODE, 9))));
    assert!(stray.is_err());
    assert_eq!((fact(&datapath, Feature::RstSent), datapath.sweep_flows().unwrap()), (1, 1));
    world.node.run(|| datapath.detach().unwrap());
}

/// A flow in which the host says nothing for long is forgotten, before its age could wrap.
#[test]
fn a_silent_flow_is_forgotten() {
    let test = "a_silent_flow_is_forgotten";
    if let Err(reason) = common::world::permitted() {
        return common::skip(test, &reason);
    }
    let sizes = common::world::small_sizes();
    let mut object = Object::load(&sizes, None).unwrap();
    let cells = weir_datapath::Cells::new(&object, &sizes).unwrap();
    let flows = Flows::new(&object, &sizes).unwrap();
    let now = object.tick().unwrap();
    assert_eq!(flows.sweep(now), 0);
    let mark = |age: u64| weir_abi::Cell32::new(0x1234 << MARK_SHIFT | age as u32 & AGE_MASK);
    let age = now >> AGE_SHIFT;
    let line = weir_abi::FlowLine {
        marks: [age, age - 1, age.wrapping_sub(100)]
            .map(mark)
            .into_iter()
            .chain(std::iter::repeat_with(weir_abi::Cell32::default))
            .take(8)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap(),
    };
    cells.flows.set(3, line);
    assert_eq!(flows.sweep(now), 3);
    let later = |units: u64| now + (units << AGE_SHIFT);
    assert_eq!(flows.sweep(later(u64::from(AGE_MOST) - 100)), 2, "the oldest");
    assert_eq!(flows.sweep(later(u64::from(AGE_MOST) - 1)), 1);
    assert_eq!(flows.sweep(later(u64::from(AGE_MOST))), 0);
}
