//! Who lives where: the addresses of the lab. They exist in the lab's namespaces only; every lab has the same ones.
//!
//! ```text
//!   cust ns                     router ns                        node ns                     pod ns
//!   eth0 10.77.64.0/18 ── cust0 10.77.64.1
//!   fd77:64::/32                 │ routes        node0 ──── up0 10.77.0.2 ── routes ── br0 ── eth0 10.77.1.10
//!   atk ns                       │              10.77.0.1        fd77::2      10.77.1.1       fd77:1::10
//!   wl…-atk0  ─────────── atk0 ──┘ XDP redirect
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Router's and node's ends of the uplink.
pub const ROUTER_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The same in IPv6.
pub const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
/// The node's address on its uplink.
pub const NODE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// The same in IPv6.
pub const NODE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);
/// The pods' gateway: the node's bridge.
pub const BRIDGE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 1);
/// The same in IPv6.
pub const BRIDGE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 1, 0, 0, 0, 0, 0, 1);
/// The customers' network.
pub const CUSTOMERS_V4: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 77, 64, 0), 18);
/// The same in IPv6. Each customer has a /48 of its own, for that is what one customer of a provider may have.
pub const CUSTOMERS_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfd77, 0x64, 0, 0, 0, 0, 0, 0), 32);
/// The customers' gateway: the router.
pub const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 64, 1);
/// The same in IPv6.
pub const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0x64, 0, 0, 0, 0, 0, 1);

/// The network of attackers' machines with connections of their own.
pub const BOTS_V4: (Ipv4Addr, u8) = (Ipv4Addr::new(203, 0, 113, 0), 24);
/// The same in IPv6; each machine has a /64 of its own.
pub const BOTS_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2001, 0xdb8, 0x66, 0, 0, 0, 0, 0), 48);
/// Their gateway: the router.
pub const BOTS_GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// The same in IPv6.
pub const BOTS_GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x66, 0xffff, 0, 0, 0, 1);

/// The interface that Weir protects, in the node's namespace.
pub const UPLINK: &str = "up0";
/// The uplink's MAC addresses are fixed, so that a flood's frames can be written without asking.
pub const NODE_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 0x02];
/// Router's end.
pub const ROUTER_MAC: [u8; 6] = [0x02, 0x77, 0, 0, 0, 0x01];

/// Port of the web server in every pod.
pub const HTTP_PORT: u16 = 80;
/// Port of the name server in every pod.
pub const DNS_PORT: u16 = 53;

/// Address of a pod.
pub fn pod_v4(index: u16) -> Ipv4Addr {
    let [a, b, c, d] = Ipv4Addr::new(10, 77, 1, 10).octets();
    Ipv4Addr::from(u32::from_be_bytes([a, b, c, d]) + u32::from(index))
}

/// The same in IPv6; the last group reads like the last byte of the IPv4 address.
pub fn pod_v6(index: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd77, 1, 0, 0, 0, 0, 0, 0x10 + index)
}

/// IPv4 address of a customer; neighbours in the count are in different /24s.
pub fn customer_v4(index: u16) -> Ipv4Addr {
    let index = u32::from(index);
    Ipv4Addr::from(u32::from(CUSTOMERS_V4.0) + (index % 64) * 256 + 10 + index / 64)
}

/// IPv6 address of a customer.
pub fn customer_v6(index: u16) -> Ipv6Addr {
    let [a, b, ..] = CUSTOMERS_V6.0.segments();
    Ipv6Addr::new(a, b, index, 0, 0, 0, 0, 0x10)
}

/// IPv4 address of an attackers' machine, of 200 at most.
pub fn bot_v4(index: u16) -> Ipv4Addr {
    let [a, b, c, _] = BOTS_V4.0.octets();
    Ipv4Addr::new(a, b, c, 10 + (index % 200) as u8)
}

/// The same in IPv6.
pub fn bot_v6(index: u16) -> Ipv6Addr {
    let [a, b, c, ..] = BOTS_V6.0.segments();
    Ipv6Addr::new(a, b, c, index, 0, 0, 0, 0x10)
}

/// A number's place in no order: who comes by turns would be sampled by turns as well, and some never. SplitMix64's finish (Steele, Lea and Flood, OOPSLA 2014).
pub fn by_chance(number: u64, places: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ z >> 31) % places.max(1)
}

/// All attackers' machines: `count` in IPv4 and as many in IPv6, taking turns.
pub fn bots(count: u16) -> Vec<IpAddr> {
    (0..count).flat_map(|i| [IpAddr::V4(bot_v4(i)), IpAddr::V6(bot_v6(i))]).collect()
}

/// All customers: `count` in IPv4 and as many in IPv6, taking turns.
pub fn customers(count: u16) -> Vec<IpAddr> {
    (0..count).flat_map(|i| [IpAddr::V4(customer_v4(i)), IpAddr::V6(customer_v6(i))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_live_in_their_networks() {
        let all = customers(500);
        for address in &all {
            match address {
                IpAddr::V4(v4) => assert_eq!(u32::from(*v4) >> 14, u32::from(CUSTOMERS_V4.0) >> 14),
                IpAddr::V6(v6) => assert_eq!(u128::from(*v6) >> 96, u128::from(CUSTOMERS_V6.0) >> 96),
            }
        }
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), 1000);
        assert!(!all.contains(&GATEWAY_V4.into()) && !all.contains(&GATEWAY_V6.into()));
        assert_eq!(pod_v4(0).to_string(), "10.77.1.10");
        assert_eq!(pod_v6(0).to_string(), "fd77:1::10");
    }
}
