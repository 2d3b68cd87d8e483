//! The corpus through the whole pipeline on the host: what ordinary traffic loses (nothing), and what the reports say.

#[path = "common/corpus.rs"]
mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use weir_policy::model::{Endpoint, Policy, Target};
use weir_policy::{CompileOptions, TableImage, compile};
use weir_sim::env::Sizes;
use weir_sim::link::ethernet;
use weir_sim::pcap::Capture;
use weir_sim::replay::{Mode, Options, Replay, Report};
use weir_wire::Parsed;

fn image(policy: &Policy) -> TableImage {
    compile(policy, &CompileOptions::new(250, 0), None).expect("a sound policy").image
}

/// No limit is in force here, and no capture has many fragments: small tables give the same answers sooner.
const SIZES: Sizes = Sizes {
    targets: 4,
    source_lines: 64,
    fragment_slots: 1024,
    flow_lines: 16,
    proven_lines: 4,
    retry_slots: 16,
    cpus: 1,
    seed: [1, 2],
};

fn replay(policy: &Policy, mode: Mode) -> Replay {
    let options = Options { mode: Some(mode), sizes: SIZES, ..Options::default() };
    Replay::new(&image(policy), options).expect("room for its targets")
}

/// Frames of benign captures that cannot be read, each with the reason. By default they are told as would-drops, and pass.
///
/// None of them is traffic that a receiver would have taken: the corpus counts a capture as benign by what it is about, and these
/// hold a few frames that no network delivers or no stack accepts.
const UNREADABLE: [(&str, &str, u64); 5] = [
    // Six bytes: less than an Ethernet header.
    ("benign-8021x-01.pcap", "ethernet_truncated", 2),
    // Its project calls it "badpackets": shortened by whatever captured it, which then recorded the short length as the true one.
    ("benign-dns-fragmented-01.pcap", "ipv4_bad_total_length", 78),
    // A crafted first fragment of 54 bytes: not a multiple of eight.
    ("benign-encap-eoip-01.pcap", "fragment_bad_length", 1),
    // A crafted fragment that says it is whole, of a datagram that says it is longer.
    ("benign-encap-vxlan-01.pcap", "udp_bad_length", 1),
    // Shortened by eight or twenty bytes, like the one above; Linux drops such packets in `ip_rcv_core`.
    ("benign-tcp-09.pcap", "ipv4_bad_total_length", 5),
];

/// Frames that the checks of a target drop besides.
const LOST_TO_A_TARGET: [(&str, &str, u64); 5] = [
    // Captured on a loopback interface, where everybody talks to himself; Weir is not attached there.
    ("benign-dns-54.pcap", "land", 6),
    ("benign-free5gc-01.pcap", "land", 12),
    ("benign-loopback-01.pcap", "land", 4),
    ("benign-ntp-07.pcap", "land", 1),
    // A crafted pair: the second fragment starts at byte 16 of a first one of 24 (RFC 5722: the datagram is discarded).
    ("benign-encap-gtpu-01.pcap", "fragment_overlap", 1),
];

/// The reasons for which a report says that frames were or would have been dropped.
fn lost(report: &Report) -> BTreeMap<&'static str, u64> {
    let drops = |label: &str| weir_abi::Reason::ALL.iter().any(|r| r.label() == label && r.drops());
    report.verdicts.iter().filter(|(label, _)| drops(label)).map(|(label, n)| (*label, *n)).collect()
}

/// Frames whose headers cannot be read.
fn unreadable(report: &Report) -> u64 {
    let malformed = |label: &str| weir_abi::Reason::ALL.iter().any(|r| r.label() == label && r.is_malformed());
    report.verdicts.iter().filter(|(label, _)| malformed(label)).map(|(_, n)| *n).sum()
}

