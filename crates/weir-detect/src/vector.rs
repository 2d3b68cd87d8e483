//! Attack vectors: the kinds of packets that are watched apart, because a flood of one kind is nothing in the sum of all.

use weir_abi::FEATURE_SLOTS;
use weir_abi::counters::{FACTS, Feature, fact, feature_slot, kind, sum_of};

/// A kind of packets of a target. Every packet is of one; what is told of several of them together has a name as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Vector {
    /// TCP SYN.
    Syn,
    /// TCP SYN with ACK.
    SynAck,
    /// TCP, none of the others.
    Tcp,
    /// TCP RST or FIN.
    RstFin,
    /// UDP, not from a port of reflectors.
    Udp,
    /// UDP from a port of reflectors.
    UdpReflection,
    /// ICMP and ICMPv6.
    Icmp,
    /// Fragments of anything.
    Fragment,
    /// Other IP protocols.
    Other,
    /// Connections that wait for the host, whatever their packets are. No packet is of it.
    Slow,
    /// Connections that new sources open, whatever their packets are. No packet is of it.
    Connections,
}

impl Vector {
    /// All that packets are of, in the order of their numbers.
    pub const ALL: [Vector; 9] = [
        Vector::Syn,
        Vector::SynAck,
        Vector::Tcp,
        Vector::RstFin,
        Vector::Udp,
        Vector::UdpReflection,
        Vector::Icmp,
        Vector::Fragment,
        Vector::Other,
    ];

    /// The vector of the packets in a feature slot ([`weir_abi::counters::feature_slot`]).
    pub const fn of_slot(slot: u8) -> Vector {
        OF_SLOT[slot as usize]
    }

    const fn told(slot: u8) -> Vector {
        if slot < 16 {
            return Vector::Syn;
        }
        if Feature::Fragment.has(slot) {
            return Vector::Fragment;
        }
        match (slot - 16) / 4 {
            kind::SYN_ACK => Vector::SynAck,
            kind::RST | kind::FIN => Vector::RstFin,
            kind::TCP => Vector::Tcp,
            kind::UDP => Vector::Udp,
            kind::UDP_REFLECTION => Vector::UdpReflection,
            kind::ICMP => Vector::Icmp,
            _ => Vector::Other,
        }
    }

    /// Whether packets of it are a part of a client's handshake.
    pub const fn connects(self) -> bool {
        matches!(self, Vector::Syn | Vector::Tcp)
    }

    /// Whether packets of it are TCP's.
    pub const fn is_tcp(self) -> bool {
        matches!(self, Vector::Syn | Vector::SynAck | Vector::Tcp | Vector::RstFin)
    }

    /// What operators call a flood of it.
    pub const fn flood(self) -> &'static str {
        match self {
            Vector::Syn => "SYN flood",
            Vector::SynAck => "SYN-ACK reflection",
            Vector::Tcp => "ACK flood",
            Vector::RstFin => "RST/FIN flood",
            Vector::Udp => "UDP flood",
            Vector::UdpReflection => "UDP reflection",
            Vector::Icmp => "ICMP flood",
            Vector::Fragment => "fragment flood",
            Vector::Other => "IP protocol flood",
            Vector::Slow => "slow connections",
            Vector::Connections => "connection flood",
        }
    }

    /// The word in labels and JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Vector::Syn => "syn",
            Vector::SynAck => "syn_ack",
            Vector::Tcp => "tcp",
            Vector::RstFin => "rst_fin",
            Vector::Udp => "udp",
            Vector::UdpReflection => "udp_reflection",
            Vector::Icmp => "icmp",
            Vector::Fragment => "fragment",
            Vector::Other => "other",
            Vector::Slow => "slow",
            Vector::Connections => "connections",
        }
    }
}

/// Every slot's vector: asked for each slot of each vector of each target in each window.
const OF_SLOT: [Vector; 256] = {
    let mut all = [Vector::Other; 256];
    let mut slot = 0;
    while slot < all.len() {
        all[slot] = Vector::told(slot as u8);
        slot += 1;
    }
    all
};

/// Each vector's slots, a bit each.
const SLOTS: [u64; Vector::ALL.len()] = {
    let mut all = [0; Vector::ALL.len()];
    let mut slot = 0;
    while slot < FACTS {
        all[OF_SLOT[slot as usize] as usize] |= 1 << slot;
        slot += 1;
    }
    all
};

/// What came for one target within a window, by feature slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Packets by slot.
    pub slots: [u64; FEATURE_SLOTS],
}

impl Default for Window {
    fn default() -> Self {
        Self { slots: [0; FEATURE_SLOTS] }
    }
}

impl Window {
    /// What was counted since an earlier reading of the same counters. Counters wrap, and may have been set to zero.
    pub fn since(now: &[u64; FEATURE_SLOTS], before: &[u64; FEATURE_SLOTS]) -> Self {
        // Every target's in every window: written so that the compiler takes several slots at once.
        let (mut slots, mut all) = (*now, 0);
        for (slot, before) in slots.iter_mut().zip(before) {
            *slot = slot.wrapping_sub(*before);
            all |= *slot;
        }
        // What is less than before wraps to more than half of all there is.
        if all > u64::MAX / 2 { Self { slots: *now } } else { Self { slots } }
    }

