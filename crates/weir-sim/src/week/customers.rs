//! What customers' packets look like: a handful of systems, each at its own distance, and what services and their customers say to
//! each other. Header values are those of the systems' own stacks.

use weir_abi::rules::{field, ip_fact, l4_fact};
use weir_detect::watch::Sampled;
use weir_policy::rules::MatchVector;
use weir_policy::rules::term::protocol;
use weir_wire::tcp::flag;

use super::chance::Chance;
use super::visitors;

/// How a system opens connections.
#[derive(Clone, Copy, Debug)]
struct System {
    ttl: u8,
    /// Of its SYNs: length, window, data offset.
    syn: (u16, u16, u8),
    /// Stands for the kinds and the order of a SYN's options.
    layout: u8,
    /// Later segments carry time stamps.
    stamps: bool,
    ports: (u16, u16),
}

/// The layout of a segment with time stamps and nothing else.
const STAMPS: u8 = 77;

/// Windows, Android, Linux servers, iOS and macOS, an old Windows; and the one that a release of the service's own client brings.
const SYSTEMS: [System; 6] = [
    System { ttl: 128, syn: (52, 64_240, 8), layout: 21, stamps: false, ports: (49_152, 65_535) },
    System { ttl: 64, syn: (60, 65_535, 10), layout: 42, stamps: true, ports: (32_768, 60_999) },
    System { ttl: 64, syn: (60, 64_240, 10), layout: 42, stamps: true, ports: (32_768, 60_999) },
    System { ttl: 64, syn: (64, 65_535, 11), layout: 63, stamps: true, ports: (49_152, 65_535) },
    System { ttl: 128, syn: (48, 8192, 7), layout: 84, stamps: false, ports: (1024, 5000) },
    System { ttl: 64, syn: (60, 42_600, 10), layout: 42, stamps: true, ports: (10_000, 20_000) },
];
/// Of a hundred customers, how many have each of the systems that are always there.
const SHARES: [u64; 5] = [30, 35, 10, 23, 2];

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first packet of a connection.
    Syn,
    /// A segment without data.
    Ack,
    /// A segment with data.
    Data,
    /// The last segment of a connection.
    Fin,
    /// A reset.
    Reset,
    /// A question to a name server.
    Query,
    /// A datagram of a game or a call.
    Datagram,
    /// A name server's answer.
    Answer,
    /// An echo request.
    Ping,
    /// A scanner's SYN: no options, a window of its own. Every address on the internet gets some.
    Scan,
}

/// The customers of one service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Customers {
    /// The port that they come to.
    pub port: u16,
    /// The share of them that the newest release has brought.
    pub released: f64,
    /// Where they live: another number, other networks.
    pub region: u64,
}

fn put(packet: &mut MatchVector, at: usize, n: u16) {
    packet[at..at + 2].copy_from_slice(&n.to_be_bytes());
}

impl Customers {
    /// One packet, and who sent it.
    pub fn packet(&self, kind: Kind, chance: &mut Chance) -> Sampled {
        let system = if chance.is(self.released) { &SYSTEMS[5] } else { &SYSTEMS[usual(chance)] };
        let mut v = MatchVector::default();
        v[field::TTL] = system.ttl - chance.between(4, 24) as u8;
        v[field::IP_FACTS] = ip_fact::DF;
        v[field::L4_FACTS] = l4_fact::PRESENT | l4_fact::PAYLOAD_EMPTY;
        put(&mut v, field::SOURCE_PORT, chance.between(system.ports.0.into(), system.ports.1.into()) as u16);
        put(&mut v, field::DESTINATION_PORT, self.port);
        match kind {
            Kind::Query | Kind::Datagram | Kind::Answer => datagram(&mut v, kind, chance),
            Kind::Ping => {
                v[field::PROTOCOL] = protocol::ICMP;
                put(&mut v, field::LENGTH, if chance.is(0.5) { 84 } else { 60 });
                put(&mut v, field::SOURCE_PORT, 8 << 8);
                put(&mut v, field::DESTINATION_PORT, 0);
            }
            _ => segment(&mut v, kind, system, chance),
        }
        // Customers live in some thousands of networks, a few of which are large.
        let source = visitors::at(self.region, chance.below(64) * chance.below(64), chance.below(250));
        Sampled { packet: v, source, weight: 1, proven: false }
    }
}

