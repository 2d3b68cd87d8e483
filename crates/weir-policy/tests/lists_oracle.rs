//! Compiled lists say of every address what a plain search through all entries says, at every tick.

mod common;

use common::{NOW, crowd, edges, entries, oracle, ticks};
use proptest::prelude::*;
use weir_abi::Addr;
use weir_abi::prefix::{MAX_LENGTHS, State};
use weir_policy::Prefix;
use weir_policy::explain::Index;
use weir_policy::lists::{ListError, Lists, compile};
use weir_policy::lookup;
use weir_policy::model::{ListEntry, Scope, Verdict};

/// Two lists of targets that share a set.
fn own_lists() -> Vec<(u16, Vec<u32>)> {
    vec![(1, vec![1, 2]), (7, vec![2, 3, 4])]
}

fn check(list: &[ListEntry], addrs: &[Addr]) {
    let Lists { image, exact_until } = compile(list, &own_lists(), NOW).unwrap();
    for now in ticks(list, NOW).into_iter().filter(|t| exact_until.is_none_or(|until| *t < until)) {
        for &addr in addrs {
            let said = lookup::node(&image, addr, now).state;
            assert_eq!(said, oracle(list, &[Scope::Node], addr, now), "{addr:x?} at {now}");
            for (id, sets) in own_lists() {
                let scopes: Vec<Scope> = sets.iter().map(|s| Scope::Set(*s)).collect();
                let said = lookup::own(&image, id, addr, now).state;
                assert_eq!(said, oracle(list, &scopes, addr, now), "{addr:x?} in list {id} at {now}");
            }
        }
    }
}

fn net(text: &str) -> Prefix {
    text.parse::<ipnet::IpNet>().unwrap().into()
}

