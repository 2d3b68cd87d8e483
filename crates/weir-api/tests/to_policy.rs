//! Objects to the neutral policy: what is made of them, and what a person reads when they contradict each other.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use weir_api::spec::{Cidr, Mode};
use weir_api::to_policy::{Clock, Context, Converted, to_policy};
use weir_api::yaml::parse;
use weir_policy::model::{Policy, Scope, Verdict};

const NOW: &str = "2026-03-01T12:00:00Z";

struct Case {
    mode: Option<Mode>,
    files: BTreeMap<String, Vec<Cidr>>,
}

impl Case {
    fn new() -> Self {
        Self { mode: None, files: BTreeMap::new() }
    }

    fn convert(&self, text: &str) -> Result<(Policy, Vec<String>), Vec<String>> {
        let (objects, problems) = parse("p.yaml", text);
        assert!(problems.is_empty(), "{problems:?}");
        let host: Vec<IpAddr> = vec!["192.0.2.10".parse().unwrap(), "2001:db8::10".parse().unwrap()];
        let now = NOW.parse::<weir_api::spec::Moment>().unwrap().to_system();
        let context = Context {
            mode: self.mode,
            host: &host,
            files: &self.files,
            clock: Clock { now, ticks: 10_000, hz: 250 },
            names: Default::default(),
            sets: Default::default(),
        };
        let shown = |problems: Vec<weir_api::Problem>| problems.iter().map(ToString::to_string).collect();
        match to_policy(&objects, context) {
            Ok(Converted { policy, warnings, .. }) => Ok((policy, shown(warnings))),
            Err(problems) => Err(shown(problems)),
        }
    }
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|l| format!("  {l}\n")).collect();
    format!("---\napiVersion: weir.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}")
}

#[track_caller]
fn policy(text: &str) -> Policy {
    let (policy, warnings) = Case::new().convert(text).unwrap_or_else(|e| panic!("{e:#?}"));
    assert!(warnings.is_empty(), "{warnings:#?}");
    policy
}

#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    assert_eq!(Case::new().convert(text).unwrap_err(), expected, "\n{text}");
}

#[track_caller]
fn warned(text: &str, expected: &[&str]) {
    assert_eq!(Case::new().convert(text).unwrap().1, expected, "\n{text}");
}

fn lists(policy: &Policy, scope: Scope) -> Vec<String> {
    let entries = policy.lists.iter().filter(|e| e.scope == scope);
    entries
        .map(|e| {
            let until = e.expires.map(|t| format!(" until {t}")).unwrap_or_default();
            format!("{:?} {} by {}{until}", e.verdict, e.prefix, policy.names.show(e.rule))
        })
        .collect()
}

#[test]
fn nothing_asks_for_nothing() {
    let policy = policy("");
    assert!(!policy.enforce_node && policy.targets.is_empty() && policy.lists.is_empty());
    assert!(policy.failsafe.contains(&(weir_policy::model::Proto::Tcp, 22)));
}

#[test]
fn addresses_become_one_target() {
    let policy = policy(&object(
        "Protection",
        "shop",
        "target: {addresses: [{ip: 192.0.2.80, port: 443, protocol: TCP}, {cidr: 198.51.100.4/30}]}\n\
         mode: Enforce\n\
         limits: {perSource: {packets: {average: 2k, burst: 4k}}, perTarget: {bytes: {average: 10M, period: 1s}}}\n\
         hygiene: {bogons: true, protocols: [TCP, ICMP]}\n\
         fragments: Drop",
    ));
    let [target] = &policy.targets[..] else { panic!() };
    assert_eq!((target.name.as_str(), target.enforce, target.endpoints.len()), ("shop", true, 5));
    assert_eq!((target.endpoints[0].port, target.endpoints[0].proto), (443, 6));
    let last: IpAddr = "198.51.100.7".parse().unwrap();
    assert_eq!((target.endpoints[4].addr, target.endpoints[4].port, target.endpoints[4].proto), (last, 0, 0));
    assert_eq!(target.per_source.packets.map(|r| (r.average, r.burst)), Some((2_000, 4_000)));
    assert_eq!(target.per_target.bytes.map(|r| (r.average, r.burst)), Some((10_000_000, 10_000_000)));
    assert!(target.hygiene.bogons && target.hygiene.land && !target.hygiene.reflection);
    assert_eq!(target.served, [6, 1]);
    assert_eq!(target.fragments, weir_policy::model::Fragments::Drop);
    assert!(!policy.enforce_node, "a target's mode is not the node's");
}

#[test]
fn the_host_default_rules_the_node_and_its_addresses() {
    let text =
        object("ClusterProtection", "host", "mode: Enforce\nallow: [{cidr: 203.0.113.7}]\ndeny: [{sourceSet: bad}]")
            + &object("SourceSet", "bad", "cidrs: [203.0.113.0/24, 2001:db8:bad::/48]");
    let policy = policy(&text);
    assert!(policy.enforce_node);
    assert_eq!(policy.targets[0].endpoints.len(), 2);
    assert!(policy.targets[0].lists.is_empty());
    assert_eq!(
        lists(&policy, Scope::Node),
        [
            "Allow 203.0.113.7/32 by host",
            "Deny 203.0.113.0/24 by SourceSet bad",
            "Deny 2001:db8:bad::/48 by SourceSet bad",
        ]
    );
}

