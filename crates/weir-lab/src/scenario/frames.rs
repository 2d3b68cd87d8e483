//! Building blocks of floods: the lab's addresses are filled in, the rest says what kind of attack it is.

use std::net::IpAddr;

use weir_datapath::traffic::{Frame, Payload, Ports, Protocol, Source, Stream};

use crate::plan::{DNS_PORT, NODE_MAC, ROUTER_MAC, pod_v4, pod_v6};
use crate::server::dns;

/// Linux begins with 64, and there is one router between customers and the node.
const CUSTOMERS_HOPS: u8 = 63;
/// Linux's ports of its own (ip_local_port_range).
pub const LINUX_PORTS: Ports = Ports { first: 32_768, count: 28_232 };
/// TCP flags.
pub const SYN: u8 = 0x02;
/// TCP flags.
pub const ACK: u8 = 0x10;

/// IPv4 packets to the first pod.
pub fn v4(name: &str, weight: u32, source: Source, protocol: Protocol, payload: Payload) -> Stream {
    stream(name, weight, source, IpAddr::V4(pod_v4(0)), protocol, payload)
}

/// IPv6 packets to the first pod.
pub fn v6(name: &str, weight: u32, source: Source, protocol: Protocol, payload: Payload) -> Stream {
    stream(name, weight, source, IpAddr::V6(pod_v6(0)), protocol, payload)
}

fn stream(
    name: &str,
    weight: u32,
    source: Source,
    destination: IpAddr,
    protocol: Protocol,
    payload: Payload,
) -> Stream {
    let (from_mac, to_mac) = (ROUTER_MAC, NODE_MAC);
    // Hop limits as packets from all over the world have them on arrival.
    let hops = 37..=61;
    let frame = Frame { from_mac, to_mac, source, destination, destinations: 1, df: false, hops, protocol, payload };
    Stream { name: name.to_owned(), frame, weight }
}

/// The same against so many neighbours, from the first pod's address on.
pub fn carpet(mut stream: Stream, victims: u16) -> Stream {
    stream.frame.destinations = victims.into();
    stream
}

/// The same with what the network adds to customers' packets: they have passed one router, and must not be fragmented.
pub fn as_customers_arrive(mut stream: Stream) -> Stream {
    (stream.frame.hops, stream.frame.df) = (CUSTOMERS_HOPS..=CUSTOMERS_HOPS, true);
    stream
}

/// TCP to a port, without options, as flood tools send it.
pub fn tcp(to: u16, flags: u8) -> Protocol {
    Protocol::Tcp { from: Ports::EPHEMERAL, to: Ports::one(to), flags, options: Vec::new() }
}

/// ACKs with the time stamps that Linux sends in a connection (RFC 7323).
pub fn like_customers(to: u16) -> Protocol {
    let options = vec![1, 1, 8, 10, 0, 0x98, 0x96, 0x80, 0, 0x4c, 0x4b, 0x40];
    Protocol::Tcp { from: Ports::EPHEMERAL, to: Ports::one(to), flags: ACK, options }
}

/// SYNs with the options of a Linux client (tcp_syn_options in net/ipv4/tcp_output.c), from its range of ports.
pub fn syn_like_customers(to: u16) -> Protocol {
    let options = vec![2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0x98, 0x96, 0x80, 0, 0, 0, 0, 1, 3, 3, 7];
    Protocol::Tcp { from: LINUX_PORTS, to: Ports::one(to), flags: SYN, options }
}

/// UDP to a port.
pub fn udp(from: Ports, to: u16) -> Protocol {
    Protocol::Udp { from, to: Ports::one(to) }
}

/// Some neighbouring IPv4 addresses: machines of one botnet.
pub fn botnet_v4(first: [u8; 4], count: u64) -> Source {
    Source::V4 { first: first.into(), count }
}

/// All of an IPv6 prefix. A machine has a /64 and picks its addresses there at will.
pub fn botnet_v6(first: &str, length: u8) -> Source {
    Source::V6 { prefix: first.parse().expect("a constant address"), length }
}

/// Questions to the name server, every source forged.
pub fn questions() -> Vec<Stream> {
    let question = || Payload { bytes: dns::question(0x7777), zeros: 0..=0 };
    let to_names = || udp(Ports::EPHEMERAL, DNS_PORT);
    vec![
        v4("spoofed v4", 3, Source::any_v4(), to_names(), question()),
        v6("spoofed v6", 1, Source::any_v6(), to_names(), question()),
    ]
}

/// Echo requests, every source forged.
pub fn pings() -> Vec<Stream> {
    vec![
        v4("ping v4", 3, Source::any_v4(), Protocol::Echo, Payload::zeros(56)),
        v6("ping v6", 1, Source::any_v6(), Protocol::Echo, Payload::zeros(56)),
    ]
}

/// Fragments that never come together, every source forged.
pub fn fragments() -> Vec<Stream> {
    let (first, later) = (Protocol::Fragment { first_to: Some(DNS_PORT) }, Protocol::Fragment { first_to: None });
    vec![
        v4("later fragments v4", 2, Source::any_v4(), later.clone(), Payload::zeros(256)),
        v4("first fragments v4", 1, Source::any_v4(), first, Payload::zeros(248)),
        v6("later fragments v6", 1, Source::any_v6(), later, Payload::zeros(256)),
    ]
}
