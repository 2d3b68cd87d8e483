//! The order in which entries come that one lookup may meet several of, while it goes from the longest prefix to the shortest.
//!
//! A lookup that did not find a long prefix, because it was not there yet, must not go on to find a short one that came after
//! it. So they come in rounds, and between two rounds all packets on their way end. Where no new prefix lies within another
//! new one, which is the usual change, one round is all.

use weir_abi::target::OWNER;
use weir_abi::{PrefixEntry, PrefixKey, TargetKey};

/// Splits prefixes into rounds: none within a round holds another one of it, and what a prefix holds comes before it.
pub fn of_prefixes(prefixes: &[(PrefixKey, PrefixEntry)]) -> Vec<Vec<(PrefixKey, PrefixEntry)>> {
    let mut order: Vec<usize> = (0..prefixes.len()).collect();
    order.sort_unstable_by_key(|&i| {
        let key = &prefixes[i].0;
        (key.list, key.addr.hi, key.addr.lo, key.len)
    });
    let mut heights = vec![0u32; prefixes.len()];
    // The prefixes that hold the one that is looked at, the outermost first.
    let mut around: Vec<usize> = Vec::new();
    for &i in &order {
        let inner = &prefixes[i].0;
        while let Some(&outer) = around.last() {
            if holds(&prefixes[outer].0, inner) {
                break;
            }
            close(&mut around, &mut heights);
        }
        around.push(i);
    }
    while !around.is_empty() {
        close(&mut around, &mut heights);
    }
    let rounds = heights.iter().max().map_or(0, |height| *height as usize + 1);
    let mut out = vec![Vec::new(); rounds];
    for (entry, height) in prefixes.iter().zip(heights) {
        out[height as usize].push(*entry);
    }
    out
}

/// The innermost prefix is left: the one around it is at least one higher.
fn close(around: &mut Vec<usize>, heights: &mut [u32]) {
    if let Some(inner) = around.pop()
        && let Some(&outer) = around.last()
    {
        heights[outer] = heights[outer].max(heights[inner] + 1);
    }
}

fn holds(outer: &PrefixKey, inner: &PrefixKey) -> bool {
    outer.list == inner.list && outer.len <= inner.len && inner.addr.masked(outer.len) == outer.addr
}

/// Splits destinations into rounds, the most exact ones first, in the order in which the packet path asks for them.
pub fn of_targets(targets: &[(TargetKey, u32)]) -> Vec<Vec<(TargetKey, u32)>> {
    let mut out = vec![Vec::new(); 4];
    for entry in targets {
        let round = match (entry.0.port, entry.0.proto) {
            (1.., _) => 0,
            (0, OWNER) => 3,
            (0, 0) => 2,
            (0, _) => 1,
        };
        out[round].push(*entry);
    }
    out.retain(|round| !round.is_empty());
    out
}

#[cfg(test)]
mod tests {
    //! Nests of prefixes.
    use super::*;
    use weir_abi::Addr;

    fn key(list: u16, ip: u32, len: u8) -> (PrefixKey, PrefixEntry) {
        (PrefixKey::new(Addr::v4(ip).masked(96 + len), list, 96 + len), PrefixEntry::default())
    }

    fn check(prefixes: &[(u16, u32, u8)], rounds: &[&[usize]]) {
        let prefixes: Vec<_> = prefixes.iter().map(|&(list, ip, len)| key(list, ip, len)).collect();
        let wanted: Vec<Vec<_>> = rounds.iter().map(|round| round.iter().map(|&i| prefixes[i]).collect()).collect();
        assert_eq!(of_prefixes(&prefixes), wanted);
    }

    #[test]
    fn what_lies_apart_is_one_round() {
        check(&[], &[]);
        check(&[(0, 0x0a00_0000, 24), (0, 0x0a00_0100, 32), (0, 0x0b00_0000, 8)], &[&[0, 1, 2]]);
        check(&[(0, 0x0a00_0000, 24), (1, 0x0a00_0001, 32)], &[&[0, 1]]);
    }

    #[test]
    fn what_a_prefix_holds_comes_before_it() {
        check(
            &[(0, 0x0a00_0000, 8), (0, 0x0a00_0100, 24), (0, 0x0a00_0101, 32), (0, 0x0a80_0000, 32)],
            &[&[2, 3], &[1], &[0]],
        );
        check(&[(0, 0x0a00_0000, 24), (0, 0x0a00_0000, 32)], &[&[1], &[0]]);
    }

    #[test]
    fn destinations_come_from_exact_to_general() {
        let at = |port, proto| (TargetKey::new(Addr::v4(1), port, proto), 1);
        let (exact, owner) = (at(443, 6), at(0, OWNER));
        assert_eq!(of_targets(&[owner, exact]), [vec![exact], vec![owner]]);
        assert_eq!(of_targets(&[at(0, 0), at(0, 6)]), [vec![at(0, 6)], vec![at(0, 0)]]);
    }
}
