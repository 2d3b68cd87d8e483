//! A policy that asks for everything there is: lists of both families with and without an end, targets' own lists, failsafe
//! ports, every hygiene filter, rules on every field, limits of every dimension and level, enforcing and observing targets.
#![allow(dead_code, reason = "every test binary uses a part")]

use std::net::IpAddr;
use std::time::Duration;

use weir_policy::limits::Rate;
use weir_policy::model::{Endpoint, Fragments, Hygiene, ListEntry, Policy, Proto, RateLimits, Target, Verdict};
use weir_policy::rules::{Mode, Reach, Rule};
use weir_policy::{CompileOptions, TableImage, compile};

/// Target ids that are enough for [`policy`], the node's included.
pub const TARGETS: u32 = 16;

/// Where targets are reached; the last ones of each family are nobody's.
#[rustfmt::skip]
pub const DESTINATIONS4: [&str; 9] = [
    "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.99", "198.51.100.1",
];
#[rustfmt::skip]
pub const DESTINATIONS6: [&str; 6] =
    ["2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3", "2001:db8:1::5", "2001:db8:9::9", "ff02::1"];

/// Senders: two ordinary ones, who send most, listed ones, and neighbours of listed ones.
#[rustfmt::skip]
pub const SOURCES4: [&str; 30] = [
    "10.2.2.2", "81.2.69.160", "10.1.1.7", "10.1.1.8", "10.1.2.3", "10.1.200.200", "10.2.2.3", "10.3.3.3", "172.16.5.5",
    "81.2.69.161", "10.66.1.1", "10.66.6.1", "10.66.6.6", "10.66.6.129", "10.66.255.255", "10.67.0.0", "10.77.7.7", "10.77.7.8",
    "10.80.1.1", "10.95.0.1", "10.99.0.1", "10.99.0.2", "10.100.1.1", "10.101.1.1", "0.0.0.0", "127.0.0.1", "224.0.0.251",
    "255.255.255.255", "192.0.2.1", "192.0.2.3",
];
#[rustfmt::skip]
pub const SOURCES6: [&str; 20] = [
    "2a00:1::1", "fd00:1:0:1::1", "fd00:1::7", "fd00:1::8", "fd00:2::1", "2a00:1:2:3::4", "2a00:66::1", "2a00:66:6::1",
    "2a00:66:6:6::6", "2a00:66:6:7::1", "2a00:77::7", "2a00:77::8", "2a00:99::1", "fd66::1", "fd66:6::1", "::", "::1", "ff02::1",
    "2001:db8:1::1", "::ffff:10.1.1.7",
];
/// What customers ask for: destination, port, protocol.
#[rustfmt::skip]
pub const SERVICES: [(&str, u16, u8); 11] = [
    ("192.0.2.1", 443, 6), ("192.0.2.1", 53, 17), ("192.0.2.2", 30000, 17), ("192.0.2.4", 1000, 17), ("192.0.2.4", 1001, 17),
    ("192.0.2.5", 80, 6), ("192.0.2.7", 80, 6), ("2001:db8:1::1", 443, 6), ("2001:db8:1::1", 53, 17), ("2001:db8:1::2", 30000, 17),
    ("2001:db8:1::5", 80, 6),
];
/// Ports that mean something to the policy, and some that do not.
pub const PORTS: [u16; 20] =
    [0, 1, 22, 53, 67, 68, 80, 123, 443, 1000, 1001, 1900, 4789, 6081, 6443, 8472, 11211, 30000, 40000, 65535];

fn at(addr: &str, port: u16, proto: u8) -> Endpoint {
    Endpoint { addr: addr.parse().expect("an address"), port, proto }
}

fn rate(average: u64, burst: u64) -> Option<Rate> {
    Some(Rate::per_second(average, burst))
}

fn target(name: &str, endpoints: &[(&str, u16, u8)]) -> Target {
    let endpoints = endpoints.iter().map(|(addr, port, proto)| at(addr, *port, *proto)).collect();
    Target { endpoints, enforce: true, ..Target::new(name) }
}