#[test]
fn what_concerns_the_whole_node_is_asked_for_by_the_host_default() {
    let text = |kind, target| object(kind, "p", &format!("{target}hygiene: {{malformed: true, tunnels: true}}"));
    let policy = policy(&text("ClusterProtection", ""));
    assert!(policy.drop_malformed && policy.tunnels);
    let message = "concerns the whole node: ask for it in the ClusterProtection for nodes";
    refused(
        &text("Protection", "target: {addresses: [{ip: 192.0.2.1}]}\n"),
        &[
            &format!("p.yaml:7:24: spec.hygiene.malformed: {message}"),
            &format!("p.yaml:7:39: spec.hygiene.tunnels: {message}"),
        ],
    );
}

#[test]
fn the_host_default_yields_an_address_that_somebody_else_protects() {
    let text = object("ClusterProtection", "host", "target: {nodes: {}}")
        + &object("Protection", "shop", "target: {addresses: [{ip: 192.0.2.10}]}");
    let policy = policy(&text);
    let of = |name: &str| policy.targets.iter().find(|t| t.name == name).unwrap().endpoints.len();
    assert_eq!((of("host"), of("shop")), (1, 1));
}

#[test]
fn lists_of_a_target_are_sets_and_shared_ones_are_there_once() {
    let spec =
        |ip: &str| format!("target: {{addresses: [{{ip: {ip}}}]}}\ndeny: [{{sourceSet: bad}}, {{cidr: 203.0.113.9}}]");
    let text = object("SourceSet", "bad", "cidrs: [203.0.113.0/24]")
        + &object("Protection", "a", &spec("192.0.2.1"))
        + &object("Protection", "b", &spec("192.0.2.2"));
    let policy = policy(&text);
    assert_eq!(policy.targets[0].lists, [1, 2]);
    assert_eq!(policy.targets[1].lists, [1, 3]);
    assert_eq!(lists(&policy, Scope::Set(1)), ["Deny 203.0.113.0/24 by SourceSet bad"]);
    assert_eq!(lists(&policy, Scope::Set(3)), ["Deny 203.0.113.9/32 by b"]);
    assert_eq!(policy.lists.len(), 3);
}

#[test]
fn the_mode_of_the_command_line_overrides_all() {
    let text = object("ClusterProtection", "host", "mode: Enforce")
        + &object("Protection", "shop", "target: {addresses: [{ip: 192.0.2.80}]}");
    let with = |mode| {
        let (policy, _) = Case { mode, ..Case::new() }.convert(&text).unwrap();
        (policy.enforce_node, policy.targets.iter().map(|t| t.enforce).collect::<Vec<_>>())
    };
    assert_eq!(with(None), (true, vec![true, false]));
    assert_eq!(with(Some(Mode::Observe)), (false, vec![false, false]));
    assert_eq!(with(Some(Mode::Enforce)), (true, vec![true, true]));
}

#[test]
fn blocks_hold_for_the_node_until_their_tick() {
    let text = object("Block", "b1", "cidr: 203.0.113.7\nreason: scanner\nexpires: 2026-03-01T12:01:00Z")
        + &object("Block", "b2", "cidr: 203.0.113.8\naction: Allow");
    let policy = policy(&text);
    assert_eq!(
        lists(&policy, Scope::Node),
        ["Deny 203.0.113.7/32 by Block b1 until 25000", "Allow 203.0.113.8/32 by Block b2"]
    );
    assert_eq!(policy.lists[1].verdict, Verdict::Allow);
    warned(
        &object("Block", "old", "cidr: 203.0.113.7\nexpires: 2026-03-01T12:00:00Z"),
        &["p.yaml:7:12: warning: spec.expires: this time has passed and the block has no effect: remove the object"],
    );
}

#[test]
fn ticks_are_rounded_up() {
    let clock = Clock { now: SystemTime::UNIX_EPOCH + Duration::from_secs(100), ticks: 1_000, hz: 250 };
    let at =
        |ms: u64| clock.tick(weir_api::spec::Moment::from_system(SystemTime::UNIX_EPOCH + Duration::from_millis(ms)));
    assert_eq!((at(100_000), at(100_001), at(101_000), at(99_000), at(0)), (1_000, 1_001, 1_250, 750, 0));
}

