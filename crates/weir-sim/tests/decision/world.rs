//! The node of the stories: a shop on two addresses, a name server beside it, customers from 10.0.0.0/8 and fd00::/8.

use std::net::IpAddr;

use weir_policy::Prefix;
use weir_policy::model::{Endpoint, ListEntry, Policy, Target, Verdict};
use weir_policy::rules::{Mode, Reach, Rule};

/// The shop, IPv4.
pub const SHOP: &str = "192.0.2.1";
/// The shop, IPv6.
pub const SHOP6: &str = "2001:db8::1";
/// A customer, IPv4.
pub const ANN: &str = "10.1.1.7";
/// Another one of the same /24.
pub const BEN: &str = "10.1.1.8";
/// One of another /24.
pub const CAT: &str = "10.2.2.2";
/// A customer, IPv6.
pub const ANN6: &str = "fd00:1::7";

/// A place that a target is reached at.
#[track_caller]
pub fn at(addr: &str, port: u16, proto: u8) -> Endpoint {
    Endpoint { addr: addr.parse::<IpAddr>().expect("an address"), port, proto }
}

/// The shop: TCP port 443 of both addresses; it enforces.
pub fn shop() -> Target {
    let endpoints = vec![at(SHOP, 443, 6), at(SHOP6, 443, 6)];
    Target { endpoints, enforce: true, ..Target::new("shop") }
}

/// A name server: UDP port 53 of the shop's addresses; it enforces.
pub fn names() -> Target {
    let endpoints = vec![at(SHOP, 53, 17), at(SHOP6, 53, 17)];
    Target { endpoints, enforce: true, ..Target::new("names") }
}

/// A node that enforces, drops malformed packets, and has no failsafe ports.
pub fn policy(targets: impl IntoIterator<Item = Target>) -> Policy {
    let targets = targets.into_iter().collect();
    Policy { enforce_node: true, drop_malformed: true, failsafe: Vec::new(), targets, ..Policy::default() }
}

/// An entry of the node's list.
#[track_caller]
pub fn entry(prefix: &str, verdict: Verdict) -> ListEntry {
    let prefix: Prefix = prefix.parse::<ipnet::IpNet>().expect("a prefix").into();
    ListEntry::new(prefix, verdict, 0)
}

/// A rule for all targets.
#[track_caller]
pub fn rule(id: u32, text: &str, mode: Mode) -> Rule {
    Rule { id, matches: text.parse().unwrap_or_else(|e| panic!("{text}: {e}")), mode, reach: Reach::All }
}
