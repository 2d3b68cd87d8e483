//! Rate limits: `average` per `period` on the long run, `burst` at once; the three numbers Traefik uses.

use serde::{Deserialize, Serialize};

use super::{Period, Quantity};

/// One rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateSpec {
    /// How many per period, on the long run; at least 1.
    pub average: Quantity,
    /// How many at once; by default as many as `average`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Quantity>,
    /// By default one second.
    #[serde(default = "second")]
    pub period: Period,
}

/// serde wants a function for a default.
fn second() -> Period {
    Period::SECOND
}

impl RateSpec {
    /// The burst, its default filled in.
    pub fn burst(&self) -> u64 {
        self.burst.unwrap_or(self.average).0
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DimensionsSpec {
    /// Packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<RateSpec>,
    /// Bytes of whole frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<RateSpec>,
    /// New TCP connections (SYN without ACK).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<RateSpec>,
}

/// Whose traffic is counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsSpec {
    /// One source: an IPv4 address or an IPv6 /64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_source: Option<DimensionsSpec>,
    /// One source network: IPv4 /24, IPv6 /48.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_prefix: Option<DimensionsSpec>,
    /// Everything to one target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_target: Option<DimensionsSpec>,
    /// One workload inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub east_west: Option<DimensionsSpec>,
}
