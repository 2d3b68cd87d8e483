//! While a diff is carried out, element by element, every lookup says what the old image says or what the new one says.

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;

use common::{NOW, crowd, edges, entries};
use proptest::prelude::*;
use weir_abi::prefix::{SLOT6_OUTSIDE, State, slot6};
use weir_abi::rules::{FIELDS, field, l4_fact};
use weir_abi::target::{NODE, OWNER};
use weir_abi::{Addr, TargetKey, TargetPolicy};
use weir_policy::lookup;
use weir_policy::model::{Endpoint, ListEntry, Policy, Target, Verdict};
use weir_policy::rules::{MatchVector, Mode, Reach, Rule, matching};
use weir_policy::{CompileOptions, Diff, Step, TableImage, compile, diff};

fn image(policy: &Policy, previous: Option<&TableImage>) -> TableImage {
    compile(policy, &CompileOptions::new(250, NOW), previous).unwrap().image
}

/// A policy with four sets and two targets that use them.
fn with_lists(lists: Vec<ListEntry>, own: [Vec<u32>; 2]) -> Policy {
    let mut policy = Policy { lists, ..Policy::default() };
    for i in 1..=20 {
        policy.names.intern(&format!("rule {i}"));
    }
    for i in 1..=4 {
        policy.sets.intern(&format!("set {i}"));
    }
    policy.targets =
        ["shop", "wiki"].into_iter().zip(own).map(|(name, lists)| Target { lists, ..Target::new(name) }).collect();
    policy
}

/// The own list of a target.
fn list_of(image: &TableImage, name: &str) -> u16 {
    let id = image.names.targets.iter().position(|n| n == name).unwrap();
    image.policies[id].list
}

/// What a list says of an address: the node's, or a target's own, which may be none.
fn says(image: &TableImage, list: Option<u16>, addr: Addr) -> State {
    match list {
        None => lookup::node(&image.lists, addr, NOW).state,
        Some(0) => State::None,
        Some(list) => lookup::own(&image.lists, list, addr, NOW).state,
    }
}

/// What may be said of an address while one image replaces the other: what either says. A target that changes its list may
/// also meet the old list as it is for others afterwards, or the new one as it was for others before.
fn allowed(from: &TableImage, to: &TableImage, target: Option<&str>, addr: Addr) -> Vec<State> {
    let exists = |image: &TableImage, list: &u16| image.names.lists.iter().any(|(id, _)| id == list);
    let (before, after) = (target.map(|t| list_of(from, t)), target.map(|t| list_of(to, t)));
    let mut out = vec![says(from, before, addr), says(to, after, addr)];
    out.extend(before.filter(|list| exists(to, list)).map(|list| says(to, Some(list), addr)));
    out.extend(after.filter(|list| exists(from, list)).map(|list| says(from, Some(list), addr)));
    out
}

/// The /24s and /27s that have addresses to ask for. A /0 that comes or goes writes half a million words.
struct Slots {
    four: BTreeSet<u32>,
    six: BTreeSet<u32>,
}

impl Slots {
    /// Whether what a step changes can be seen from here.
    fn see(&self, step: &Step) -> bool {
        let has = |key: &u32| *key > SLOT6_OUTSIDE || self.six.contains(key);
        let word = |slots: &BTreeSet<u32>, word: &u32| slots.range(word * 32..word * 32 + 32).next().is_some();
        match step {
            Step::PutLengths(lengths) => lengths.iter().any(|(key, _)| has(key)),
            Step::RemoveLengths(keys) => keys.iter().any(has),
            Step::Slots4(words) => words.iter().any(|(at, _)| word(&self.four, at)),
            Step::Slots6(words) => words.iter().any(|(at, _)| word(&self.six, at)),
            _ => true,
        }
    }
}

