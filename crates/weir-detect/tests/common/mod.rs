//! Traffic of one target, as counters and samples: customers' SYNs, and two tools'.
#![allow(dead_code, reason = "each file of tests uses its part of it")]

use weir_abi::counters::{fact, feature_slot, kind, syn_fact, syn_slot};
use weir_abi::rules::{field, ip_fact, l4_fact};
use weir_abi::{Addr, FEATURE_SLOTS};
use weir_detect::detector::harm::Suffering;
use weir_detect::engine::{Engine, Event, Row, Settings};
use weir_detect::vector::Vector;
use weir_detect::watch::{Label, Sampled, Step};
use weir_policy::rules::MatchVector;

/// Numbers that look like chance, and are the same each time.
fn mixed(i: u64) -> u64 {
    let z = (i.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (z ^ z >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11
}

/// What differs between the SYNs of systems and tools.
struct Syn {
    ttl: u8,
    length: u16,
    port: u16,
    window: u16,
    offset: u8,
    layout: u8,
    facts: u8,
    source: u64,
}

impl Syn {
    fn sampled(self) -> Sampled {
        let mut packet = MatchVector::default();
        let mut word = |at: usize, n: u16| packet[at..at + 2].copy_from_slice(&n.to_be_bytes());
        word(field::LENGTH, self.length);
        word(field::SOURCE_PORT, self.port);
        word(field::DESTINATION_PORT, 443);
        word(field::WINDOW, self.window);
        packet[field::PROTOCOL] = 6;
        packet[field::TTL] = self.ttl;
        packet[field::TCP_FLAGS] = 2;
        packet[field::DATA_OFFSET] = self.offset;
        packet[field::OPTION_LAYOUT] = self.layout;
        packet[field::IP_FACTS] = ip_fact::DF;
        packet[field::L4_FACTS] = l4_fact::PRESENT | l4_fact::PAYLOAD_EMPTY | l4_fact::ACK_ZERO | self.facts;
        Sampled { packet, source: Addr { hi: 0, lo: self.source }, weight: 1, proven: false }
    }
}

/// A customer's SYN: several systems, any port, options.
pub fn customer(i: u64) -> Sampled {
    let n = mixed(i);
    let (window, layout, length) =
        [(64_240, 17, 60), (65_535, 23, 64), (29_200, 17, 60), (8192, 31, 52)][n as usize % 4];
    let ttl = [52, 49, 116, 57, 121][(n >> 8) as usize % 5];
    let port = 1024 + (n >> 16) as u16 % 60_000;
    Syn { ttl, length, port, window, offset: 10, layout, facts: 0, source: n % 300 }.sampled()
}

/// A tool's: no options, sequence numbers that end in zeros, forged sources.
pub fn flood_syn(i: u64) -> Sampled {
    let n = mixed(i ^ 0x5555_0000);
    let (ttl, port, facts) = ((n >> 40) as u8 | 1, n as u16, l4_fact::SEQ_LOW_ZERO);
    Syn { ttl, length: 40, port, window: 512, offset: 5, layout: 0, facts, source: n }.sampled()
}

/// Another tool's: options of its own, one window.
pub fn other_syn(i: u64) -> Sampled {
    let n = mixed(i ^ 0x7777_0000);
    Syn { ttl: 64, length: 44, port: n as u16, window: 1234, offset: 6, layout: 99, facts: 0, source: n }.sampled()
}

/// An answer of a reflector that nobody asked.
pub fn answer(i: u64, port: u16) -> Sampled {
    let n = mixed(i ^ 0x3333_0000);
    let mut packet = MatchVector::default();
    packet[field::PROTOCOL] = 17;
    packet[field::TTL] = (n >> 40) as u8 | 1;
    packet[field::LENGTH..field::LENGTH + 2].copy_from_slice(&(400 + (n >> 20) as u16 % 900).to_be_bytes());
    packet[field::SOURCE_PORT..field::SOURCE_PORT + 2].copy_from_slice(&port.to_be_bytes());
    packet[field::DESTINATION_PORT..field::DESTINATION_PORT + 2].copy_from_slice(&(n as u16).to_be_bytes());
    packet[field::L4_FACTS] = l4_fact::PRESENT;
    Sampled { packet, source: Addr { hi: 0, lo: n % 5000 }, weight: 1, proven: false }
}

/// A datagram from any port.
fn datagram(i: u64, protocol: u8, ttl: u8) -> Sampled {
    let mut packet = MatchVector::default();
    (packet[field::PROTOCOL], packet[field::TTL]) = (protocol, ttl);
    packet[field::LENGTH..field::LENGTH + 2].copy_from_slice(&64u16.to_be_bytes());
    if protocol == 17 {
        let port = 0x8000 | mixed(i) as u16;
        packet[field::SOURCE_PORT..field::SOURCE_PORT + 2].copy_from_slice(&port.to_be_bytes());
        packet[field::DESTINATION_PORT + 1] = 53;
    }
    packet[field::L4_FACTS] = l4_fact::PRESENT;
    Sampled { packet, source: Addr::default(), weight: 1, proven: false }
}

/// Windows in which incidents began, and what they were called.
pub fn began(events: &[Event]) -> Vec<(u64, Label)> {
    let began = events.iter().filter_map(|e| match &e.step {
        Step::Began { label, .. } => Some((e.window, *label)),
        _ => None,
    });
    began.collect()
}

/// Windows in which rules were written.
pub fn signed(events: &[Event]) -> Vec<u64> {
    events.iter().filter(|e| matches!(e.step, Step::Signed { .. })).map(|e| e.window).collect()
}

/// An engine and the counters that it reads.
pub struct Traffic {
    pub engine: Engine,
    /// The next window.
    pub number: u64,
    /// Whether the target's SYNs may be challenged.
    pub challenge: bool,
    /// What its service suffers.
    pub suffers: Option<Suffering>,
    slots: [u64; FEATURE_SLOTS],
    sent: u64,
}

impl Traffic {
    pub fn new() -> Self {
        let mut engine = Engine::new(Settings::default());
        let slots = [0; FEATURE_SLOTS];
        let none = engine.window(0, &[Row { seen: true, ..Row::new(7, slots) }]);
        assert_eq!(none, []);
        Self { engine, number: 0, challenge: false, suffers: None, slots, sent: 0 }
    }

    /// The same traffic before another engine.
    pub fn before(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// Customers of whom nothing is sampled.
    pub fn unseen_customers(&mut self, n: u64) {
        self.slots[usize::from(syn_slot(0))] += n;
    }

    /// So many windows of what `fill` sends in each.
    pub fn windows(&mut self, n: u64, mut fill: impl FnMut(&mut Self)) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..n {
            fill(self);
            let row = Row { seen: true, challenge: self.challenge, suffers: self.suffers, ..Row::new(7, self.slots) };
            events.extend(self.engine.window(self.number, &[row]));
            self.number += 1;
        }
        events
    }

    pub fn customers(&mut self, n: u64) {
        self.send(n, syn_slot(0), customer);
    }

    /// Customers whose handshakes complete.
    pub fn connects(&mut self, n: u64) {
        self.customers(n);
        self.slots[usize::from(fact::COMPLETED)] += n;
    }

    /// Customers who live far away.
    pub fn connects_late(&mut self, n: u64) {
        self.customers(n);
        self.completes_late(n);
    }

    /// Their handshakes, of SYNs of some time ago.
    pub fn completes_late(&mut self, n: u64) {
        self.slots[usize::from(fact::COMPLETED)] += n;
        self.slots[usize::from(fact::LATE)] += n;
    }

    /// Resets of no known connection.
    pub fn answers(&mut self, n: u64) {
        self.slots[usize::from(fact::UNKNOWN)] += n;
        self.slots[usize::from(feature_slot(kind::RST, true, false))] += n;
    }

    pub fn flood(&mut self, n: u64) {
        self.send(n, syn_slot(syn_fact::NO_OPTIONS | syn_fact::SEQ_LOW_ZERO), flood_syn);
    }

    /// TCP packets in connections, and some that are in none.
    pub fn segments(&mut self, known: u64, strays: u64) {
        self.tcp(known, strays, customer);
    }

    /// Resets that end connections.
    pub fn resets(&mut self, n: u64) {
        self.slots[usize::from(fact::KNOWN)] += n;
        self.slots[usize::from(feature_slot(kind::RST, true, false))] += n;
    }

    /// The same from other systems.
    pub fn other_segments(&mut self, known: u64, strays: u64) {
        self.tcp(known, strays, other_syn);
    }

    fn tcp(&mut self, known: u64, strays: u64, packet: impl Fn(u64) -> Sampled) {
        self.slots[usize::from(fact::KNOWN)] += known;
        self.slots[usize::from(fact::UNKNOWN)] += strays;
        let slot = feature_slot(kind::TCP, true, false);
        self.slots[usize::from(slot)] += known + strays;
        for _ in 0..known + strays {
            self.sent += 1;
            let number = self.sent;
            self.engine.sample(7, Vector::Tcp, || packet(number));
        }
    }

    /// Answers from a port that the target never asked.
    pub fn reflected(&mut self, n: u64, port: u16) {
        self.slots[usize::from(feature_slot(kind::UDP_REFLECTION, true, false))] += n;
        for _ in 0..n {
            self.sent += 1;
            let number = self.sent;
            self.engine.sample(7, Vector::UdpReflection, || answer(number, port));
        }
    }

    /// Questions, each from the source and with the TTL that its number has.
    pub fn questions(&mut self, n: u64, asked: impl Fn(u64) -> (u32, u8)) {
        self.datagrams(n, (Vector::Udp, kind::UDP), 17, asked);
    }

    /// The same of echo requests.
    pub fn pings(&mut self, n: u64, sent: impl Fn(u64) -> (u32, u8)) {
        self.datagrams(n, (Vector::Icmp, kind::ICMP), 1, sent);
    }

    /// Questions from a port that reflectors answer from.
    pub fn reflected_questions(&mut self, n: u64, asked: impl Fn(u64) -> (u32, u8)) {
        self.datagrams(n, (Vector::UdpReflection, kind::UDP_REFLECTION), 17, asked);
    }

    /// Packets that the target sends.
    pub fn sends(&mut self, n: u64) {
        self.slots[usize::from(fact::SENT)] += n;
    }

    fn datagrams(&mut self, n: u64, (vector, kind): (Vector, u8), protocol: u8, packet: impl Fn(u64) -> (u32, u8)) {
        self.slots[usize::from(feature_slot(kind, true, false))] += n;
        for _ in 0..n {
            self.sent += 1;
            let (source, ttl) = packet(self.sent);
            let sampled = Sampled { source: Addr::v4(source), ..datagram(self.sent, protocol, ttl) };
            self.engine.sample(7, vector, || sampled);
        }
    }

    /// Answers of which nothing is sampled.
    pub fn unseen_answers(&mut self, n: u64) {
        self.slots[usize::from(feature_slot(kind::UDP_REFLECTION, true, false))] += n;
    }

    pub fn other_flood(&mut self, n: u64) {
        self.send(n, syn_slot(0), other_syn);
    }

    /// Customers who use what the flood of [`other_syn`] looks like, and have proven to be customers.
    pub fn proven(&mut self, n: u64) {
        self.send(n, syn_slot(0), |i| Sampled { proven: true, ..other_syn(i) });
    }

    fn send(&mut self, n: u64, slot: u8, packet: impl Fn(u64) -> Sampled) {
        self.slots[usize::from(slot)] += n;
        for _ in 0..n {
            self.sent += 1;
            let number = self.sent;
            self.engine.sample(7, Vector::Syn, || packet(number));
        }
    }
}
