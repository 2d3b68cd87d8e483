//! Traffic of one target, as counters and samples: customers' SYNs, and two tools'.

use weir_abi::counters::{syn_fact, syn_slot};
use weir_abi::rules::{field, ip_fact, l4_fact};
use weir_abi::{Addr, FEATURE_SLOTS};
use weir_detect::engine::{Engine, Event, Row, Settings};
use weir_detect::vector::Vector;
use weir_detect::watch::Sampled;
use weir_policy::rules::MatchVector;

/// Numbers that look like chance, and are the same each time.
fn mixed(i: u64) -> u64 {
    let z = (i.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (z ^ z >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11
}

fn syn(ttl: u8, length: u16, port: u16, window: u16, offset: u8, layout: u8, facts: u8, source: u64) -> Sampled {
    let mut packet = MatchVector::default();
    let mut word = |at: usize, n: u16| packet[at..at + 2].copy_from_slice(&n.to_be_bytes());
    word(field::LENGTH, length);
    word(field::SOURCE_PORT, port);
    word(field::DESTINATION_PORT, 443);
    word(field::WINDOW, window);
    packet[field::PROTOCOL] = 6;
    packet[field::TTL] = ttl;
    packet[field::TCP_FLAGS] = 2;
    packet[field::DATA_OFFSET] = offset;
    packet[field::OPTION_LAYOUT] = layout;
    packet[field::IP_FACTS] = ip_fact::DF;
    packet[field::L4_FACTS] = l4_fact::PRESENT | l4_fact::PAYLOAD_EMPTY | l4_fact::ACK_ZERO | facts;
    Sampled { packet, source: Addr { hi: 0, lo: source } }
}

/// A customer's SYN: several systems, any port, options.
pub fn customer(i: u64) -> Sampled {
    let n = mixed(i);
    let (window, layout, length) = [(64_240, 17, 60), (65_535, 23, 64), (29_200, 17, 60), (8192, 31, 52)][n as usize % 4];
    let ttl = [52, 49, 116, 57, 121][(n >> 8) as usize % 5];
    syn(ttl, length, 1024 + (n >> 16) as u16 % 60_000, window, 10, layout, 0, n % 300)
}

/// A tool's: no options, sequence numbers that end in zeros, forged sources.
pub fn flood_syn(i: u64) -> Sampled {
    let n = mixed(i ^ 0x5555_0000);
    syn((n >> 40) as u8 | 1, 40, n as u16, 512, 5, 0, l4_fact::SEQ_LOW_ZERO, n)
}

/// Another tool's: options of its own, one window.
pub fn other_syn(i: u64) -> Sampled {
    let n = mixed(i ^ 0x7777_0000);
    syn(64, 44, n as u16, 1234, 6, 99, 0, n)
}

/// An engine and the counters that it reads.
pub struct Traffic {
    pub engine: Engine,
    /// The next window.
    pub number: u64,
    slots: [u64; FEATURE_SLOTS],
    sent: u64,
}

impl Traffic {
    pub fn new() -> Self {
        let mut engine = Engine::new(Settings::default());
        let slots = [0; FEATURE_SLOTS];
        let none = engine.window(0, &[Row { target: 7, slots, asked: Some(0) }]);
        assert_eq!(none, []);
        Self { engine, number: 0, slots, sent: 0 }
    }

    /// So many windows of what `fill` sends in each.
    pub fn windows(&mut self, n: u64, mut fill: impl FnMut(&mut Self)) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..n {
            fill(self);
            events.extend(self.engine.window(self.number, &[Row { target: 7, slots: self.slots, asked: Some(0) }]));
            self.number += 1;
        }
        events
    }

    pub fn customers(&mut self, n: u64) {
        self.send(n, syn_slot(0), customer);
    }

    pub fn flood(&mut self, n: u64) {
        self.send(n, syn_slot(syn_fact::NO_OPTIONS | syn_fact::SEQ_LOW_ZERO), flood_syn);
    }

    pub fn other_flood(&mut self, n: u64) {
        self.send(n, syn_slot(0), other_syn);
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