    /// What would have come in one window, of what came in so many: the reader was late.
    #[must_use]
    pub fn of_many(self, windows: u64) -> Self {
        if windows <= 1 { self } else { Self { slots: self.slots.map(|n| n / windows) } }
    }

    /// Adds a window.
    pub fn add(&mut self, other: &Self) {
        self.slots.iter_mut().zip(&other.slots).for_each(|(sum, n)| *sum = sum.saturating_add(*n));
    }

    /// Takes a window out that was added before.
    pub fn take(&mut self, other: &Self) {
        self.slots.iter_mut().zip(&other.slots).for_each(|(sum, n)| *sum = sum.saturating_sub(*n));
    }

    /// The same without so many RSTs, which are in no connection: a challenge brings one from whoever sent its SYN, and one from the owner
    /// of a forged address.
    #[must_use]
    pub fn without_answers(mut self, challenges: u64) -> Self {
        let mut left = challenges;
        let mut take = |slot: &mut u64| {
            let taken = (*slot).min(left);
            *slot -= taken;
            left -= taken;
        };
        let rst =
            usize::from(feature_slot(kind::RST, false, false))..usize::from(feature_slot(kind::FIN, false, false));
        self.slots.iter_mut().take(rst.end).skip(rst.start).for_each(&mut take);
        let answers = challenges - left;
        let unknown = self.slots.get_mut(usize::from(fact::UNKNOWN));
        unknown.into_iter().for_each(|slot| *slot = slot.saturating_sub(answers));
        self
    }

    /// Packets of a vector; of slow connections all of TCP that neither begin nor end one.
    pub fn packets(&self, vector: Vector) -> u64 {
        let vector = match vector {
            Vector::Slow => Vector::Tcp,
            Vector::Connections => Vector::Syn,
            of_packets => of_packets,
        };
        sum_of(&self.slots, SLOTS.get(vector as usize).copied().unwrap_or(0))
    }

    /// Packets of each vector.
    pub fn by_vector(&self) -> [u64; Vector::ALL.len()] {
        let mut counts = [0; Vector::ALL.len()];
        for (slot, n) in (0..FACTS).zip(&self.slots) {
            counts[Vector::of_slot(slot) as usize] += n;
        }
        counts
    }

    /// Packets with a feature, or how often a fact about connections was seen.
    pub fn feature(&self, feature: Feature) -> u64 {
        match feature.fact() {
            Some(slot) => self.slots.get(usize::from(slot)).copied().unwrap_or(0),
            None => feature.sum(&self.slots),
        }
    }

    /// All packets that came.
    pub fn total(&self) -> u64 {
        self.slots.iter().take(FACTS.into()).sum()
    }
}

#[cfg(test)]
mod tests {
    //! Every slot belongs somewhere, once.
    use super::*;
    use weir_abi::counters::{syn_fact, syn_slot};

    #[test]
    fn vectors_share_the_packets_among_them() {
        let window = Window { slots: std::array::from_fn(|i| i as u64 + 1) };
        let sum: u64 = Vector::ALL.iter().map(|vector| window.packets(*vector)).sum();
        assert_eq!(sum, window.total());
        assert_eq!(window.by_vector(), Vector::ALL.map(|vector| window.packets(vector)));
        assert_eq!(Vector::of_slot(syn_slot(syn_fact::NO_OPTIONS)), Vector::Syn);
        assert_eq!(Vector::of_slot(feature_slot(kind::UDP, true, false)), Vector::Udp);
        assert_eq!(Vector::of_slot(feature_slot(kind::UDP, true, true)), Vector::Fragment);
        for (number, vector) in Vector::ALL.into_iter().enumerate() {
            assert_eq!(vector as usize, number);
        }
    }

    #[test]
    fn answers_to_challenges_are_nobodys_flood() {
        let mut window = Window::default();
        let rst = usize::from(feature_slot(kind::RST, true, false));
        (window.slots[rst], window.slots[usize::from(fact::UNKNOWN)]) = (100, 130);
        window.slots[usize::from(feature_slot(kind::FIN, true, false))] = 9;
        let left = window.without_answers(60);
        assert_eq!((left.packets(Vector::RstFin), left.feature(Feature::UnknownFlow)), (49, 70));
        let left = window.without_answers(1000);
        assert_eq!((left.packets(Vector::RstFin), left.feature(Feature::UnknownFlow)), (9, 30));
    }

    #[test]
    fn a_window_is_a_difference_of_counters() {
        let (mut before, mut now) = ([u64::MAX; FEATURE_SLOTS], [u64::MAX; FEATURE_SLOTS]);
        now[3] = 4;
        assert_eq!(Window::since(&now, &before).slots[3], 5);
        // A restart of the counters: what they show is what came since.
        before[7] = 1000;
        now = [0; FEATURE_SLOTS];
        now[7] = 3;
        before[3] = 10;
        assert_eq!(Window::since(&now, &before).slots[7], 3);
    }
}
