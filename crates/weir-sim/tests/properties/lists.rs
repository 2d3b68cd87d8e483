//! The packet path's lists against the policy compiler's reference reading, and against a search through all entries.

use proptest::prelude::*;
use weir_abi::config::node_flag;
use weir_abi::prefix::State;
use weir_abi::{Addr, Reason};
use weir_core::lists::{Listed, node, scoped};
use weir_policy::lookup::{self, Found};
use weir_policy::model::{ListEntry, Scope};
use weir_policy::{TableImage, lists};
use weir_sim::env::{SimEnv, Sizes};
use weir_wire::Bytes;

use crate::oracle::{NOW, crowd, edges, entries, oracle, ticks};

/// Two lists of targets that share a set.
fn own_lists() -> Vec<(u16, Vec<u32>)> {
    vec![(1, vec![1, 2]), (7, vec![2, 3, 4])]
}

/// What the packet path says, as the reference puts it: state, rule where it is told, and which kind of entry it was.
fn state(listed: Listed) -> State {
    match listed.reason {
        None => State::None,
        Some(Reason::DenyListed | Reason::DenyScoped | Reason::Blocked) => State::Deny,
        Some(Reason::AllowListed | Reason::AllowScoped | Reason::NeverBlock) => State::Allow,
        Some(other) => panic!("{other:?} is no answer of a list"),
    }
}

fn agree(listed: Listed, found: &Found, addr: Addr) {
    assert_eq!(state(listed), found.state, "{addr:x?}");
    let entry = found.entry.map(|(_, entry)| entry);
    assert_eq!(listed.rule, entry.map_or(0, |e| e.rule), "{addr:x?}");
    assert_eq!(listed.reason == Some(Reason::NeverBlock), entry.is_some_and(|e| e.never_block != 0), "{addr:x?}");
    let timed_deny = entry.is_some_and(|e| e.expires != 0 && e.state == State::Deny as u8);
    assert_eq!(listed.reason == Some(Reason::Blocked), timed_deny, "{addr:x?}");
}

fn check(list: &[ListEntry], addrs: &[Addr]) {
    let compiled = lists::compile(list, &own_lists(), NOW).unwrap();
    let mut image = TableImage::empty();
    image.lists = compiled.image;
    image.node_flags = node_flag::LIST4 | node_flag::LIST6;
    let sizes = Sizes { targets: 1, source_lines: 1, fragment_slots: 1, ..Sizes::default() };
    let env = SimEnv::new(image, &sizes).unwrap();
    for now in ticks(list, NOW).into_iter().filter(|t| compiled.exact_until.is_none_or(|until| *t < until)) {
        env.set_tick(now);
        let tables = &env.image().lists;
        for &addr in addrs {
            let said = node(&Bytes::new(&[]), &env.cpu(0), addr);
            agree(said, &lookup::node(tables, addr, now), addr);
            assert_eq!(state(said), oracle(list, &[Scope::Node], addr, now), "{addr:x?} at {now}");
            for (id, sets) in own_lists() {
                let said = scoped(&Bytes::new(&[]), &env.cpu(0), id, addr);
                agree(said, &lookup::own(tables, id, addr, now), addr);
                let scopes: Vec<Scope> = sets.iter().map(|s| Scope::Set(*s)).collect();
                assert_eq!(state(said), oracle(list, &scopes, addr, now), "{addr:x?} in list {id} at {now}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_address_at_every_tick(list in entries(40), low in prop::collection::vec(any::<u16>(), 20)) {
        let mut addrs = edges(&list);
        addrs.extend(low.iter().map(|l| Addr::v4(0x0a00_0000 ^ u32::from(*l))));
        addrs.push(Addr { hi: 0x2001_0db8_0000_0000, lo: low[0].into() });
        check(&list, &addrs);
    }

    #[test]
    fn every_address_of_a_crowded_place(list in crowd(40)) {
        check(&list, &edges(&list));
    }
}