const ALL: Hygiene = Hygiene { tcp_flags: true, land: true, port_zero: true, bogons: true, reflection: true };
const NONE: Hygiene = Hygiene { tcp_flags: false, land: false, port_zero: false, bogons: false, reflection: false };

fn targets() -> Vec<Target> {
    let both = |port, proto| [("192.0.2.1", port, proto), ("2001:db8:1::1", port, proto)];
    let web = Target {
        hygiene: Hygiene { reflection: false, ..ALL },
        per_source: RateLimits { packets: rate(500, 40), connections: rate(100, 12), ..RateLimits::default() },
        per_prefix: RateLimits { packets: rate(1000, 60), ..RateLimits::default() },
        ..target("web", &[both(80, 6), both(443, 6)].concat())
    };
    let dns = Target {
        hygiene: Hygiene { bogons: false, ..ALL },
        per_source: RateLimits { bytes: rate(20_000, 66_000), ..RateLimits::default() },
        unmatched_fragments: Rate::per_second(500, 6),
        ..target("dns", &both(53, 17))
    };
    let game = Target {
        enforce: false,
        hygiene: NONE,
        fragments: Fragments::Pass,
        per_prefix: RateLimits { bytes: rate(30_000, 66_000), packets: rate(1500, 300), ..RateLimits::default() },
        ..target("game", &[("192.0.2.2", 0, 17), ("2001:db8:1::2", 0, 17)])
    };
    let strict = Target {
        hygiene: ALL,
        fragments: Fragments::Drop,
        served: vec![6, 17, 58, 132],
        ..target("strict", &[("192.0.2.3", 0, 0), ("2001:db8:1::3", 0, 0)])
    };
    let [red, blue] = [("red", 1000), ("blue", 1001)].map(|(name, port)| Target {
        limit_group: "colours".into(),
        per_source: RateLimits { packets: if name == "red" { rate(500, 20) } else { None }, ..RateLimits::default() },
        per_prefix: RateLimits { packets: rate(250, 30), ..RateLimits::default() },
        ..target(name, &[("192.0.2.4", port, 0)])
    });
    let slow = Rate { average: 600, burst: 3, period: Duration::from_secs(60) };
    let open = Target {
        per_source: RateLimits { connections: Some(slow), ..RateLimits::default() },
        per_prefix: RateLimits { connections: rate(30, 4), ..RateLimits::default() },
        per_target: RateLimits { packets: rate(1000, 100), bytes: rate(40_000, 66_000), connections: rate(25, 4) },
        unmatched_fragments: Rate::per_second(250, 3),
        ..target("open", &[("192.0.2.5", 0, 6), ("2001:db8:1::5", 0, 0)])
    };
    let watched = Target { enforce: false, hygiene: ALL, ..target("watched", &[("192.0.2.6", 0, 0)]) };
    let bare = Target { hygiene: NONE, ..target("bare", &[("192.0.2.7", 0, 0)]) };
    vec![web, dns, game, strict, red, blue, open, watched, bare]
}

/// Rules on every field; each with its mode.
const RULES: [(&str, Mode); 16] = [
    ("tcp and flags & 0x12 = 0x02 and no options", Mode::Shadow),
    ("tcp and seq_low_zero and ack_zero", Mode::Shadow),
    ("tcp and window 0-100,1024", Mode::Enforce),
    ("tcp and layout 1-9", Mode::Enforce),
    ("tcp and data_offset 11-15", Mode::Shadow),
    ("udp and sport 19,123,1900", Mode::Shadow),
    ("udp and length 1000-1200", Mode::Insist),
    ("udp and payload = \"attack\"", Mode::Enforce),
    ("payload & 0xff00ff = 0x470054", Mode::Shadow),
    ("icmp and icmp_type 13-18", Mode::Enforce),
    ("ttl 0-2", Mode::Enforce),
    ("tos 0xb8", Mode::Shadow),
    ("later_fragment and length 0-40", Mode::Enforce),
    ("ip6 and ip_options", Mode::Shadow),
    ("ip4 and df and id_zero", Mode::Shadow),
    ("udp and dport 1-65535", Mode::Dormant),
];

