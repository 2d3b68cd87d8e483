//! The kernel's own figures of an interface.

use std::fs;

use anyhow::{Context, Result};

use crate::netns::Netns;

/// Since the interface was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Packets received.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that could not be sent.
    pub sent_dropped: u64,
}

/// Reads them.
pub fn figures(ns: &Netns, name: &str) -> Result<Figures> {
    // Shows the namespace of whoever looks, unlike /sys/class/net.
    let devices = ns.within(|| Ok(fs::read_to_string("/proc/thread-self/net/dev")?))?;
    parse(&devices, name).with_context(|| format!("there is no {name} in {}", ns.name()))
}

/// The figures of an interface in the text of /proc/net/dev: eight of reception (bytes, packets, errors, dropped …), then as many of sending.
pub fn parse(devices: &str, name: &str) -> Option<Figures> {
    let line = devices.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))?;
    let figures: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(Figures { received: *figures.get(1)?, sent: *figures.get(9)?, sent_dropped: *figures.get(11)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_apart() {
        let text = "Inter-|   Receive                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0: 4200      42    0    0    0     0          0         0      700       7    0    3    0     0       0          0
";
        assert_eq!(parse(text, "eth0"), Some(Figures { received: 42, sent: 7, sent_dropped: 3 }));
        assert_eq!(parse(text, "eth"), None);
    }
}
