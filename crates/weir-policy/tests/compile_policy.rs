//! A policy as a whole: ids that stay, what is refused and in which words, and what the tables say in the end.

use std::net::IpAddr;

use weir_abi::config::node_flag;
use weir_abi::policy::flag;
use weir_abi::prefix::State;
use weir_abi::target::OWNER;
use weir_abi::{Addr, TargetKey, TargetPolicy};
use weir_policy::compile::Warning;
use weir_policy::limits::Rate;
use weir_policy::model::{Endpoint, Fragments, ListEntry, Policy, Proto, RateLimits, Target, Verdict};
use weir_policy::rules::{Mode, Reach, Rule};
use weir_policy::{CompileOptions, Compiled, TableImage, compile, lookup};

const NOW: u64 = 1000;

fn built(policy: &Policy, previous: Option<&TableImage>) -> Compiled {
    compile(policy, &CompileOptions::new(250, NOW), previous).unwrap()
}

fn refused(policy: &Policy) -> Vec<String> {
    let errors = compile(policy, &CompileOptions::new(250, NOW), None).unwrap_err();
    errors.to_string().lines().map(str::to_owned).collect()
}

fn at(host: u8, port: u16, proto: u8) -> Endpoint {
    Endpoint { addr: IpAddr::from([192, 0, 2, host]), port, proto }
}

fn target(name: &str, endpoints: impl IntoIterator<Item = Endpoint>) -> Target {
    Target { endpoints: endpoints.into_iter().collect(), ..Target::new(name) }
}

fn policy(targets: impl IntoIterator<Item = Target>) -> Policy {
    Policy { targets: targets.into_iter().collect(), ..Policy::default() }
}

fn net(text: &str) -> weir_policy::Prefix {
    text.parse::<ipnet::IpNet>().unwrap().into()
}

fn id(image: &TableImage, name: &str) -> usize {
    image.names.targets.iter().position(|n| n == name).unwrap()
}

#[test]
fn an_empty_policy_observes_and_lets_the_failsafe_ports_pass() {
    let image = built(&Policy::default(), None).image;
    assert_eq!(image.node_flags, node_flag::FAILSAFE);
    assert_eq!(image.policies, [TargetPolicy::NONE]);
    let passes = |base: usize, port: usize| image.failsafe[base + port / 64] >> (port % 64) & 1 != 0;
    assert!(passes(0, 22) && passes(0, 6443) && passes(1024, 68) && passes(1024, 546));
    assert!(!passes(1024, 22) && !passes(0, 80));
    let ports: u32 = image.failsafe.iter().map(|w| w.count_ones()).sum();
    assert_eq!(ports, 8);
}

#[test]
fn flags_say_which_tables_are_worth_a_look() {
    let mut p = Policy { enforce_node: true, tunnels: true, failsafe: Vec::new(), ..Policy::default() };
    assert_eq!(built(&p, None).image.node_flags, node_flag::ENFORCE | node_flag::TUNNELS);
    p.lists.push(ListEntry::new(net("198.51.100.0/24"), Verdict::Deny, 0));
    p.lists.push(ListEntry::new(net("fd00::/64"), Verdict::Deny, 0));
    p.targets.push(target("shop", [at(1, 443, 6)]));
    p.failsafe.push((Proto::Tcp, 22));
    let all = node_flag::LIST4 | node_flag::LIST6 | node_flag::TARGETS | node_flag::FAILSAFE;
    assert_eq!(built(&p, None).image.node_flags, node_flag::ENFORCE | node_flag::TUNNELS | all);
    for entry in &mut p.lists {
        *entry = entry.until(NOW);
    }
    let flags = built(&p, None).image.node_flags;
    assert_eq!(flags & (node_flag::LIST4 | node_flag::LIST6), 0, "both have expired");
}

#[test]
fn a_target_keeps_its_id_while_others_come_and_go() {
    let first = built(&policy([target("b", [at(1, 80, 6)]), target("c", [at(2, 80, 6)])]), None).image;
    assert_eq!(first.names.targets, ["node", "b", "c"]);
    let later = policy([target("a", [at(3, 80, 6)]), target("c", [at(2, 80, 6)])]);
    let second = built(&later, Some(&first)).image;
    assert_eq!(second.names.targets, ["node", "", "c", "a"], "the id of b is not given away at once");
    let third = built(&policy([target("d", []), target("c", [])]), Some(&second)).image;
    assert_eq!(third.names.targets, ["node", "d", "c"]);
    assert_eq!(third.names.target(2), Some("c"));
    assert_eq!(second.names.target(1), None);
}

