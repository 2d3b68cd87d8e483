//! One prefix type for IPv4 and IPv6: an [`Addr`] and a length counted from the top of its 128 bits.
//!
//! An IPv4 prefix is its IPv4-mapped IPv6 form (RFC 4291, 2.5.5.2), so `10.0.0.0/8` has length 104. An IPv6 prefix written
//! inside `::ffff:0:0/96` becomes the IPv4 prefix it means: no packet carries such an address, so it could never match.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use weir_abi::Addr;

/// Bits in front of an IPv4 address in its mapped form.
pub const V4_BITS: u8 = 96;

/// An aligned prefix: no bit behind its length is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    addr: Addr,
    len: u8,
}

impl Prefix {
    /// The prefix of `len` bits (0 to 128, from the top of 128) around `addr`; nothing for a longer one.
    pub fn new(addr: Addr, len: u8) -> Option<Self> {
        (len <= 128).then(|| Self { addr: addr.masked(len), len })
    }

    /// One address.
    pub fn host(addr: Addr) -> Self {
        Self { addr, len: 128 }
    }

    /// The first address.
    pub fn addr(self) -> Addr {
        self.addr
    }

    /// The length, counted from the top of 128 bits.
    #[expect(clippy::len_without_is_empty, reason = "the length of a prefix: even ::/0 is not empty")]
    pub fn len(self) -> u8 {
        self.len
    }

    /// Whether it is an IPv4 prefix.
    pub fn is_v4(self) -> bool {
        // Masking to less than 96 bits clears the mapped marker's last bit, so a marker means at least 96 bits.
        self.addr.is_v4()
    }

    /// The length as people write it: 0 to 32 for IPv4, 0 to 128 for IPv6.
    pub fn written_len(self) -> u8 {
        if self.is_v4() { self.len - V4_BITS } else { self.len }
    }

    /// The first address as a number.
    pub fn first(self) -> u128 {
        self.addr.bits()
    }

    /// The last address as a number.
    pub fn last(self) -> u128 {
        last(self.first(), self.len)
    }

    /// Whether the address is of the same family and lies inside.
    pub fn contains(self, addr: Addr) -> bool {
        addr.is_v4() == self.is_v4() && addr.masked(self.len) == self.addr
    }

    /// Whether `other` is of the same family and lies inside, itself included.
    pub fn covers(self, other: Prefix) -> bool {
        self.len <= other.len && self.contains(other.addr)
    }
}

/// The last of the addresses that share the first `len` bits of `first`, whose other bits are clear.
pub(crate) fn last(first: u128, len: u8) -> u128 {
    first | u128::MAX.checked_shr(len.into()).unwrap_or(0)
}

/// The address with this number.
pub(crate) fn addr_of(bits: u128) -> Addr {
    Addr { hi: (bits >> 64) as u64, lo: bits as u64 }
}

/// An address as Weir keeps it: IPv4-mapped IPv6 addresses are the IPv4 addresses they mean.
pub fn addr_from(ip: IpAddr) -> Addr {
    match ip {
        IpAddr::V4(v4) => Addr::v4(v4.to_bits()),
        IpAddr::V6(v6) => Addr::v6(v6.octets()),
    }
}

/// The address as the standard library has it.
pub fn ip_from(addr: Addr) -> IpAddr {
    if addr.is_v4() { Ipv4Addr::from_bits(addr.ip4()).into() } else { Ipv6Addr::from_bits(addr.bits()).into() }
}

impl From<IpAddr> for Prefix {
    fn from(ip: IpAddr) -> Self {
        Self::host(addr_from(ip))
    }
}

impl From<IpNet> for Prefix {
    /// Host bits are cleared: `10.1.2.3/8` is `10.0.0.0/8`.
    fn from(net: IpNet) -> Self {
        let shift = if matches!(net, IpNet::V4(_)) { V4_BITS } else { 0 };
        let len = net.prefix_len() + shift;
        Self { addr: addr_from(net.addr()).masked(len), len }
    }
}

impl From<Ipv4Net> for Prefix {
    fn from(net: Ipv4Net) -> Self {
        IpNet::V4(net).into()
    }
}

impl From<Ipv6Net> for Prefix {
    fn from(net: Ipv6Net) -> Self {
        IpNet::V6(net).into()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", ip_from(self.addr), self.written_len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse::<IpNet>().unwrap().into()
    }

    #[test]
    fn a_mapped_prefix_is_the_ipv4_prefix_it_means() {
        assert_eq!(prefix("::ffff:10.0.0.0/104"), prefix("10.0.0.0/8"));
        assert_eq!(prefix("::ffff:0:0/96"), prefix("0.0.0.0/0"));
        assert_eq!(prefix("::ffff:10.0.0.0/104").to_string(), "10.0.0.0/8");
    }

    #[test]
    fn a_prefix_around_the_mapped_ones_stays_ipv6_and_holds_no_ipv4_address() {
        for text in ["::/0", "::/80", "::fffe:0:0/95"] {
            assert!(!prefix(text).is_v4(), "{text}");
            assert!(!prefix(text).contains(Addr::v4(0x0a00_0001)), "{text}");
            assert_eq!(prefix(text).to_string(), text);
        }
    }

    #[test]
    fn host_bits_do_not_count() {
        assert_eq!(prefix("10.1.2.3/8"), prefix("10.0.0.0/8"));
        assert_eq!(prefix("2001:db8::1/32").to_string(), "2001:db8::/32");
    }

    #[test]
    fn the_last_address_of_the_widest_and_of_the_narrowest() {
        assert_eq!(prefix("::/0").last(), u128::MAX);
        assert_eq!(prefix("2001:db8::1/128").last(), prefix("2001:db8::1/128").first());
        assert_eq!(prefix("10.0.0.0/30").last() as u32, 0x0a00_0003);
        assert!(prefix("10.0.0.0/8").covers(prefix("10.1.0.0/16")));
        assert!(!prefix("10.1.0.0/16").covers(prefix("10.0.0.0/8")));
    }
}
