//! The kernel's own packet filters beside Weir: nftables and iptables.

use std::any::Any;

use anyhow::Result;

use super::contender::Contender;
use super::settings::SOURCE_LIMIT;
use super::stage::RECEIVER;
use crate::tool;

/// Sources that the meter can tell apart; as many as the seed-like program's map holds.
const METERED: u32 = 65_536;

/// A rule set, there while it stands. Everything that a rule set lets through it drops at its end, or the bench would
/// measure the network stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firewall {
    /// nftables at the device's ingress hook, the earliest: one rule that drops.
    NftStatic,
    /// There, too: a limit of packets for each source address, in a dynamic set.
    NftMeter {
        /// IPv6 sources.
        v6: bool,
    },
    /// iptables, table raw, chain PREROUTING, the earliest: one rule that drops.
    Raw {
        /// ip6tables.
        v6: bool,
    },
}

/// Ends a rule set.
struct Rules(&'static str, &'static [&'static str]);

impl Drop for Rules {
    fn drop(&mut self) {
        if let Err(error) = tool::run(self.0, self.1) {
            eprintln!("warning: {error:#}");
        }
    }
}

impl Contender for Firewall {
    fn stand(&mut self) -> Result<Box<dyn Any>> {
        // The tools work in the calling thread's namespace.
        if let Firewall::Raw { v6 } = self {
            let tool = if *v6 { "ip6tables" } else { "iptables" };
            tool::run(tool, &["-w", "-t", "raw", "-A", "PREROUTING", "-i", RECEIVER, "-j", "DROP"])?;
            return Ok(Box::new(Rules(tool, &["-w", "-t", "raw", "-F", "PREROUTING"])));
        }
        tool::feed("nft", &["-f", "-"], &self.text())?;
        Ok(Box::new(Rules("nft", &["delete", "table", "netdev", "weir_bench"])))
    }
}

impl Firewall {
    fn text(self) -> String {
        let (sets, rules) = match self {
            Firewall::NftMeter { v6 } => {
                let (kind, field) = if v6 { ("ipv6_addr", "ip6 saddr") } else { ("ipv4_addr", "ip saddr") };
                let (rate, burst) = (SOURCE_LIMIT.average, SOURCE_LIMIT.burst);
                (
                    format!("set sources {{ type {kind}; size {METERED}; flags dynamic, timeout; timeout 10s; }}"),
                    format!("update @sources {{ {field} limit rate over {rate}/second burst {burst} packets }} drop"),
                )
            }
            Firewall::NftStatic | Firewall::Raw { .. } => (String::new(), String::new()),
        };
        format!(
            "table netdev weir_bench {{
                {sets}
                chain ingress {{
                    type filter hook ingress device \"{RECEIVER}\" priority -500; policy accept;
                    {rules}
                    counter drop
                }}
            }}
            "
        )
    }
}
