//! Ordinary traffic for a victim: packets of benign captures, sent to another address, in an order that mixes the captures.

use std::net::IpAddr;

use weir_abi::Addr;
use weir_policy::prefix::ip_from;
use weir_wire::{Parsed, packet};

use super::EvalError;
use super::manifest::{Entry, Label};
use crate::link::ethernet;
use crate::pcap::Capture;

/// A packet that can be sent to anyone of its family.
#[derive(Clone, Debug)]
pub struct Held {
    data: Vec<u8>,
    /// Length on the wire.
    pub length: usize,
    /// Where the destination address is.
    at: usize,
    v6: bool,
    source: IpAddr,
}

impl Held {
    /// It is of the victim's family, and not the victim's own: nobody writes to himself.
    fn suits(&self, victim: IpAddr) -> bool {
        self.v6 == victim.is_ipv6() && self.source != victim
    }

    /// The packet, to a victim of its family.
    pub fn to(&self, victim: IpAddr) -> Vec<u8> {
        let mut data = self.data.clone();
        let mut put = |bytes: &[u8]| {
            if let Some(place) = data.get_mut(self.at..self.at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        };
        match victim {
            IpAddr::V4(ip) => put(&ip.octets()),
            IpAddr::V6(ip) => put(&ip.octets()),
        }
        data
    }
}

/// The packets: those that are learned from, and those that come beside attacks.
#[derive(Clone, Debug, Default)]
pub struct Background {
    known: Vec<Held>,
    unseen: Vec<Held>,
}

/// Numbers that look like chance (the finalizer of SplitMix64).
fn mixed(i: u64) -> u64 {
    let z = (i ^ i >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

impl Background {
    /// Of the benign captures of a corpus; every second one is for learning.
    pub fn read(entries: &[Entry]) -> Result<Self, EvalError> {
        let mut background = Self::default();
        for (i, entry) in entries.iter().filter(|entry| entry.label == Label::Benign).enumerate() {
            let half = if i % 2 == 0 { &mut background.known } else { &mut background.unseen };
            for record in Capture::open(&entry.path)? {
                half.extend(held(&record?));
            }
        }
        for half in [&mut background.known, &mut background.unseen] {
            let mut order = (0u64..).zip(std::mem::take(half)).collect::<Vec<_>>();
            order.sort_by_key(|(i, _)| mixed(*i));
            half.extend(order.into_iter().map(|(_, held)| held));
        }
        Ok(background)
    }

    /// Those to learn from that can be sent to a victim.
    pub fn known(&self, victim: IpAddr) -> Vec<&Held> {
        self.known.iter().filter(|held| held.suits(victim)).collect()
    }

    /// The others.
    pub fn unseen(&self, victim: IpAddr) -> Vec<&Held> {
        self.unseen.iter().filter(|held| held.suits(victim)).collect()
    }
}

fn held(record: &crate::pcap::Record) -> Option<Held> {
    let frame = ethernet(record)?;
    let frame = frame.frame();
    let Parsed::Packet(p) = packet::parse(&frame) else { return None };
    let v6 = p.ip.v6;
    let (at, bytes) = if v6 { (p.ip.header + 24, 16) } else { (p.ip.header + 16, 4) };
    let data = frame.data().to_vec();
    let length = weir_wire::Frame::len(&frame);
    let source = ip_from(Addr { hi: p.ip.src.0, lo: p.ip.src.1 });
    (data.len() >= at + bytes).then_some(Held { data, length, at, v6, source })
}