fn check_lists(old: &Policy, new: &Policy) -> Result<(), TestCaseError> {
    let from = image(old, None);
    let to = image(new, Some(&from));
    let askers = [None, Some("shop"), Some("wiki")];
    let mut addrs: Vec<Addr> = edges(&old.lists).into_iter().chain(edges(&new.lists)).collect();
    addrs.sort_unstable();
    addrs.dedup();
    let cases: Vec<_> = addrs.iter().flat_map(|a| askers.map(|t| (*a, t, allowed(&from, &to, t, *a)))).collect();
    let slots = Slots {
        four: addrs.iter().filter(|a| a.is_v4()).map(|a| a.ip4() >> 8).collect(),
        six: addrs.iter().filter(|a| !a.is_v4()).map(|a| slot6(a.hi)).collect(),
    };
    let Diff { steps, torn } = diff(&from, &to);
    prop_assume!(torn.is_empty());
    let mut now = from;
    for step in steps {
        for one in step.split() {
            let seen = slots.see(&one);
            one.clone().apply(&mut now);
            if !seen {
                continue;
            }
            for (addr, target, allowed) in &cases {
                let said = says(&now, target.map(|t| list_of(&now, t)), *addr);
                prop_assert!(
                    allowed.contains(&said),
                    "{addr:x?} {target:?}: {said:?} is none of {allowed:?} after {one:?}"
                );
            }
        }
    }
    prop_assert!(now == to, "all steps together make the new image");
    Ok(())
}

