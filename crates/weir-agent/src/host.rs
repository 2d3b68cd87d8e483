//! Facts about this host: its own addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What the agent needs to know of the host. Read again with every policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Addresses of its interfaces, loopback left out, sorted.
    pub addresses: Vec<IpAddr>,
}

impl Host {
    /// Asks the kernel.
    pub fn read() -> std::io::Result<Self> {
        let mut addresses = Vec::new();
        for interface in nix::ifaddrs::getifaddrs()? {
            let Some(address) = interface.address else { continue };
            let ip = if let Some(v4) = address.as_sockaddr_in() {
                IpAddr::V4(v4.ip())
            } else if let Some(v6) = address.as_sockaddr_in6() {
                IpAddr::V6(v6.ip())
            } else {
                continue;
            };
            if !ip.is_loopback() {
                addresses.push(ip);
            }
        }
        addresses.sort();
        addresses.dedup();
        Ok(Self { addresses })
    }

    /// Sources that no list may block: loopback, link-local, and the host itself.
    ///
    /// Gateways are left out on purpose: they have little to say to the host, and whoever forged their address would pass
    /// everything. `--never-block` adds what a network needs.
    pub fn never_block(&self) -> Vec<IpNet> {
        let fixed = [
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
        ];
        let own = self.addresses.iter().map(|ip| IpNet::from(*ip));
        let mut all: Vec<IpNet> = fixed.to_vec();
        all.extend(own.filter(|net| !fixed.iter().any(|f| f.contains(net))));
        all.sort();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_block_holds_the_host_itself() {
        let host = Host { addresses: vec!["192.0.2.10".parse().unwrap(), "fe80::2".parse().unwrap()] };
        let shown: Vec<String> = host.never_block().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.0/8", "169.254.0.0/16", "192.0.2.10/32", "::1/128", "fe80::/10"]);
    }

    #[test]
    fn this_host_can_be_read() {
        assert!(Host::read().is_ok());
    }
}
