//! Counting packets where Weir is not: customers' ones as they enter the router, all of them as they enter the pod, and those
//! that the uplink's full queue lost in between, of both kinds.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::device;
use crate::lab::Lab;
use crate::netns::Netns;
use crate::plan::{CUSTOMERS_V4, CUSTOMERS_V6};
use crate::tool;

const TABLE: &str = "weir_lab";

/// Packets since the counters were set up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Customers' packets to the pod, as the router received them.
    pub customers_sent: u64,
    /// Customers' packets that entered the pod.
    pub customers_received: u64,
    /// Packets of attackers' machines with connections of their own, as the router received them.
    pub bots_sent: u64,
    /// Others' packets that entered the pod, apart from the node's own.
    pub others_received: u64,
    /// Customers' packets that the full queue of the uplink lost.
    pub customers_queued_out: u64,
    /// Attackers' packets that it lost.
    pub attackers_queued_out: u64,
}

impl Counts {
    /// Customers' packets that vanished otherwise: what Weir dropped of them, and nothing else is known to drop any.
    pub fn customers_dropped(&self) -> u64 {
        self.customers_sent.saturating_sub(self.customers_received + self.customers_queued_out)
    }
}

impl std::ops::Sub for Counts {
    type Output = Counts;

    fn sub(self, before: Counts) -> Counts {
        Counts {
            customers_sent: self.customers_sent - before.customers_sent,
            customers_received: self.customers_received - before.customers_received,
            bots_sent: self.bots_sent - before.bots_sent,
            others_received: self.others_received - before.others_received,
            // The two losses of the queue are told apart by figures that are read one after the other: under a flood the later one
            // has grown, and too few are the customers'.
            customers_queued_out: self.customers_queued_out.saturating_sub(before.customers_queued_out),
            attackers_queued_out: self.attackers_queued_out - before.attackers_queued_out,
        }
    }
}

/// Sets the counters up.
pub fn install(lab: &Lab) -> Result<()> {
    let (c4, c6) = (format!("{}/{}", CUSTOMERS_V4.0, CUSTOMERS_V4.1), format!("{}/{}", CUSTOMERS_V6.0, CUSTOMERS_V6.1));
    let router = format!(
        "table netdev {TABLE} {{
    counter customers {{ }}
    chain in {{
        type filter hook ingress device cust0 priority 0
        ip saddr {c4} ip daddr 10.77.1.0/24 counter name customers
        ip6 saddr {c6} ip6 daddr fd77:1::/64 counter name customers
    }}
}}
"
    );
    let bots = "table netdev weir_lab_bots {
    counter bots { }
    chain in {
        type filter hook ingress device bots0 priority 0
        ip daddr 10.77.1.0/24 counter name bots
        ip6 daddr fd77:1::/64 counter name bots
    }
}
";
    let pod = format!(
        "table netdev {TABLE} {{
    counter customers {{ }}
    counter others {{ }}
    chain in {{
        type filter hook ingress device eth0 priority 0
        ip saddr {c4} counter name customers accept
        ip6 saddr {c6} counter name customers accept
        ip saddr {{ 10.77.0.0/24, 10.77.1.0/24 }} accept
        ip6 saddr {{ fd77::/64, fd77:1::/64, fe80::/10, :: }} accept
        meta protocol {{ ip, ip6 }} counter name others
    }}
}}
"
    );
    let layout = lab.layout();
    let router = if layout.bots.is_some() { router + bots } else { router };
    for (ns, rules) in [(&layout.router, router), (&layout.pods[0], pod)] {
        tool::feed("ip", &["netns", "exec", ns.name(), "nft", "-f", "-"], &rules)
            .context("cannot set up packet counters")?;
    }
    Ok(())
}

/// Reads the counters.
pub fn read(lab: &Lab) -> Result<Counts> {
    let layout = lab.layout();
    let (router, pod) = (counters(&layout.router)?, counters(&layout.pods[0])?);
    let (customers_queued_out, attackers_queued_out) = queued_out(lab)?;
    Ok(Counts {
        customers_queued_out,
        attackers_queued_out,
        customers_sent: packets(&router, "customers")?,
        bots_sent: if layout.bots.is_some() { packets(&router, "bots")? } else { 0 },
        customers_received: packets(&pod, "customers")?,
        others_received: packets(&pod, "others")?,
    })
}

/// What the router could not get into the node's full queue: customers' packets and attackers'. The kernel counts both as dropped,
/// and those that came by XDP (the attackers') once more among the driver's own figures.
pub fn queued_out(lab: &Lab) -> Result<(u64, u64)> {
    let router = &lab.layout().router;
    let dropped = device::figures(router, "node0")?.sent_dropped;
    let driver = tool::run("ip", &["netns", "exec", router.name(), "ethtool", "-S", "node0"])?;
    let by_xdp = xdp_errors(&driver);
    Ok((dropped.saturating_sub(by_xdp), by_xdp))
}

/// Over all queues.
fn xdp_errors(driver: &str) -> u64 {
    let errors = driver.lines().filter_map(|line| line.split_once("_xdp_xmit_errors: "));
    errors.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
}

fn counters(ns: &Netns) -> Result<Value> {
    let text = tool::run("ip", &["netns", "exec", ns.name(), "nft", "-j", "list", "counters"])?;
    serde_json::from_str(&text).context("nft's answer")
}

fn packets(counters: &Value, name: &str) -> Result<u64> {
    let entries = counters["nftables"].as_array().into_iter().flatten();
    let counter = entries.map(|entry| &entry["counter"]).find(|counter| counter["name"] == name);
    counter
        .and_then(|counter| counter["packets"].as_u64())
        .with_context(|| format!("nft does not tell the counter {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name() {
        let said = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"counter": {"family": "netdev", "name": "customers", "table": "weir_lab", "handle": 1, "packets": 7, "bytes": 420}},
            {"counter": {"family": "netdev", "name": "others", "table": "weir_lab", "handle": 2, "packets": 9, "bytes": 1}}]}"#;
        let said = serde_json::from_str(said).expect("JSON");
        assert_eq!(packets(&said, "others").expect("there"), 9);
        assert!(packets(&said, "nobody").is_err());
        let driver = "NIC statistics:\n     tx_queue_0_xdp_xmit: 9\n     tx_queue_0_xdp_xmit_errors: 3\n     tx_queue_1_xdp_xmit_errors: 4\n";
        assert_eq!(xdp_errors(driver), 7);
    }
}