fn usual(chance: &mut Chance) -> usize {
    let mut at = chance.below(100);
    SHARES
        .iter()
        .position(|share| {
            let here = at < *share;
            at = at.saturating_sub(*share);
            here
        })
        .unwrap_or(0)
}

fn segment(v: &mut MatchVector, kind: Kind, system: &System, chance: &mut Chance) {
    v[field::PROTOCOL] = protocol::TCP;
    let stamps = u16::from(system.stamps) * 12;
    let (mut length, mut window) = (40 + stamps, chance.between(200, 8000) as u16);
    (v[field::DATA_OFFSET], v[field::OPTION_LAYOUT]) = if system.stamps { (8, STAMPS) } else { (5, 0) };
    v[field::TCP_FLAGS] = flag::ACK;
    match kind {
        Kind::Syn => {
            (length, window, v[field::DATA_OFFSET]) = system.syn;
            v[field::OPTION_LAYOUT] = system.layout;
            v[field::TCP_FLAGS] = flag::SYN;
            v[field::L4_FACTS] |= l4_fact::ACK_ZERO;
        }
        Kind::Scan => {
            (length, window) = (40, 1024);
            (v[field::DATA_OFFSET], v[field::OPTION_LAYOUT], v[field::TCP_FLAGS]) = (5, 0, flag::SYN);
            v[field::L4_FACTS] |= l4_fact::ACK_ZERO;
            v[field::IP_FACTS] = 0;
            v[field::TTL] = chance.between(230, 250) as u8;
            put(v, field::SOURCE_PORT, chance.between(32_768, 61_000) as u16);
        }
        Kind::Data => {
            v[field::TCP_FLAGS] |= flag::PSH;
            v[field::L4_FACTS] = l4_fact::PRESENT | l4_fact::PAYLOAD_8;
            length += chance.between(60, 1400) as u16;
            let bytes = chance.bits().to_be_bytes();
            v[field::PAYLOAD..field::PAYLOAD + 8].copy_from_slice(&bytes);
            // Application data of TLS 1.2 and later.
            v[field::PAYLOAD..field::PAYLOAD + 3].copy_from_slice(&[0x17, 3, 3]);
        }
        Kind::Fin => v[field::TCP_FLAGS] |= flag::FIN,
        Kind::Reset => {
            v[field::TCP_FLAGS] = if chance.is(0.5) { flag::RST } else { flag::RST | flag::ACK };
            (length, window, v[field::DATA_OFFSET], v[field::OPTION_LAYOUT]) = (40, 0, 5, 0);
        }
        _ => {}
    }
    put(v, field::LENGTH, length);
    put(v, field::WINDOW, window);
}

fn datagram(v: &mut MatchVector, kind: Kind, chance: &mut Chance) {
    v[field::PROTOCOL] = protocol::UDP;
    v[field::L4_FACTS] = l4_fact::PRESENT | l4_fact::PAYLOAD_8;
    let mut payload = chance.bits().to_be_bytes();
    let length = match kind {
        Kind::Query => {
            payload[2..].copy_from_slice(&[1, 0, 0, 1, 0, 0]);
            chance.between(53, 92)
        }
        Kind::Answer => {
            payload[2..6].copy_from_slice(&[0x81, 0x80, 0, 1]);
            put(v, field::SOURCE_PORT, 53);
            put(v, field::DESTINATION_PORT, chance.between(1024, 65_535) as u16);
            chance.between(70, 512)
        }
        _ => chance.between(40, 280),
    };
    v[field::PAYLOAD..field::PAYLOAD + 8].copy_from_slice(&payload);
    put(v, field::LENGTH, length as u16);
}