fn own() -> impl Strategy<Value = [Vec<u32>; 2]> {
    let sets = || prop::collection::vec(1..=4u32, 0..3);
    [sets(), sets()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn lists_of_any_kind(old in entries(14), new in entries(14), a in own(), b in own()) {
        check_lists(&with_lists(old, a), &with_lists(new, b))?;
    }

    /// Everything in one block: there the order of steps is all that keeps old and new apart.
    #[test]
    fn lists_in_one_place(old in crowd(16), new in crowd(16), a in own(), b in own()) {
        check_lists(&with_lists(old, a), &with_lists(new, b))?;
    }

    /// Most entries stay: what a real change looks like.
    #[test]
    fn lists_that_change_a_little(
        kept in entries(20), gone in entries(4), come in entries(4), a in own(), b in own(),
    ) {
        let old: Vec<_> = kept.iter().chain(&gone).copied().collect();
        let new: Vec<_> = kept.iter().chain(&come).copied().collect();
        check_lists(&with_lists(old, a), &with_lists(new, b))?;
    }
}

fn net(text: &str) -> weir_policy::Prefix {
    text.parse::<ipnet::IpNet>().unwrap().into()
}

/// A /28 is blocked, with an exception for one of its addresses, while another /28 of the same /24 is blocked already: length
/// 28 is probed there, length 32 is not yet. The exception must count from the moment in which its block does.
#[test]
fn an_exception_counts_no_later_than_its_block() {
    let timed = |prefix, verdict| ListEntry::new(net(prefix), verdict, 1).until(NOW + 9);
    let mut policy = with_lists(vec![timed("198.51.100.16/28", Verdict::Deny)], [vec![], vec![]]);
    let old = policy.clone();
    policy.lists.push(timed("198.51.100.0/28", Verdict::Deny));
    policy.lists.push(timed("198.51.100.1/32", Verdict::Allow));
    check_lists(&old, &policy).unwrap();
    check_lists(&policy, &old).unwrap();
}

#[test]
fn nothing_changes_where_nothing_changes() {
    let policy = with_lists(vec![ListEntry::new(net("198.51.100.0/25"), Verdict::Deny, 1)], [vec![1], vec![]]);
    let first = image(&policy, None);
    assert_eq!(diff(&first, &image(&policy, Some(&first))), Diff::default());
    assert!(first == image(&policy, Some(&first)));
}

#[test]
fn an_added_block_is_three_small_changes() {
    let mut policy = with_lists(vec![ListEntry::new(net("198.51.100.0/24"), Verdict::Allow, 1)], [vec![], vec![]]);
    let old = image(&policy, None);
    policy.lists.push(ListEntry::new(net("198.51.100.7/32"), Verdict::Deny, 2).until(NOW + 9));
    let steps = diff(&old, &image(&policy, Some(&old))).steps;
    let [Step::PutPrefixes(prefixes), Step::PutParts4(parts), Step::Slots4(words), Step::Names(_)] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert_eq!((prefixes.len(), parts.len(), words.len()), (1, 1, 1));
}

/// Targets of three names over a few destinations, rules over a few ports.
fn with_targets() -> impl Strategy<Value = Policy> {
    let endpoint = (0..3u8, prop::sample::select(vec![0u16, 53, 443]), prop::sample::select(vec![0u8, 6, 17]))
        .prop_map(|(host, port, proto)| Endpoint { addr: IpAddr::from([192, 0, 2, host]), port, proto });
    let target = (prop::sample::select(vec!["a", "b", "c"]), prop::collection::vec(endpoint, 0..5), any::<bool>())
        .prop_map(|(name, endpoints, enforce)| Target { endpoints, enforce, ..Target::new(name) });
    let rule = (1..4u32, prop::sample::select(vec!["sport 53", "sport 123", "udp"]), any::<bool>());
    (prop::collection::vec(target, 0..4), prop::collection::vec(rule, 0..4), any::<[bool; 2]>()).prop_map(
        |(targets, rules, [enforce_node, tunnels])| {
            let mut policy = Policy { enforce_node, tunnels, ..Policy::default() };
            for i in 1..4 {
                policy.names.intern(&format!("rule {i}"));
            }
            for target in targets {
                if policy.targets.iter().all(|t| t.name != target.name) {
                    policy.targets.push(target);
                }
            }
            policy.rules = rules
                .into_iter()
                .map(|(id, text, all)| Rule {
                    id,
                    matches: text.parse().unwrap(),
                    mode: Mode::Enforce,
                    reach: if all {
                        Reach::All
                    } else {
                        Reach::Targets(policy.targets.iter().take(1).map(|t| t.name.clone()).collect())
                    },
                })
                .collect();
            policy
        },
    )
}

/// The target id of a destination, as the packet path finds it.
fn target(image: &TableImage, addr: Addr, port: u16, proto: u8) -> u32 {
    [(port, proto), (0, proto), (0, 0), (0, OWNER)]
        .into_iter()
        .find_map(|(port, proto)| {
            let key = TargetKey::new(addr, port, proto);
            image.targets.iter().find(|(k, _)| *k == key).map(|(_, id)| *id)
        })
        .unwrap_or(NODE)
}

fn from_port(port: u16) -> MatchVector {
    let mut v = [0; FIELDS];
    v[field::PROTOCOL] = 17;
    v[field::L4_FACTS] = l4_fact::PRESENT;
    [v[field::SOURCE_PORT], v[field::SOURCE_PORT + 1]] = port.to_be_bytes();
    v
}

proptest! {
    #[test]
    fn destinations_keep_their_old_target_or_have_their_new_one(old in with_targets(), new in with_targets()) {
        let from = image(&old, None);
        let to = image(&new, Some(&from));
        let mut now = from.clone();
        let policy = |image: &TableImage, id: u32| image.policies.get(id as usize).copied().unwrap_or(TargetPolicy::NONE);
        for step in diff(&from, &to).steps {
            for one in step.split() {
                one.apply(&mut now);
                for (host, port, proto) in (0..3u32).flat_map(|h| [(h, 53, 17), (h, 443, 6), (h, 80, 6), (h, 0, 1)]) {
                    let addr = Addr::v4(0xc000_0200 | host);
                    let (a, b) = (target(&from, addr, port, proto), target(&to, addr, port, proto));
                    let id = target(&now, addr, port, proto);
                    prop_assert!(id == a || id == b, "{id} is neither {a} nor {b}");
                    let p = policy(&now, id).flags;
                    prop_assert!(p == policy(&from, id).flags || p == policy(&to, id).flags);
                    // A packet of this target: which rules drop it?
                    for sport in [53, 123, 9] {
                        let v = from_port(sport);
                        let drops = |image: &TableImage| matching(&image.rules, &v) & policy(image, id).rules != 0;
                        let (before, after, during) = (drops(&from), drops(&to), drops(&now));
                        prop_assert!(during == before || during == after, "port {sport} to target {id}");
                    }
                }
            }
        }
        prop_assert!(now == to);
    }
}

#[test]
fn a_target_that_goes_keeps_its_policy_until_nothing_leads_to_it() {
    let mut policy = Policy::default();
    let endpoint = Endpoint { addr: IpAddr::from([192, 0, 2, 1]), port: 443, proto: 6 };
    policy.targets.push(Target { endpoints: vec![endpoint], enforce: true, ..Target::new("shop") });
    let old = image(&policy, None);
    policy.targets.clear();
    let new = image(&policy, Some(&old));
    let steps = diff(&old, &new).steps;
    let place = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).unwrap();
    let removed = place(|s| matches!(s, Step::RemoveTargets(_)));
    let swapped = place(|s| matches!(s, Step::Policies(_)));
    assert!(removed < swapped, "{steps:?}");
}
