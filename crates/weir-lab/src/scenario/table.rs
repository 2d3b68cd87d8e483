//! The scenarios themselves.

use std::fmt::Write;

use weir_datapath::traffic::{Payload, Ports, Source};

use super::frames::*;
use super::policy::{Policy, allow_customers, names, pod, web};
use super::{Asks, Attack, Learns, Scenario, connectionless, crowds, evasive};
use crate::plan::{DNS_PORT, HTTP_PORT};
use crate::server::dns;

/// All of them, in the order in which they are shown.
pub static ALL: [Scenario; 25] = [
    Scenario {
        name: "syn-flood-spoofed",
        about: "SYNs from a thousand million forged addresses, none of which comes twice",
        attack: Attack::Flood(|| {
            vec![
                v4("spoofed v4", 3, Source::any_v4(), tcp(HTTP_PORT, SYN), Payload::none()),
                v6("spoofed v6", 1, Source::any_v6(), tcp(HTTP_PORT, SYN), Payload::none()),
            ]
        }),
        pps: 500_000,
        // No limit per source can see this. The shop knows its customers; strangers share one narrow door.
        policy: || {
            let door = "  limits:\n    perTarget: {connections: {average: 500, burst: 1000}}\n";
            Policy::of(&[web(&format!("{door}{}", allow_customers()))])
        },
        learns: Learns::Nothing,
        expected: &["target_connections"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "syn-flood-unknown",
        about: "the same, and no limit that would stop it: Weir must notice, and write the filter",
        attack: Attack::Flood(|| {
            vec![
                v4("spoofed v4", 3, Source::any_v4(), tcp(HTTP_PORT, SYN), Payload::none()),
                v6("spoofed v6", 1, Source::any_v6(), tcp(HTTP_PORT, SYN), Payload::none()),
            ]
        }),
        pps: 500_000,
        policy: || Policy::of(&[web("")]),
        learns: Learns::Nothing,
        expected: &["rule"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "syn-challenge",
        about: "SYNs that nothing tells from customers' but that nobody is there to answer, to a target that always challenges",
        attack: Attack::Flood(|| {
            let syn = || syn_like_customers(HTTP_PORT);
            vec![
                as_customers_arrive(v4("spoofed v4", 3, Source::any_v4(), syn(), Payload::none())),
                as_customers_arrive(v6("spoofed v6", 1, Source::any_v6(), syn(), Payload::none())),
            ]
        }),
        pps: 500_000,
        policy: || Policy::of(&[web("  syn: {challenge: Always}\n")]),
        learns: Learns::Nothing,
        expected: &["challenged", "challenge_answer", "challenge_answer_transmitted"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "syn-flood-like-customers",
        about: "the same SYNs to a target that is challenged by nobody before Weir notices: no rule tells them from customers'",
        attack: Attack::Flood(|| {
            let syn = || syn_like_customers(HTTP_PORT);
            vec![
                as_customers_arrive(v4("spoofed v4", 3, Source::any_v4(), syn(), Payload::none())),
                as_customers_arrive(v6("spoofed v6", 1, Source::any_v6(), syn(), Payload::none())),
            ]
        }),
        pps: 500_000,
        policy: || Policy::of(&[web("")]),
        learns: Learns::Rates,
        // Customers have proven themselves by the connections of before, and need not answer.
        expected: &["challenged"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "syn-flood-single",
        about: "SYNs from one address of each IP version",
        attack: Attack::Flood(|| {
            let source = |address: &str| Source::one(address.parse().expect("a constant address"));
            vec![
                v4("one v4 source", 3, source("198.51.100.66"), tcp(HTTP_PORT, SYN), Payload::none()),
                v6("one v6 source", 1, source("2001:db8:66::66"), tcp(HTTP_PORT, SYN), Payload::none()),
            ]
        }),
        pps: 500_000,
        policy: || Policy::of(&[web("  limits:\n    perSource: {connections: {average: 50, burst: 100}}\n")]),
        learns: Learns::Nothing,
        expected: &["source_connections"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "udp-flood",
        about: "questions to the name server from 128 machines, each of them far beyond what a customer asks",
        attack: Attack::Flood(|| {
            let question = || Payload { bytes: dns::question(0x7777), zeros: 0..=0 };
            let to_names = || udp(Ports::EPHEMERAL, DNS_PORT);
            vec![
                v4("botnet v4", 3, botnet_v4([203, 0, 113, 0], 64), to_names(), question()),
                v6("botnet v6", 1, botnet_v6("2001:db8:66::", 58), to_names(), question()),
            ]
        }),
        pps: 1_000_000,
        policy: || Policy::of(&[names("  limits:\n    perSource: {packets: {average: 20, burst: 40}}\n")]),
        learns: Learns::Nothing,
        expected: &["source_packets"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "udp-reflection",
        about: "answers that nobody asked for, from open name, time, directory, device and cache servers",
        attack: Attack::Flood(|| {
            let answer = |name: &str, port: u16, size: u16| {
                v4(name, 1, Source::any_v4(), udp(Ports::one(port), DNS_PORT), Payload::zeros(size))
            };
            vec![
                answer("DNS", 53, 512),
                answer("NTP", 123, 440),
                answer("CLDAP", 389, 1400),
                answer("SSDP", 1900, 320),
                answer("memcached", 11211, 1400),
            ]
        }),
        pps: 1_200_000,
        policy: || Policy::of(&[pod("  hygiene: {reflection: true}\n")]),
        learns: Learns::Nothing,
        expected: &["reflection_port"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "icmp-flood",
        about: "echo requests from forged addresses",
        attack: Attack::Flood(pings),
        pps: 600_000,
        policy: || Policy::of(&[pod("  hygiene: {protocols: [TCP, UDP]}\n")]),
        learns: Learns::Nothing,
        expected: &["protocol_not_served"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "ack-flood",
        about: "ACKs of connections that do not exist, from 32 machines; each makes the pod answer with a reset",
        attack: Attack::Flood(|| {
            vec![
                v4("botnet v4", 1, botnet_v4([203, 0, 113, 0], 16), tcp(HTTP_PORT, ACK), Payload::none()),
                v6("botnet v6", 1, botnet_v6("2001:db8:66::", 60), tcp(HTTP_PORT, ACK), Payload::none()),
            ]
        }),
        pps: 600_000,
        policy: || Policy::of(&[web("  limits:\n    perSource: {packets: {average: 100, burst: 200}}\n")]),
        learns: Learns::Nothing,
        expected: &["source_packets"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "ack-flood-unknown",
        about: "ACKs that look like customers', every source forged, and no limit: connections go on, strangers are held back",
        attack: Attack::Flood(|| {
            vec![
                v4("spoofed v4", 3, Source::any_v4(), like_customers(HTTP_PORT), Payload::none()),
                v6("spoofed v6", 1, Source::any_v6(), like_customers(HTTP_PORT), Payload::none()),
            ]
        }),
        pps: 600_000,
        policy: || Policy::of(&[web("")]),
        learns: Learns::Connections,
        expected: &["strangers"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "fragment-flood",
        about: "fragments of datagrams that never come together",
        attack: Attack::Flood(fragments),
        pps: 1_200_000,
        policy: || Policy::of(&[pod("  fragments: Drop\n")]),
        learns: Learns::Nothing,
        expected: &["fragment_refused"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "deny-list",
        about: "SYNs from networks that a list of known attackers names",
        attack: Attack::Flood(|| {
            vec![
                v4("listed v4", 3, botnet_v4([45, 0, 0, 0], 1 << 24), tcp(HTTP_PORT, SYN), Payload::none()),
                v6("listed v6", 1, botnet_v6("2a0e::", 16), tcp(HTTP_PORT, SYN), Payload::none()),
            ]
        }),
        pps: 500_000,
        policy: || {
            let set = "---
apiVersion: weir.dev/v1alpha1
kind: SourceSet
metadata: {name: known-bad}
spec: {file: known-bad.txt}
";
            let protection = web("  deny: [{sourceSet: known-bad}]\n");
            Policy::of(&[format!("{protection}{set}")]).with("known-bad.txt", known_bad())
        },
        learns: Learns::Nothing,
        expected: &["target_deny_list"],
        asks: Asks::Stop,
    },
    Scenario {
        name: "benign-only",
        about: "customers alone, with every limit of the other scenarios in force: nothing may be dropped",
        attack: Attack::None,
        pps: 0,
        policy: || {
            let limits = "  limits:\n    perSource: {packets: {average: 100, burst: 200}, connections: {average: 50, burst: 100}}\n";
            Policy::of(&[web(limits), names("  limits:\n    perSource: {packets: {average: 20, burst: 40}}\n")])
        },
        learns: Learns::Nothing,
        expected: &[],
        asks: Asks::Stop,
    },
    connectionless::UDP_FLOOD,
    connectionless::ICMP_FLOOD,
    connectionless::FRAGMENT_FLOOD,
    evasive::CARPET_BOMBING,
    evasive::PULSE_WAVE,
    evasive::MIXED_VECTORS,
    evasive::LOW_AND_SLOW,
    evasive::BOILING_FROG,
    evasive::MIMICRY,
    crowds::FLASH_CROWD,
    crowds::SLOWLORIS,
    crowds::HTTP_FLOOD,
];

/// A list as feeds publish it: many prefixes, of which these cover the flood's sources.
fn known_bad() -> String {
    let mut list = String::from("# Known attackers\n");
    for i in 0..256 {
        let _ = writeln!(list, "45.{i}.0.0/16");
    }
    list.push_str("2a0e::/16\n");
    list
}