fn entries(policy: &mut Policy, now: u64) {
    use Verdict::{Allow, Deny, NeverBlock};
    let lasting = [
        ("10.66.0.0/16", Deny),
        ("10.66.6.0/24", Allow),
        ("10.66.6.6/32", Deny),
        ("10.66.6.128/25", Deny),
        ("10.66.7.0/30", Deny),
        ("10.99.0.0/24", NeverBlock),
        ("10.99.0.2/32", Deny),
        ("10.100.0.0/16", Allow),
        ("10.100.1.1/32", Deny),
        ("172.16.5.0/24", Deny),
        ("172.16.5.5/32", Allow),
        ("2a00:66::/32", Deny),
        ("2a00:66:6::/48", Allow),
        ("2a00:66:6:6::/64", Deny),
        ("2a00:66:6:7::1/128", Deny),
        ("2a00:99::/48", NeverBlock),
        ("fd66::/16", Deny),
        ("fd66:6::/48", Allow),
        ("2001:db8::/20", Allow),
        ("2001:db8:1::/48", Deny),
        ("2001:db8:1::/128", Allow),
    ];
    // Ends that come soon, one after the other.
    let timed = [
        ("10.77.7.7/32", Deny, 30),
        ("10.77.7.8/32", Deny, 200),
        ("10.77.7.0/28", Allow, 90),
        ("10.80.0.0/14", Deny, 400),
        ("10.95.0.0/19", Deny, 60),
        ("81.2.69.161/32", Deny, 120),
        ("10.2.2.3/32", Deny, 700),
        ("2a00:77::7/128", Deny, 50),
        ("2a00:77::/64", Deny, 300),
        ("2a00:77::8/128", Allow, 150),
        ("fd00:2::/64", Deny, 100),
        ("10.66.6.1/32", Deny, 250),
    ];
    let mut rule = 0;
    let mut add = |policy: &mut Policy, prefix: &str, verdict, until: Option<u64>, set: Option<u32>| {
        rule += 1;
        let id = policy.names.intern(&format!("list entry {rule}"));
        let prefix: weir_policy::Prefix = prefix.parse::<ipnet::IpNet>().expect("a prefix").into();
        let mut entry = ListEntry::new(prefix, verdict, id);
        entry = until.map_or(entry, |ticks| entry.until(now + ticks));
        policy.lists.push(set.map_or(entry, |set| entry.in_set(set)));
    };
    for (prefix, verdict) in lasting {
        add(policy, prefix, verdict, None, None);
    }
    for (prefix, verdict, ticks) in timed {
        add(policy, prefix, verdict, Some(ticks), None);
    }
    let (office, bad) = (policy.sets.intern("office"), policy.sets.intern("bad"));
    for (prefix, verdict, ticks, set) in [
        ("10.1.0.0/16", Allow, None, office),
        ("10.1.2.0/24", Deny, None, office),
        ("10.1.1.8/32", Deny, Some(350), office),
        ("fd00:1::/64", Allow, None, office),
        ("fd00:1::8/128", Deny, Some(150), office),
        ("0.0.0.0/1", Deny, None, bad),
        ("10.0.0.0/8", Allow, None, bad),
        ("10.3.3.3/32", Deny, None, bad),
        ("2a00::/16", Deny, None, bad),
    ] {
        add(policy, prefix, verdict, ticks, Some(set));
    }
}

