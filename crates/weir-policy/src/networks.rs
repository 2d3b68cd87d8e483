//! Which targets are neighbours: an attack may be spread over the addresses of one network.

use std::collections::BTreeMap;

use weir_abi::Addr;

use crate::image::TableImage;

/// The network of an address: its IPv4 /24 or IPv6 /64, as a number. The two kinds cannot meet: a global IPv6 prefix has one of its upper
/// bits set.
pub const fn network(addr: Addr) -> u64 {
    if addr.is_v4() { addr.ip4() as u64 >> 8 } else { addr.hi }
}

/// The network of each target, by id: the one with most of its addresses. Targets of no address have none.
pub fn networks(image: &TableImage) -> Vec<Option<u64>> {
    let mut counted: Vec<BTreeMap<u64, usize>> = vec![BTreeMap::new(); image.policies.len()];
    for (key, target) in &image.targets {
        let of = counted.get_mut(*target as usize);
        of.into_iter().for_each(|of| *of.entry(network(key.addr)).or_default() += 1);
    }
    // Of those with as many the lowest.
    let most = |of: BTreeMap<u64, usize>| of.into_iter().rev().max_by_key(|(_, n)| *n).map(|(network, _)| network);
    counted.into_iter().map(most).collect()
}

#[cfg(test)]
mod tests {
    //! Neighbours of both kinds.
    use super::*;
    use weir_abi::{TargetKey, TargetPolicy};

    #[test]
    fn targets_of_one_network_share_its_number() {
        let mut image = TableImage::empty();
        image.policies = vec![TargetPolicy::NONE; 6];
        let v6 = |low: u8| Addr::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, low]);
        let four = |d: u32| Addr::v4(0xc633_6400 + d);
        let all = [(four(1), 1), (four(254), 2), (four(0x100), 2), (four(0x101), 2), (v6(1), 3), (v6(9), 4)];
        image.targets = all.map(|(addr, target)| (TargetKey::new(addr, 443, 6), target)).to_vec();
        let found = networks(&image);
        assert_eq!(found[0], None);
        assert_eq!(found[1], Some(0x00c6_3364));
        assert_eq!(found[2], Some(0x00c6_3365), "where most of its addresses are");
        assert_eq!((found[3], found[3]), (found[4], Some(0x2001_0db8_0000_0001)));
        assert_eq!(found[5], None, "it has no address");
    }
}