#[test]
fn reports_add_up() {
    let Some(corpus) = corpus::all("reports_add_up") else { return };
    let (mut enforce, mut observe) =
        (replay(&Policy::default(), Mode::Enforce), replay(&Policy::default(), Mode::Observe));
    let (mut dropped, mut packets) = (0, 0);
    for capture in &corpus {
        let report = enforce.file(&capture.path);
        assert!(report.error.is_none(), "{}: {}", capture.name, report.error.unwrap());
        assert_eq!((report.packets, report.bytes), (capture.packets, capture.bytes), "{}", capture.name);
        assert_eq!(report.verdicts.values().sum::<u64>(), report.packets, "{}", capture.name);
        assert_eq!(report.dropped + report.passed, report.packets, "{}", capture.name);
        // What cannot be read is told and passes: nobody asked for it to be dropped.
        let unreadable = unreadable(&report);
        assert_eq!(report.would_drop, unreadable, "{}", capture.name);
        assert_eq!(report.dropped + unreadable, lost(&report).values().sum::<u64>(), "{}", capture.name);
        // A few crafted captures have times that the manifest's tool takes otherwise.
        if capture.label != "malformed" {
            let apart = (report.duration_s - capture.duration_s).abs();
            assert!(apart < 1e-5, "{}: {} and not {} s", capture.name, report.duration_s, capture.duration_s);
        }
        // Observed, the same is told of every frame, and all pass.
        let observed = observe.file(&capture.path);
        assert_eq!((observed.dropped, observed.would_drop), (0, report.dropped + unreadable), "{}", capture.name);
        assert_eq!(observed.verdicts, report.verdicts, "{}", capture.name);
        // Again, and nothing of the first time shows.
        assert_eq!(enforce.file(&capture.path).verdicts, report.verdicts, "{}", capture.name);
        dropped += report.dropped;
        packets += report.packets;
    }
    println!("{} captures, {packets} packets, {dropped} dropped by the default policy", corpus.len());
}

#[test]
fn ordinary_traffic_passes_the_default_policy() {
    let Some(corpus) = corpus::all("ordinary_traffic_passes_the_default_policy") else { return };
    let mut enforce = replay(&Policy::default(), Mode::Enforce);
    let dropped = check(&corpus, "default policy", &UNREADABLE, |capture| enforce.file(&capture.path));
    assert_eq!(dropped, 0);
}

/// The same where every destination of the capture is a protected target with the default checks.
#[test]
fn ordinary_traffic_passes_a_targets_default_checks() {
    let Some(corpus) = corpus::all("ordinary_traffic_passes_a_targets_default_checks") else { return };
    let known = [&UNREADABLE[..], &LOST_TO_A_TARGET].concat();
    let dropped = check(&corpus, "every destination a target", &known, |capture| {
        let mut target = Target::new("all");
        target.endpoints = destinations(capture).into_iter().map(|addr| Endpoint { addr, port: 0, proto: 0 }).collect();
        let policy = Policy { targets: vec![target], ..Policy::default() };
        let report = replay(&policy, Mode::Enforce).file(&capture.path);
        let acted = report.incidents.iter().filter(|incident| incident.mitigated_s.is_some());
        assert_eq!(acted.count(), 0, "{}: {:?}", capture.name, report.incidents);
        report
    });
    assert_eq!(dropped, LOST_TO_A_TARGET.iter().map(|(.., n)| n).sum::<u64>());
}

/// Replays every benign capture and fails where a drop or would-drop is not known, or a known one is not there. The drops.
fn check(
    corpus: &[corpus::Listed],
    what: &str,
    known: &[(&str, &str, u64)],
    mut replay: impl FnMut(&corpus::Listed) -> Report,
) -> u64 {
    let (mut captures, mut packets) = (0, 0);
    let mut verdicts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut dropped = 0;
    for capture in corpus.iter().filter(|c| c.label == "benign") {
        let report = replay(capture);
        captures += 1;
        packets += report.packets;
        dropped += report.dropped;
        for (label, n) in &report.verdicts {
            *verdicts.entry(label).or_default() += n;
        }
        let of_it = known.iter().filter(|(name, ..)| *name == capture.name);
        let expected: BTreeMap<&str, u64> = of_it.map(|(_, label, n)| (*label, *n)).collect();
        if lost(&report) != expected {
            wrong.push(format!("{}: {:?}, expected {expected:?}", capture.name, lost(&report)));
        }
    }
    println!("{what}: {captures} benign captures, {packets} packets, {dropped} dropped, all known: {verdicts:?}");
    assert!(wrong.is_empty(), "{what}: {} captures lose packets:\n{}", wrong.len(), wrong.join("\n"));
    dropped
}

/// Every destination address of a capture.
fn destinations(capture: &corpus::Listed) -> BTreeSet<IpAddr> {
    let mut found = BTreeSet::new();
    for record in Capture::open(&capture.path).unwrap_or_else(|e| panic!("{e}")) {
        let record = record.unwrap_or_else(|e| panic!("{e}"));
        let frame = ethernet(&record).expect("a link type that is read");
        if let Parsed::Packet(p) = weir_wire::parse(&frame.frame()) {
            let v6 = std::net::Ipv6Addr::from((p.ip.dst.0 as u128) << 64 | p.ip.dst.1 as u128);
            found.insert(v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4));
        }
    }
    found
}