/// The policy at a tick: from there its timed entries run.
pub fn policy(now: u64) -> Policy {
    let mut policy =
        Policy { enforce_node: true, tunnels: true, drop_malformed: true, targets: targets(), ..Policy::default() };
    policy.failsafe = vec![(Proto::Tcp, 22), (Proto::Tcp, 6443), (Proto::Udp, 68)];
    entries(&mut policy, now);
    let (office, bad) = (policy.sets.intern("office"), policy.sets.intern("bad"));
    for target in &mut policy.targets {
        match target.name.as_str() {
            "web" => target.lists = vec![office],
            "game" => target.lists = vec![office, bad],
            "bare" => target.lists = vec![bad],
            _ => {}
        }
    }
    for (i, (text, mode)) in RULES.into_iter().enumerate() {
        let id = policy.names.intern(&format!("rule {i}"));
        let reach = if i % 5 == 4 { Reach::Targets(vec!["game".into(), "bare".into()]) } else { Reach::All };
        policy.rules.push(Rule { id, matches: text.parse().expect("a rule"), mode, reach });
    }
    policy
}

/// The same for other traffic: its destinations take the targets' places in turn, some of its sources are listed.
pub fn policy_for(now: u64, destinations: &[Endpoint], sources: &[IpAddr]) -> Policy {
    let mut policy = policy(now);
    for (i, endpoint) in destinations.iter().enumerate() {
        let at = i % policy.targets.len();
        let whole = Endpoint { port: 0, proto: 0, ..*endpoint };
        policy.targets[at].endpoints.push(if i % 3 == 2 { *endpoint } else { whole });
    }
    let office = policy.sets.intern("office");
    for (i, &source) in sources.iter().enumerate() {
        let around = |v4, v6| if source.is_ipv4() { v4 } else { v6 };
        let net = |len| ipnet::IpNet::new(source, len).expect("a length");
        let ticks = now + 20 + 15 * i as u64;
        let id = policy.names.intern(&format!("source {i}"));
        policy.lists.push(match i % 9 {
            0 => ListEntry::new(net(around(32, 128)), Verdict::Deny, id).until(ticks),
            1 => ListEntry::new(net(around(24, 64)), Verdict::Allow, id).until(ticks),
            2 => ListEntry::new(net(around(28, 60)), Verdict::Deny, id),
            3 => ListEntry::new(net(around(32, 128)), Verdict::NeverBlock, id),
            4 => ListEntry::new(net(around(20, 48)), Verdict::Deny, id).in_set(office),
            _ => continue,
        });
    }
    policy
}

/// Other policies to change to and fro: as it is; the node observing; without lists, tunnels and failsafe ports; every target's
/// mode and fragments turned round and every rule's mode another one; fewer targets; nothing at all.
pub fn variants(now: u64) -> Vec<Policy> {
    let full = policy(now);
    let mut observing = full.clone();
    observing.enforce_node = false;
    let mut short = full.clone();
    short.lists.clear();
    short.tunnels = false;
    short.drop_malformed = false;
    short.failsafe.clear();
    let mut turned = full.clone();
    for target in &mut turned.targets {
        target.enforce = !target.enforce;
        target.fragments = match target.fragments {
            Fragments::Track => Fragments::Pass,
            Fragments::Drop | Fragments::Pass => Fragments::Track,
        };
        target.lists.reverse();
        target.per_source.packets = rate(4000, 17);
    }
    for rule in &mut turned.rules {
        rule.mode = match rule.mode {
            Mode::Dormant => Mode::Enforce,
            Mode::Shadow => Mode::Dormant,
            Mode::Enforce => Mode::Insist,
            Mode::Insist => Mode::Limit,
            Mode::Limit => Mode::Shadow,
        };
    }
    let mut fewer = full.clone();
    fewer.targets.drain(1..5);
    fewer.rules.iter_mut().for_each(|rule| rule.reach = Reach::All);
    fewer.rules.drain(2..9);
    fewer.lists.retain(|entry| entry.expires.is_some());
    vec![full, observing, short, turned, fewer, Policy::default()]
}

/// Compiled for a tick rate, continuing from an image.
pub fn image(policy: &Policy, tick_hz: u32, now: u64, previous: Option<&TableImage>) -> TableImage {
    let options = CompileOptions { max_targets: TARGETS, ..CompileOptions::new(tick_hz, now) };
    compile(policy, &options, previous).unwrap_or_else(|e| panic!("{e}")).image
}
