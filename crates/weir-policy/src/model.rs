//! What a node is asked to do, in a form that belongs to no source: YAML files, the Kubernetes API and importers all end here.

pub mod list;
pub mod names;
pub mod target;

use crate::rules::Rule;
pub use list::{ListEntry, Scope, Verdict};
pub use names::NameTable;
pub use target::{Challenge, Endpoint, Fragments, Hygiene, RateLimits, Target};

/// Transport protocols whose ports can be failsafe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A destination port that always passes.
pub type FailsafePort = (Proto, u16);

/// Reads `22/tcp`.
///
/// # Errors
/// What is wrong with it.
pub fn failsafe_port(text: &str) -> Result<FailsafePort, String> {
    let wrong = || format!("{text:?} is no port with a protocol, such as 22/tcp or 68/udp");
    let (port, protocol) = text.split_once('/').ok_or_else(wrong)?;
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Proto::Tcp,
        "udp" => Proto::Udp,
        _ => return Err(wrong()),
    };
    match port.parse() {
        Ok(0) | Err(_) => Err(wrong()),
        Ok(port) => Ok((protocol, port)),
    }
}

/// Ports that pass before anything else unless the policy says otherwise: without them a bad policy locks its author out.
///
/// TCP: SSH, the Kubernetes API server (6443), the kubelet (10250), etcd (2379, 2380), BGP (179: the node's routes).
/// UDP: DHCP (68) and DHCPv6 (546) answers, without which the node loses its address.
pub const DEFAULT_FAILSAFE: [FailsafePort; 8] = [
    (Proto::Tcp, 22),
    (Proto::Tcp, 6443),
    (Proto::Tcp, 10250),
    (Proto::Tcp, 2379),
    (Proto::Tcp, 2380),
    (Proto::Tcp, 179),
    (Proto::Udp, 68),
    (Proto::Udp, 546),
];

/// The policy of one node.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whether what belongs to no target (malformed packets, the node's deny list, blocks) is dropped. Off: it is counted.
    pub enforce_node: bool,
    /// Whether packets inside VXLAN, Geneve, IPIP and 6in4 are judged. Off.
    pub tunnels: bool,
    /// Drop malformed packets (where the node enforces); without it they are counted and passed. Default: off.
    pub drop_malformed: bool,
    /// Allow, deny and never-block entries, in any order.
    pub lists: Vec<ListEntry>,
    /// Destination ports that always pass. [`DEFAULT_FAILSAFE`].
    pub failsafe: Vec<FailsafePort>,
    /// What is protected, in any order.
    pub targets: Vec<Target>,
    /// Match rules, in the order of their importance: the first that fits and drops is the one that is named.
    pub rules: Vec<Rule>,
    /// Names behind the numbers in [`ListEntry::rule`] and [`Rule::id`].
    pub names: NameTable,
    /// Names behind the numbers in [`Scope::Set`] and [`Target::lists`].
    pub sets: NameTable,
}

impl Default for Policy {
    /// Observe, protect nothing, and let the failsafe ports pass.
    fn default() -> Self {
        Self {
            enforce_node: false,
            tunnels: false,
            drop_malformed: false,
            lists: Vec::new(),
            failsafe: DEFAULT_FAILSAFE.to_vec(),
            targets: Vec::new(),
            rules: Vec::new(),
            names: NameTable::default(),
            sets: NameTable::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    //! Ports as people write them.
    use super::*;

    #[test]
    fn ports_are_read_with_their_protocol_or_not_at_all() {
        assert_eq!(failsafe_port("22/tcp"), Ok((Proto::Tcp, 22)));
        assert_eq!(failsafe_port("65535/UDP"), Ok((Proto::Udp, 65535)));
        for wrong in ["", "22", "tcp/22", "0/tcp", "65536/tcp", "-1/udp", "22/sctp", "22/tcp/udp"] {
            assert!(failsafe_port(wrong).unwrap_err().contains("such as 22/tcp"), "{wrong}");
        }
    }
}
