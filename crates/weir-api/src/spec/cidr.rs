//! Addresses and prefixes: `198.51.100.0/24`, `2001:db8::/32`, or one address alone.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use super::text::as_text;

/// A prefix without bits behind its length. An address alone is a prefix of full length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(IpNet);

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Neither an address nor a prefix.
    #[error("`{0}` is not an address or CIDR: write something like 198.51.100.0/24, 198.51.100.7 or 2001:db8::/32")]
    Form(String),
    /// Bits are set behind the prefix length: one of two meanings, and the wrong one blocks strangers.
    #[error(
        "`{text}` has bits set behind its prefix length: write {whole} for the whole block, or {one} for the one address"
    )]
    HostBits {
        /// As written.
        text: String,
        /// The block.
        whole: IpNet,
        /// The address.
        one: IpNet,
    },
}

impl Cidr {
    /// As the address library's type; its host bits are zero.
    pub const fn net(self) -> IpNet {
        self.0
    }

    /// How many addresses it holds, saturating.
    pub fn size(self) -> u128 {
        let host_bits = self.0.max_prefix_len() - self.0.prefix_len();
        1u128.checked_shl(u32::from(host_bits)).unwrap_or(u128::MAX)
    }
}

impl From<IpAddr> for Cidr {
    fn from(ip: IpAddr) -> Self {
        Self(IpNet::from(ip.to_canonical()))
    }
}

impl From<IpNet> for Cidr {
    fn from(net: IpNet) -> Self {
        Self(canonical(net.trunc()))
    }
}

/// An IPv4 prefix written in its IPv6 form (`::ffff:198.51.100.0/120`) becomes the IPv4 prefix.
fn canonical(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && let Some(len) = v6.prefix_len().checked_sub(96)
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Ok(v4) = Ipv4Net::new(v4, len)
    {
        return IpNet::V4(v4);
    }
    net
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let text = text.trim();
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(ip.into());
        }
        let net: IpNet = text.parse().map_err(|_| CidrError::Form(text.to_owned()))?;
        if net.trunc() != net {
            return Err(CidrError::HostBits {
                text: text.to_owned(),
                whole: net.trunc(),
                one: IpNet::from(net.addr()),
            });
        }
        Ok(Self(canonical(net)))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

as_text!(Cidr, "an address or CIDR such as 198.51.100.0/24");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_prefixes() {
        let show = |text: &str| text.parse::<Cidr>().map(|c| c.to_string());
        assert_eq!(show("198.51.100.7").as_deref(), Ok("198.51.100.7/32"));
        assert_eq!(show(" 198.51.100.0/24 ").as_deref(), Ok("198.51.100.0/24"));
        assert_eq!(show("2001:db8::1").as_deref(), Ok("2001:db8::1/128"));
        assert_eq!(show("::ffff:198.51.100.0/120").as_deref(), Ok("198.51.100.0/24"));
        assert_eq!(show("0.0.0.0/0").as_deref(), Ok("0.0.0.0/0"));
        for bad in ["", "example.org", "198.51.100.0/33", "198.51.100/24", "1.2.3.4/"] {
            assert_eq!(show(bad), Err(CidrError::Form(bad.into())), "{bad:?}");
        }
    }

    #[test]
    fn host_bits_are_refused_with_both_readings() {
        let error = "198.51.100.7/24".parse::<Cidr>().unwrap_err().to_string();
        assert!(error.contains("198.51.100.0/24 for the whole block, or 198.51.100.7/32"), "{error}");
    }

    #[test]
    fn sizes() {
        let size = |text: &str| text.parse::<Cidr>().unwrap().size();
        assert_eq!(size("198.51.100.0/24"), 256);
        assert_eq!(size("2001:db8::1"), 1);
        assert_eq!(size("::/0"), u128::MAX);
    }
}
