//! Where packets on their way may still look for prefixes as before: the regions that steps since the last grace period wrote.

use weir_abi::maps::SCOPED_LENGTHS_BASE;
use weir_abi::prefix::{LIST_NODE, SLOT6_LEN, slot6};
use weir_abi::{Addr, PrefixKey};
use weir_policy::diff::Step;

/// More regions than this are not told apart.
const MOST: usize = 256;

/// 32 neighbouring blocks of the node's list: a word of the IPv4 /24 table or of the IPv6 /27 table. An address lies in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Region {
    V4(u32),
    V6(u32),
}

/// Regions whose slots, parts or lengths were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looks {
    /// These.
    Some(Vec<u32>, Vec<u32>),
    /// Too many, or all of them.
    All,
}

impl Default for Looks {
    fn default() -> Self {
        Looks::Some(Vec::new(), Vec::new())
    }
}

impl Looks {
    /// Whether nothing was written.
    pub fn is_none(&self) -> bool {
        *self == Looks::default()
    }

    /// Notes what a step wrote.
    pub fn note(&mut self, step: &Step) {
        match step {
            Step::PutParts4(parts) => self.add(parts.iter().map(|(number, _)| Some(Region::V4(number >> 5)))),
            Step::Slots4(words) => self.add(words.iter().map(|(word, _)| Some(Region::V4(*word)))),
            Step::Slots6(words) => self.add(words.iter().map(|(word, _)| Some(Region::V6(*word)))),
            // A target's own list is looked through for all addresses.
            Step::PutLengths(lengths) => {
                self.add(lengths.iter().map(|(key, _)| (*key < SCOPED_LENGTHS_BASE).then_some(Region::V6(key >> 5))))
            }
            Step::WideLens4(_) => *self = Looks::All,
            _ => {}
        }
    }

    fn add(&mut self, regions: impl ExactSizeIterator<Item = Option<Region>>) {
        if regions.len() > MOST {
            *self = Looks::All;
        }
        for region in regions {
            let Looks::Some(v4, v6) = self else { return };
            match region {
                Some(Region::V4(word)) if !v4.contains(&word) => v4.push(word),
                Some(Region::V6(word)) if !v6.contains(&word) => v6.push(word),
                Some(_) => {}
                None => *self = Looks::All,
            }
            if matches!(self, Looks::Some(v4, v6) if v4.len() + v6.len() > MOST) {
                *self = Looks::All;
            }
        }
    }

    /// Whether one of these prefixes has addresses for which packets on their way may look as before.
    pub fn reach<'a>(&self, prefixes: impl Iterator<Item = &'a PrefixKey>) -> bool {
        let mut prefixes = prefixes;
        match self {
            Looks::All => true,
            _ if self.is_none() => false,
            Looks::Some(v4, v6) => prefixes.any(|key| match region(key) {
                Some(Region::V4(word)) => v4.contains(&word),
                Some(Region::V6(word)) => v6.contains(&word),
                None => true,
            }),
        }
    }
}

/// The region that holds all of a prefix of the node's list.
fn region(key: &PrefixKey) -> Option<Region> {
    let Addr { hi, .. } = key.addr;
    match key.list {
        LIST_NODE if key.addr.is_v4() && key.len >= 120 => Some(Region::V4(key.addr.ip4() >> 13)),
        LIST_NODE if !key.addr.is_v4() && key.len >= SLOT6_LEN => Some(Region::V6(slot6(hi) >> 5)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    //! Blocks beside each other and within each other.
    use super::*;
    use weir_abi::{Lengths6, Part4};

    fn v4(ip: u32, len: u8) -> PrefixKey {
        PrefixKey::new(Addr::v4(ip), LIST_NODE, 96 + len)
    }

    fn v6(hi: u64, len: u8) -> PrefixKey {
        PrefixKey::new(Addr { hi, lo: 0 }, LIST_NODE, len)
    }

    #[test]
    fn only_what_lies_in_a_written_region_is_reached() {
        let mut looks = Looks::default();
        assert!(looks.is_none() && !looks.reach([v4(0, 0)].iter()));
        looks.note(&Step::PutParts4(vec![(0x0a_0101, Part4::default())]));
        looks.note(&Step::PutLengths(vec![(slot6(0x2001_0db8 << 32), Lengths6::default())]));
        for (key, reached) in [
            (v4(0x0a01_0107, 32), true),
            (v4(0x0a01_1f00, 24), true),
            (v4(0x0a01_2000, 24), false),
            (v4(0x0b00_0000, 32), false),
            (v4(0x0a00_0000, 8), true),
            (v6(0x2001_0db8 << 32, 32), true),
            (v6(0x2a00_0db8 << 32, 64), false),
            (v6(1 << 61, 8), true),
            (PrefixKey { list: 3, ..v4(0x0b00_0000, 32) }, true),
        ] {
            assert_eq!(looks.reach([key].iter()), reached, "{key:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_everything() {
        let mut looks = Looks::default();
        looks.note(&Step::PutLengths(vec![(SCOPED_LENGTHS_BASE + 2, Lengths6::default())]));
        assert_eq!(looks, Looks::All);
        let mut looks = Looks::default();
        (0..MOST as u32).for_each(|word| looks.note(&Step::Slots4(vec![(word, 1)])));
        assert!(!looks.reach([v4(0xf000_0000, 32)].iter()));
        looks.note(&Step::Slots6(vec![(0, 1)]));
        assert_eq!(looks, Looks::All);
    }
}
