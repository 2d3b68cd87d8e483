//! Facts about this host: its own addresses and its gateways.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What the agent needs to know of the host. Read again with every policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Addresses of its interfaces, loopback left out, sorted.
    pub addresses: Vec<IpAddr>,
    /// Next hops of its default routes, sorted.
    pub gateways: Vec<IpAddr>,
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
        let mut gateways = gateways4(&std::fs::read_to_string("/proc/net/route").unwrap_or_default());
        gateways.extend(gateways6(&std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default()));
        Ok(Self { addresses: sorted(addresses), gateways: sorted(gateways) })
    }

    /// Sources that no list may block: loopback, link-local, the host itself and its gateways.
    pub fn never_block(&self) -> Vec<IpNet> {
        let fixed = [
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
        ];
        let own = self.addresses.iter().chain(&self.gateways).map(|ip| IpNet::from(*ip));
        let mut all: Vec<IpNet> = fixed.to_vec();
        all.extend(own.filter(|net| !fixed.iter().any(|f| f.contains(net))));
        all.sort();
        all.dedup();
        all
    }
}

fn sorted(mut list: Vec<IpAddr>) -> Vec<IpAddr> {
    list.sort();
    list.dedup();
    list
}

/// Default routes in the form of `/proc/net/route`: hexadecimal words in host order.
fn gateways4(table: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let mask = fields.nth(4)?;
        let number = u32::from_str_radix(gateway, 16).ok()?;
        let default = destination == "00000000" && mask == "00000000" && number != 0;
        default.then(|| IpAddr::from(number.to_ne_bytes()))
    };
    table.lines().skip(1).filter_map(gateway).collect()
}

/// Default routes in the form of `/proc/net/ipv6_route`.
fn gateways6(table: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (destination, length) = (fields.next()?, fields.next()?);
        let number = u128::from_str_radix(fields.nth(2)?, 16).ok()?;
        let default = length == "00" && number != 0 && destination.bytes().all(|b| b == b'0');
        default.then(|| IpAddr::from(number.to_be_bytes()))
    };
    table.lines().filter_map(gateway).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_route_tables() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                  eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                  eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        if cfg!(target_endian = "little") {
            assert_eq!(gateways4(v4), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        }
        let v6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  fe800000000000000000000000000001 00000400 00000001 00000000 00450003 eth0\n\
                  fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
                  00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n";
        assert_eq!(gateways6(v6), ["fe80::1".parse::<IpAddr>().unwrap()]);
        assert!(gateways4("").is_empty() && gateways6("garbage\n").is_empty());
    }

    #[test]
    fn never_block_holds_the_host_and_its_way_out() {
        let host = Host {
            addresses: vec!["192.0.2.10".parse().unwrap(), "fe80::2".parse().unwrap()],
            gateways: vec!["192.0.2.1".parse().unwrap()],
        };
        let shown: Vec<String> = host.never_block().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.0/8", "169.254.0.0/16", "192.0.2.1/32", "192.0.2.10/32", "::1/128", "fe80::/10"]);
    }

    #[test]
    fn this_host_can_be_read() {
        assert!(Host::read().is_ok());
    }
}