fn addr(text: &str) -> Addr {
    weir_policy::prefix::addr_from(text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

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

    #[test]
    fn the_index_names_an_entry_that_says_what_the_tables_say(list in entries(40)) {
        let index = Index::new(list.clone());
        for addr in edges(&list) {
            let told = index.explain(&[Scope::Node], addr, NOW).map(|e| e.decides.verdict);
            let state = match told {
                None => State::None,
                Some(Verdict::Deny) => State::Deny,
                Some(_) => State::Allow,
            };
            prop_assert_eq!(state, oracle(&list, &[Scope::Node], addr, NOW));
        }
    }
}

#[test]
fn a_block_of_an_hour_inside_an_allowed_network_ends_by_itself() {
    let list = [
        ListEntry::new(net("198.51.100.0/24"), Verdict::Allow, 1),
        ListEntry::new(net("198.51.100.7/32"), Verdict::Deny, 2).until(NOW + 5),
    ];
    let lists = compile(&list, &[], NOW).unwrap();
    let blocked = lookup::node(&lists.image, addr("198.51.100.7"), NOW);
    assert_eq!(blocked.state, State::Deny);
    assert_eq!(blocked.entry.map(|(_, e)| (e.rule, e.expires)), Some((2, NOW + 5)));
    assert_eq!(lookup::node(&lists.image, addr("198.51.100.8"), NOW).state, State::Allow);
    assert_eq!(lookup::node(&lists.image, addr("198.51.100.7"), NOW + 5).state, State::Allow);
    assert_eq!(lists.exact_until, None, "nothing needs to be compiled again when it ends");
    check(&list, &edges(&list));
}

#[test]
fn what_is_listed_for_good_inside_a_timed_network_stays_right_before_and_after() {
    let list = [
        ListEntry::new(net("10.0.0.0/8"), Verdict::Deny, 1).until(NOW + 5),
        ListEntry::new(net("10.1.0.0/16"), Verdict::Allow, 2),
        ListEntry::new(net("10.1.2.0/24"), Verdict::Deny, 3),
        ListEntry::new(net("10.1.2.3/32"), Verdict::Allow, 4),
        ListEntry::new(net("10.1.2.128/25"), Verdict::Allow, 5).until(NOW + 9),
        ListEntry::new(net("10.2.0.0/16"), Verdict::NeverBlock, 6),
        ListEntry::new(net("10.2.9.9/32"), Verdict::Deny, 7),
    ];
    check(&list, &edges(&list));
}

#[test]
fn a_never_block_address_survives_every_other_entry() {
    let list = [
        ListEntry::new(net("192.0.2.1/32"), Verdict::NeverBlock, 1),
        ListEntry::new(net("192.0.2.1/32"), Verdict::Deny, 2),
        ListEntry::new(net("192.0.2.0/24"), Verdict::Deny, 3).until(NOW + 5),
        ListEntry::new(net("2001:db8::/48"), Verdict::NeverBlock, 4),
        ListEntry::new(net("2001:db8::/64"), Verdict::Deny, 5).until(NOW + 5),
        ListEntry::new(net("2001:db8::1/128"), Verdict::Deny, 6),
        ListEntry::new(net("::/0"), Verdict::Deny, 7),
    ];
    let image = compile(&list, &[], NOW).unwrap().image;
    for text in ["192.0.2.1", "2001:db8::1"] {
        let found = lookup::node(&image, addr(text), NOW);
        assert_eq!(found.state, State::Allow, "{text}");
        assert_eq!(found.entry.map(|(_, e)| e.never_block), Some(1), "{text}: counted as never-block");
    }
    check(&list, &edges(&list));
}

#[test]
fn when_an_allow_ends_before_the_block_of_the_same_prefix_the_compiler_says_when_to_come_back() {
    let list = [
        ListEntry::new(net("203.0.113.7/32"), Verdict::Deny, 1).until(NOW + 9),
        ListEntry::new(net("203.0.113.7/32"), Verdict::Allow, 2).until(NOW + 5),
    ];
    assert_eq!(compile(&list, &[], NOW).unwrap().exact_until, Some(NOW + 5));
    let later = compile(&list, &[], NOW + 5).unwrap();
    assert_eq!(lookup::node(&later.image, addr("203.0.113.7"), NOW + 5).state, State::Deny);
    assert_eq!(later.exact_until, None);
}

#[test]
fn a_uniform_24_needs_no_detail_and_an_empty_list_none_at_all() {
    let halves = ["198.51.100.0/25", "198.51.100.128/25"].map(|p| ListEntry::new(net(p), Verdict::Deny, 1));
    let image = compile(&halves, &[], NOW).unwrap().image;
    assert_eq!((image.parts4.len(), image.prefixes.len()), (0, 0));
    check(&halves, &edges(&halves));

    let image = compile(&[], &own_lists(), NOW).unwrap().image;
    assert!(image.slots4.iter().chain(&image.slots6).all(|word| *word == 0));
    assert_eq!((image.parts4.len(), image.lengths.len(), image.prefixes.len()), (0, 0, 0));
}

#[test]
fn more_lengths_than_a_slot_can_name_are_made_fewer_without_a_difference() {
    let node: Vec<ListEntry> = (28..=90u8)
        .map(|len| {
            let verdict = if len % 3 == 0 { Verdict::Allow } else { Verdict::Deny };
            let entry = ListEntry::new(Prefix::new(addr("2001:db8::1"), len).unwrap(), verdict, len.into());
            if len % 7 == 0 { entry.until(NOW + u64::from(len)) } else { entry }
        })
        .collect();
    // Neighbouring lengths cost two entries each, so these 63 fit; and in a target's list all 33 of IPv4.
    let own = (0..=32u8).map(|len| {
        let verdict = if len % 2 == 0 { Verdict::Allow } else { Verdict::Deny };
        ListEntry::new(Prefix::new(addr("10.9.8.7"), 96 + len).unwrap(), verdict, len.into()).in_set(1)
    });
    let list: Vec<ListEntry> = node.into_iter().chain(own).collect();
    let image = compile(&list, &own_lists(), NOW).unwrap().image;
    assert!(image.lengths.iter().all(|(_, l)| usize::from(l.count) <= MAX_LENGTHS));
    check(&list, &edges(&list));
}

#[test]
fn lengths_that_cannot_be_made_fewer_are_named() {
    // 31 lengths, none of which is cheap: a hundred prefixes of each, at least two bits apart.
    let list: Vec<ListEntry> = (0..31u8)
        .flat_map(|i| (0..3000u128).map(move |n| (48 + i * 2, n)))
        .map(|(len, n)| {
            let bits = addr("2001:db8::").bits() | n << 82 | n << (128 - u32::from(len));
            let at = Addr { hi: (bits >> 64) as u64, lo: bits as u64 };
            ListEntry::new(Prefix::new(at, len).unwrap(), Verdict::Deny, 1)
        })
        .collect();
    let errors = compile(&list, &[], NOW).unwrap_err();
    let text = errors[0].to_string();
    assert!(
        text.starts_with("the IPv6 block 2001:da0::/27 has entries of 31 different prefix lengths (108, 106"),
        "{text}"
    );
}

#[test]
fn what_no_table_can_hold_is_refused_with_its_prefix() {
    let list = [
        ListEntry::new(net("2000::/8"), Verdict::Deny, 1).until(NOW + 5),
        ListEntry::new(net("10.0.0.0/8"), Verdict::NeverBlock, 2).until(NOW + 5),
        ListEntry::new(net("fc00::/7"), Verdict::Deny, 3).until(NOW + 5),
    ];
    let errors = compile(&list, &[], NOW).unwrap_err();
    assert_eq!(
        errors,
        [
            ListError::WideTimed { prefix: net("2000::/8"), rule: 1 },
            ListError::TimedNeverBlock { prefix: net("10.0.0.0/8"), rule: 2 }
        ]
    );
}
