//! Floods of packets that no handshake vouches for, at targets that nobody has set a limit for.

use weir_datapath::traffic::{Payload, Ports, Protocol, Source};

use super::frames::*;
use super::policy::{Policy, pod};
use super::{Asks, Attack, Learns, Scenario};
use crate::plan::DNS_PORT;
use crate::server::dns;

/// A name server whose customers ask by UDP as well.
pub const UDP_FLOOD: Scenario = Scenario {
    name: "udp-flood-unknown",
    about: "questions to the name server from forged addresses, and no limit: Weir must notice, and write the filter",
    attack: Attack::Flood(|| {
        let question = || Payload { bytes: dns::question(0x7777), zeros: 0..=0 };
        let to_names = || udp(Ports::EPHEMERAL, DNS_PORT);
        vec![
            v4("spoofed v4", 3, Source::any_v4(), to_names(), question()),
            v6("spoofed v6", 1, Source::any_v6(), to_names(), question()),
        ]
    }),
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
    attack: Attack::Flood(|| {
        vec![
            v4("ping v4", 3, Source::any_v4(), Protocol::Echo, Payload::zeros(56)),
            v6("ping v6", 1, Source::any_v6(), Protocol::Echo, Payload::zeros(56)),
        ]
    }),
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
    attack: Attack::Flood(|| {
        let (first, later) = (Protocol::Fragment { first_to: Some(DNS_PORT) }, Protocol::Fragment { first_to: None });
        vec![
            v4("later fragments v4", 2, Source::any_v4(), later.clone(), Payload::zeros(256)),
            v4("first fragments v4", 1, Source::any_v4(), first, Payload::zeros(248)),
            v6("later fragments v6", 1, Source::any_v6(), later, Payload::zeros(256)),
        ]
    }),
    pps: 500_000,
    policy: || Policy::of(&[pod("")]),
    learns: Learns::Rates,
    expected: &["rule", "fragment_unmatched_limit"],
    asks: Asks::Stop,
};