#[test]
fn a_port_without_a_protocol_is_every_protocol_that_has_ports() {
    let image = built(&policy([target("dns", [at(1, 53, 0)])]), None).image;
    let keys: Vec<(u16, u8)> = image.targets.iter().map(|(k, _)| (k.port, k.proto)).collect();
    assert_eq!(keys, [(0, OWNER), (53, 6), (53, 17), (53, 132), (53, 136)]);
}

#[test]
fn what_has_no_port_goes_to_the_first_target_of_the_address() {
    let p = policy([target("web", [at(1, 443, 6)]), target("dns", [at(1, 53, 17)]), target("all", [at(2, 0, 0)])]);
    let image = built(&p, None).image;
    let find = |host: u32, port, proto| {
        let key = TargetKey::new(Addr::v4(0xc000_0200 | host), port, proto);
        image.targets.iter().find(|(k, _)| *k == key).map(|(_, id)| image.names.targets[*id as usize].as_str())
    };
    assert_eq!(find(1, 0, OWNER), Some("dns"));
    assert_eq!(find(1, 443, 6), Some("web"));
    assert_eq!((find(2, 0, 0), find(2, 0, OWNER)), (Some("all"), None), "it answers for everything already");
}

#[test]
fn an_endpoint_of_two_targets_goes_to_the_first_by_name_and_that_is_said() {
    let mapped = Endpoint { addr: "::ffff:192.0.2.1".parse().unwrap(), ..at(1, 80, 6) };
    let compiled = built(&policy([target("b", [mapped]), target("a", [at(1, 80, 6)])]), None);
    let Compiled { image, warnings, .. } = compiled;
    assert!(image.targets.iter().all(|(_, owner)| *owner as usize == id(&image, "a")));
    let [warning @ Warning::Taken { .. }] = &warnings[..] else { panic!("{warnings:?}") };
    let text = "target `b`: address ::ffff:192.0.2.1 port 80 protocol 6 already belongs to target `a`";
    assert_eq!(warning.to_string(), text);
}

#[test]
fn a_policy_says_what_was_asked_for() {
    let shop = Target {
        enforce: true,
        fragments: Fragments::Drop,
        served: vec![6, 17, 132],
        per_source: RateLimits { packets: Some(Rate::per_second(2000, 4000)), ..RateLimits::default() },
        per_target: RateLimits { connections: Some(Rate::per_second(5000, 9000)), ..RateLimits::default() },
        limit_group: "shops".to_owned(),
        ..target("shop", [at(1, 443, 6)])
    };
    let other = Target { limit_group: "shops".to_owned(), ..target("other", [at(2, 443, 6)]) };
    let image = built(&policy([shop, other]), None).image;
    let p = image.policies[id(&image, "shop")];
    let hygiene = flag::TCP_FLAGS | flag::LAND | flag::PORT_ZERO;
    assert_eq!(p.flags, flag::ENFORCE | flag::PROTOCOLS | flag::FRAGMENTS_DROP | flag::CHALLENGE_AUTO | hygiene);
    assert_eq!(p.served, [1 << 6 | 1 << 17, 0, 1 << 4, 0]);
    assert!(p.source.packets.cost > 0 && p.source.bytes.cost == 0 && p.source.syns.cost == 0);
    assert!(p.target.syns.cost > 0 && p.target.packets.cost == 0 && !p.prefix.any());
    assert!(p.fragments.cost > 0, "1,000 unmatched fragments a second by default");
    assert_eq!(p.limit_key, image.policies[id(&image, "other")].limit_key, "one group, one budget");
}

#[test]
fn targets_with_the_same_sets_share_a_list_and_it_keeps_its_number() {
    let mut p = Policy::default();
    let (office, bad, partner) = (p.sets.intern("office"), p.sets.intern("bad"), p.sets.intern("partner"));
    p.lists = vec![
        ListEntry::new(net("203.0.113.0/24"), Verdict::Allow, 0).in_set(office),
        ListEntry::new(net("203.0.113.66/32"), Verdict::Deny, 0).in_set(bad),
        ListEntry::new(net("203.0.113.66/32"), Verdict::Allow, 0).in_set(partner),
    ];
    p.targets = vec![
        Target { lists: vec![office, bad], ..target("a", [at(1, 80, 6)]) },
        Target { lists: vec![bad, office, bad], ..target("b", [at(2, 80, 6)]) },
        Target { lists: vec![office, bad, partner], ..target("c", [at(3, 80, 6)]) },
        target("d", [at(4, 80, 6)]),
    ];
    let first = built(&p, None).image;
    let list = |image: &TableImage, name: &str| image.policies[id(image, name)].list;
    assert_eq!(list(&first, "a"), list(&first, "b"));
    assert_ne!(list(&first, "a"), list(&first, "c"));
    assert_eq!(list(&first, "d"), 0);
    let state = |name: &str| lookup::own(&first.lists, list(&first, name), Addr::v4(0xcb00_7142), NOW).state;
    assert_eq!((state("a"), state("c")), (State::Deny, State::Allow));

    // The sets get other numbers, one combination goes, one comes.
    p.targets.retain(|t| t.name != "c");
    p.targets.push(Target { lists: vec![partner], ..target("e", [at(5, 80, 6)]) });
    let second = built(&p, Some(&first)).image;
    assert_eq!(list(&second, "a"), list(&first, "a"));
    assert!(![list(&first, "a"), list(&first, "c")].contains(&list(&second, "e")), "no number of the old image");
}

