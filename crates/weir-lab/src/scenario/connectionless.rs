//! Floods of packets that no handshake vouches for, at targets that nobody has set a limit for.

use super::frames::*;
use super::policy::{Policy, pod};
use super::{Asks, Attack, Learns, Scenario};

/// A name server whose customers ask by UDP as well.
pub const UDP_FLOOD: Scenario = Scenario {
    name: "udp-flood-unknown",
    about: "questions to the name server from forged addresses, and no limit: Weir must notice, and write the filter",
    attack: Attack::Flood(questions),
    pps: 500_000,
    policy: || Policy::of(&[pod("")]),
    learns: Learns::Rates,
    expected: &["rule"],
    asks: Asks::Stop,
};

/// What the target never gets.
pub const ICMP_FLOOD: Scenario = Scenario {
    name: "icmp-flood-unknown",
    about: "echo requests from forged addresses, and no limit: Weir must notice, and write the filter",
    attack: Attack::Flood(pings),
    pps: 600_000,
    policy: || Policy::of(&[pod("")]),
    learns: Learns::Rates,
    expected: &["rule"],
    asks: Asks::Stop,
};

/// Neither, and what a host holds back for a while.
pub const FRAGMENT_FLOOD: Scenario = Scenario {
    name: "fragment-flood-unknown",
    about: "fragments of datagrams that never come together, and no limit: Weir must notice, and write the filter",
    attack: Attack::Flood(fragments),
    pps: 500_000,
    policy: || Policy::of(&[pod("")]),
    learns: Learns::Rates,
    expected: &["rule", "fragment_unmatched_limit"],
    asks: Asks::Stop,
};
