//! A target's benign packets: an even choice among all that were seen while it was calm, of bounded size.
//!
//! Vitter's algorithm R ("Random sampling with a reservoir", 1985) with a generator of its own, seeded: the same packets in the same
//! order leave the same reservoir.

use weir_policy::rules::MatchVector;

/// Headers that are kept at most.
pub const MOST: usize = 20_000;

/// The packets.
#[derive(Clone, Debug)]
pub struct Reservoir {
    packets: Vec<MatchVector>,
    most: usize,
    seen: u64,
    state: u64,
}

impl Reservoir {
    /// An empty one.
    pub fn new(most: usize, seed: u64) -> Self {
        Self { packets: Vec::new(), most, seen: 0, state: seed }
    }

    /// Takes a packet, or does not.
    pub fn add(&mut self, packet: MatchVector) {
        self.seen += 1;
        if self.packets.len() < self.most {
            self.packets.push(packet);
            return;
        }
        // The product's high word is even over 0..seen, but for a share of 2^-64.
        let at = ((u128::from(self.random()) * u128::from(self.seen)) >> 64) as usize;
        if let Some(place) = self.packets.get_mut(at) {
            *place = packet;
        }
    }

    /// Gives up every other packet, and the room for it, down to a least size.
    pub fn halve(&mut self, least: usize) {
        self.most = (self.most / 2).max(least);
        let mut keep = false;
        self.packets.retain(|_| {
            keep = !keep;
            keep
        });
        self.packets.truncate(self.most);
        self.packets.shrink_to_fit();
    }

    /// Packets that it was chosen from.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// What it holds.
    pub fn packets(&self) -> &[MatchVector] {
        &self.packets
    }

    /// SplitMix64: a counter, mixed.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.state)
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): every bit of a number depends on all.
pub(crate) fn mixed(mut z: u64) -> u64 {
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    //! It is even, bounded and repeatable.
    use super::*;

    fn packet(number: u32) -> MatchVector {
        let mut packet = MatchVector::default();
        packet[..4].copy_from_slice(&number.to_be_bytes());
        packet
    }

    #[test]
    fn late_packets_are_as_likely_as_early_ones() {
        let mut reservoir = Reservoir::new(1000, 7);
        (0..100_000).for_each(|i| reservoir.add(packet(i)));
        assert_eq!(reservoir.packets().len(), 1000);
        let late = reservoir.packets().iter().filter(|p| **p >= packet(50_000)).count();
        assert!((430..570).contains(&late), "{late}");
        let mut half = reservoir.clone();
        half.halve(10);
        (100_000..101_000).for_each(|i| half.add(packet(i)));
        assert_eq!(half.packets().len(), 500);
        let late = half.packets().iter().filter(|p| **p >= packet(50_000)).count();
        assert!((200..300).contains(&late), "{late}");
        let mut again = Reservoir::new(1000, 7);
        (0..100_000).for_each(|i| again.add(packet(i)));
        assert_eq!(again.packets(), reservoir.packets());
    }
}
