//! What is usual for a target, by kind of packets.

use serde::{Deserialize, Serialize};

use crate::spec::Moment;

/// `GET /api/v1/baselines/{target}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineRow {
    /// The target's name.
    pub target: String,
    /// Since when it is watched, over restarts of the agent.
    pub since: Moment,
    /// From when on its rates can be called unusual, if it stays as calm as it is; absent: they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates_judged_from: Option<Moment>,
    /// Packets of calm times that rules are tried on before they drop.
    pub benign_packets: u64,
    /// So many are needed to prove of a rule that it may drop.
    pub benign_packets_needed: u64,
    /// Connections in which a client waits for an answer.
    #[serde(default)]
    pub waiting: u64,
    /// Connections that usually do; more is rare.
    #[serde(default)]
    pub usually_waiting: u64,
    /// New connections per second of the source that opens most in calm times.
    #[serde(default)]
    pub busiest_source_connections_per_s: f64,
    /// What is usual, by kind of packets.
    pub kinds: Vec<BaselineKind>,
}

/// What is usual of one kind of packets; all rates are packets per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineKind {
    /// The kind: `syn`, `tcp`, `udp_reflection`, …
    pub kind: String,
    /// The mean of the last minute of calm.
    pub packets_per_s: f64,
    /// The standard deviation of windows of 100 ms about it.
    pub deviation_per_s: f64,
    /// What is usual at this hour of the week; absent before a week was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub this_hour: Option<BaselineHour>,
    /// Hours for which it was seen by the hour of the week.
    pub hours: u64,
    /// Rules of an incident that is over, which wake when it comes back.
    pub sleeping_rules: u64,
}

/// What is usual at an hour of the week: of 3600 seconds, and those of the hours beside it, so many have fewer packets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaselineHour {
    /// Half of them.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100. Below this a rate is no alarm.
    pub p99: f64,
    /// All of them.
    pub max: f64,
}