#[test]
fn source_sets_must_exist_and_be_read() {
    let text = object("ClusterProtection", "host", "deny: [{sourceSet: ofice}]")
        + &object("SourceSet", "office", "cidrs: [203.0.113.0/24]");
    refused(&text, &["p.yaml:6:22: spec.deny[0].sourceSet: there is no SourceSet `ofice`: did you mean `office`?"]);
    refused(
        &object("SourceSet", "bad", "file: bad.txt"),
        &["p.yaml:6:9: spec.file: `bad.txt` was not read: files are named relative to the policy directory"],
    );
    warned(
        &object("SourceSet", "bad", "{}"),
        &["p.yaml:5:1: warning: spec: the set is empty: name prefixes in `cidrs` or a `file`"],
    );
    let mut case = Case::new();
    case.files.insert("bad.txt".into(), vec!["203.0.113.0/24".parse().unwrap()]);
    let text =
        object("SourceSet", "bad", "file: bad.txt") + &object("ClusterProtection", "host", "deny: [{sourceSet: bad}]");
    let (policy, _) = case.convert(&text).unwrap();
    assert_eq!(lists(&policy, Scope::Node), ["Deny 203.0.113.0/24 by SourceSet bad"]);
}

#[test]
fn targets_must_be_one_thing_that_can_be_found() {
    let one = |spec: &str| object("Protection", "p", spec);
    refused(
        &one("mode: Observe"),
        &["p.yaml:5:1: spec.target: missing: say what is protected with services, pods or addresses"],
    );
    refused(&one("target: {}"), &["p.yaml:6:3: spec.target: empty: name one of services, pods or addresses"]);
    refused(
        &one("target: {pods: {}, addresses: [{ip: 192.0.2.1}]}"),
        &[
            "p.yaml:6:3: spec.target: pods and addresses stand side by side: one of them, and another object for the other",
        ],
    );
    refused(
        &one("target: {nodes: {}}"),
        &["p.yaml:6:12: spec.target.nodes: nodes belong to the whole cluster: make this a ClusterProtection"],
    );
    refused(
        &one("target: {addresses: [{cidr: 10.0.0.0/8}]}"),
        &[
            "p.yaml:6:31: spec.target.addresses[0].cidr: 10.0.0.0/8 holds more than 256 addresses: name smaller prefixes or single addresses",
        ],
    );
    refused(
        &one("target: {addresses: [{ip: 192.0.2.1, protocol: ICMP, port: 5}, {port: 1}]}"),
        &[
            "p.yaml:6:62: spec.target.addresses[0].port: ICMP has no ports: remove the port or the protocol",
            "p.yaml:6:66: spec.target.addresses[1]: write either `ip` or `cidr`",
        ],
    );
    warned(
        &one("target: {services: {matchLabels: {app: shop}}}"),
        &[
            "p.yaml:6:12: warning: spec.target.services: services are found by label in a cluster; on a host alone this protects nothing (use addresses)",
        ],
    );
}

#[test]
fn two_of_a_kind_are_one_too_many() {
    let text = object("Protection", "p", "target: {addresses: [{ip: 192.0.2.1}]}");
    refused(
        &(text.clone() + &text),
        &["p.yaml:10:18: metadata.name: Protection p is there already, at p.yaml:2:1: give one of them another name"],
    );
    refused(
        &(text + &object("Protection", "q", "target: {addresses: [{cidr: 192.0.2.0/31}]}")),
        &["p.yaml:12:12: spec.target.addresses: 192.0.2.1 belongs to p already: an endpoint has one owner"],
    );
    refused(
        &(object("ClusterProtection", "a", "mode: Observe") + &object("ClusterProtection", "b", "target: {nodes: {}}")),
        &[
            "p.yaml:12:3: spec.target: ClusterProtection a protects this host already: one object may do that, join the two",
        ],
    );
}

#[test]
fn limits_are_tried_against_the_cells() {
    let one = |limits: &str| {
        object("Protection", "p", &format!("target: {{addresses: [{{ip: 192.0.2.1}}]}}\nlimits: {limits}"))
    };
    refused(
        &one("{perSource: {packets: {average: 0}}}"),
        &[
            "p.yaml:7:24: spec.limits.perSource.packets: an average of 0 would refuse everything; leave the limit out for none, or use a deny list",
        ],
    );
    let error = Case::new().convert(&one("{perSource: {packets: {average: 1, burst: 1000000}}}")).unwrap_err();
    assert!(error[0].starts_with("p.yaml:7:24: spec.limits.perSource.packets: the burst takes "), "{error:?}");
    warned(
        &one("{eastWest: {packets: {average: 1}}}"),
        &[
            "p.yaml:7:12: warning: spec.limits.eastWest: limits between workloads need a cluster and have no effect in this version",
        ],
    );
}

#[test]
fn what_has_no_effect_yet_says_so() {
    warned(
        &object(
            "Protection",
            "p",
            "target: {addresses: [{ip: 192.0.2.1}]}\nsensitivity: High\nsyn: {challenge: Always}\nresponse: {maxTtl: 1h}",
        ),
        &[
            "p.yaml:7:16: warning: spec.sensitivity: is kept for detection and has no effect in this version",
            "p.yaml:9:3: warning: spec.response: is kept for detection and has no effect in this version",
        ],
    );
}