#[test]
fn everything_wrong_is_said_at_once_with_its_name() {
    let mut p = policy([
        target("web", [at(1, 80, 1)]),
        target("web", []),
        target("", []),
        Target {
            per_source: RateLimits { packets: Some(Rate::per_second(3_000_000, 1)), ..RateLimits::default() },
            lists: vec![9],
            ..target("api", [at(2, 80, 6)])
        },
    ]);
    let flood = p.names.intern("flood");
    p.rules.push(Rule {
        id: flood,
        matches: "udp and flags = syn".parse().unwrap(),
        mode: Mode::Shadow,
        reach: Reach::Targets(vec!["wiki".to_owned()]),
    });
    p.lists.push(ListEntry::new(net("10.0.0.0/8"), Verdict::Deny, 77));
    let errors = refused(&p);
    let expected = [
        "10.0.0.0/8: its owner is number 77, which has no name; it must be named in the policy first",
        "a target has no name; its counters and events are found by name",
        "target `web`: there are two of this name; rename one",
        "target `web`: port 80 with IP protocol 1, which has no ports; leave one of them out",
        "target `api`: list set 9 does not exist; it must be named in the policy first",
        "rule `flood` (udp and flags = 0x02): no packet can match it: its terms contradict each other; remove one of them",
        "target `api`: limit per source, packets: 3000000 per second cannot be counted within 2% here; use at most 163840 \
         per second, or limit the target as a whole, whose cells are finer",
        "rule `flood`: there is no target `wiki`; rules follow the names of targets",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn lists_that_cannot_be_are_refused_by_the_name_of_their_object() {
    let mut p = Policy::default();
    let block = p.names.intern("block 2000::/4");
    p.lists.push(ListEntry::new(net("2000::/4"), Verdict::Deny, block).until(NOW + 9));
    let text = &refused(&p)[0];
    assert!(text.starts_with("block 2000::/4: 2000::/4 until a stated time is wider than the /16"), "{text}");
}

#[test]
fn what_would_fill_memory_is_refused_first() {
    let mut p = Policy::default();
    let bad = p.sets.intern("bad");
    p.lists =
        (0..100u32).map(|i| ListEntry::new(net(&format!("10.0.{i}.0/24")), Verdict::Deny, 0).in_set(bad)).collect();
    p.targets = (0..30)
        .map(|i| {
            let set = p.sets.intern(&format!("set {i}"));
            Target { lists: vec![bad, set], ..target(&format!("t{i}"), [at(i, 80, 6)]) }
        })
        .collect();
    let options = CompileOptions { max_own_entries: 2999, ..CompileOptions::new(250, NOW) };
    let error = compile(&p, &options, None).unwrap_err().to_string();
    assert!(
        error.starts_with("the list of bad, set 29: the targets' own lists need 3000 entries together and 2999 fit"),
        "{error}"
    );

    let options = CompileOptions { max_targets: 21, ..CompileOptions::new(250, NOW) };
    let error = compile(&p, &options, None).unwrap_err().to_string();
    assert!(error.starts_with("target `t27`: 30 targets are wanted and 20 fit"), "{error}");
}

#[test]
fn names_of_what_is_in_use_go_with_the_image() {
    let mut p = Policy::default();
    let (used, rule) = (p.names.intern("used"), p.names.intern("ntp"));
    p.names.intern("unused");
    p.lists.push(ListEntry::new(net("198.51.100.0/24"), Verdict::Deny, used));
    p.rules.push(Rule {
        id: rule,
        matches: "udp and sport 123".parse().unwrap(),
        mode: Mode::Enforce,
        reach: Reach::All,
    });
    p.targets.push(target("web", [at(1, 80, 6)]));
    let image = built(&p, None).image;
    assert_eq!(image.names.rules, [(used, "used".to_owned()), (rule, "ntp".to_owned())]);
    assert_eq!(image.names.rule(rule), Some("ntp"));
    let slots = image.policies[1].rules;
    assert_eq!(slots, image.rules.live);
    assert_eq!(image.rules.owner[slots.trailing_zeros() as usize], rule);
}
