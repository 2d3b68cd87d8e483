//! What a packet meets on an ordinary node before it is a pod's: rules of services and of network policies, one after the other.
//!
//! A node that only forwards is faster than any in a cluster, and on a new machine faster than one core can flood. kube-proxy's iptables mode and
//! policies of the classic kind ask a rule for each service and each pod; a few thousand of them are a cluster of middle size.

use std::fmt::Write;

use anyhow::{Context, Result};

use crate::netns::Netns;
use crate::tool;

/// Rules of each IP version that a packet is held against and does not match.
const RULES: u32 = 1_000;

/// Puts them in the way of what a node forwards.
pub fn install(node: &Netns) -> Result<()> {
    tool::feed("ip", &["netns", "exec", node.name(), "nft", "-f", "-"], &text())
        .context("cannot set up the node's rules")?;
    Ok(())
}

fn text() -> String {
    let mut text = String::new();
    for (family, word) in [("ip", "ip"), ("ip6", "ip6")] {
        let _ = writeln!(text, "table {family} services {{\n chain forward {{\n  type filter hook forward priority 0");
        for i in 0..RULES {
            let (high, low) = (i >> 8, i & 255);
            let service = if word == "ip" { format!("10.96.{high}.{low}") } else { format!("fd96::{i:x}") };
            let _ = writeln!(text, "  {word} daddr {service} tcp dport 443 drop");
        }
        text.push_str(" }\n}\n");
    }
    text
}
