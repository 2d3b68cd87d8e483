//! Synthetic deny lists. The same numbers on every machine: a list decides how often packets miss the cache.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_policy::Prefix;
use weir_policy::model::{ListEntry, Verdict};
use weir_policy::prefix::{V4_BITS, addr_from};

use super::frames::{CLEAN_V4, CLEAN_V6};

/// A prefix as a feed has it.
pub type Parsed = (IpAddr, u8);

/// `count` IPv4 prefixes from /20 to /31, anywhere: a million of them cover a sixth of all /24s at least in part.
pub fn mixed_v4(count: usize) -> Vec<Parsed> {
    let mut random = Random(12345);
    let one = || {
        let (ip, len) = (random.next() as u32, 20 + (random.next() % 12) as u8);
        (IpAddr::V4(Ipv4Addr::from_bits(ip & u32::MAX << (32 - len))), len)
    };
    listed(count, one)
}

/// The same, and wide prefixes that cover all sources of the lab's IPv4 floods.
pub fn everybody_v4(count: usize) -> Vec<Parsed> {
    let wide = [(8, 5), (16, 4), (32, 3), (64, 3), (96, 6)];
    let mut list: Vec<Parsed> = wide.map(|(first, len)| (IpAddr::V4(Ipv4Addr::new(first, 0, 0, 0)), len)).into();
    list.extend(mixed_v4(count));
    list
}

/// `count` IPv6 prefixes below 2000::/3, from /32 to /64, every fourth a single address.
pub fn mixed_v6(count: usize) -> Vec<Parsed> {
    v6(count, 0x2000_0000_0000_0000, 3)
}

/// The same, all of them below 2a00::/12: lists are written where addresses are in use, a small part of 2000::/3.
pub fn dense_v6(count: usize) -> Vec<Parsed> {
    v6(count, 0x2a00_0000_0000_0000, 12)
}

fn v6(count: usize, below: u64, below_len: u32) -> Vec<Parsed> {
    let mut random = Random(67890);
    let mut i = 0;
    let one = || {
        i += 1;
        let hi = below | random.next() >> below_len;
        let (lo, len) = (random.next(), 32 + (random.next() % 33) as u8);
        let (bits, len) = (u128::from(hi) << 64 | u128::from(lo), if i % 4 == 3 { 128 } else { len });
        (IpAddr::V6(Ipv6Addr::from_bits(bits & u128::MAX << (128 - u32::from(len)))), len)
    };
    listed(count, one)
}

/// Draws prefixes, but none with the addresses that the bench takes for customers'.
fn listed(count: usize, mut one: impl FnMut() -> Parsed) -> Vec<Parsed> {
    let mut list = Vec::with_capacity(count);
    while list.len() < count {
        let drawn = one();
        if ![CLEAN_V4, CLEAN_V6].iter().any(|clean| prefix(&drawn).contains(addr_from(*clean))) {
            list.push(drawn);
        }
    }
    list
}

/// As deny entries of the node's list.
pub fn denied(list: &[Parsed], rule: u32) -> Vec<ListEntry> {
    list.iter().map(|parsed| ListEntry::new(prefix(parsed), Verdict::Deny, rule)).collect()
}

/// As Weir has it.
pub fn prefix(&(address, len): &Parsed) -> Prefix {
    let len = if address.is_ipv4() { len + V4_BITS } else { len };
    Prefix::new(addr_from(address), len).expect("no length above is beyond its family's")
}

/// Marsaglia's xorshift: no quality, but the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 ^ self.0 >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_what_they_say() {
        for (address, len) in mixed_v4(1000) {
            assert!(address.is_ipv4() && (20..=31).contains(&len), "{address}/{len}");
        }
        for (address, len) in mixed_v6(1000) {
            let IpAddr::V6(v6) = address else { panic!("{address}") };
            assert!(v6.octets()[0] >> 5 == 1 && (len == 128 || (32..=64).contains(&len)), "{address}/{len}");
        }
    }
}
