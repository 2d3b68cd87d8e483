//! Checks of single packets that need no history. What no legitimate client sends is refused by default; what some
//! services do see (own address plans, UDP answers) is off until asked for.

use serde::{Deserialize, Serialize};

use super::Protocol;

/// The checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HygieneSpec {
    /// TCP flag combinations that no stack sends: none, SYN+FIN, SYN+RST, FIN+RST, FIN without ACK, Xmas. On.
    pub tcp_flags: bool,
    /// Source and destination the same (LAND). On.
    pub land: bool,
    /// TCP or UDP port zero. On.
    pub port_zero: bool,
    /// Source addresses that cannot be a sender's: 0/8, 127/8, multicast, 240/4 and their IPv6 kin. Off.
    pub bogons: bool,
    /// UDP from ports that reflection attacks use (DNS, NTP, memcached, SSDP …). Off: a target that asks such
    /// services itself gets their answers from these ports.
    pub reflection: bool,
    /// Drop malformed packets; without it they are counted and passed, for the host's stack refuses them itself. The whole
    /// node's, so only the host's default may ask for it. Off.
    pub malformed: bool,
    /// Judge the packets inside VXLAN, Geneve, IPIP and 6in4, not those around them. The whole node's, too. Off.
    pub tunnels: bool,
    /// IP protocols that the target serves; all others are refused. Empty: all are served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<Protocol>,
}

impl Default for HygieneSpec {
    fn default() -> Self {
        Self {
            tcp_flags: true,
            land: true,
            port_zero: true,
            bogons: false,
            reflection: false,
            malformed: false,
            tunnels: false,
            protocols: Vec::new(),
        }
    }
}
