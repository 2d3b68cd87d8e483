//! A patched image is the image that compiling everything gives, whatever comes or goes.

mod common;

use common::{NOW, crowd, entries, entry, prefix};
use proptest::prelude::*;
use weir_abi::prefix::State;
use weir_policy::explain::Index;
use weir_policy::model::{ListEntry, Policy, Scope, Verdict};
use weir_policy::{CompileOptions, Step, TableImage, compile, lookup, patch};

fn policy(lists: Vec<ListEntry>) -> Policy {
    let mut policy = Policy { lists, ..Policy::default() };
    for i in 1..=20 {
        policy.names.intern(&format!("rule {i}"));
    }
    policy
}

fn image(policy: &Policy) -> TableImage {
    compile(policy, &CompileOptions::new(250, NOW), None).unwrap().image
}

fn check(before: &[ListEntry], change: ListEntry) -> Result<(), TestCaseError> {
    let (without, mut more) = (policy(before.to_vec()), before.to_vec());
    more.push(change);
    let with = policy(more);
    let images = [image(&without), image(&with)];
    let mut index = Index::new(without.lists.clone());
    for come in [true, false] {
        if come {
            index.insert(change);
        } else {
            prop_assert!(index.remove(&change));
        }
        let (mut now, wanted) = (images[usize::from(!come)].clone(), &images[usize::from(come)]);
        let Some(patched) = patch(&now, &index, change.prefix, &with.names, NOW) else {
            prop_assert!(!change.prefix.is_v4());
            return Ok(());
        };
        patched.unwrap().diff.apply(&mut now);
        prop_assert!(now.lists == wanted.lists, "{} {}", if come { "adding" } else { "removing" }, change.prefix);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn anywhere(list in entries(24), change in entry(prefix())) {
        check(&list, ListEntry { scope: Scope::Node, ..change })?;
    }

    #[test]
    fn in_a_crowded_place(list in crowd(24), change in entry(common::crowded_prefix())) {
        check(&list, ListEntry { scope: Scope::Node, ..change })?;
    }
}

#[test]
fn the_first_block_of_all_switches_the_list_on_and_has_a_name() {
    let mut p = policy(Vec::new());
    let mut now = image(&p);
    let rule = p.names.intern("block 198.51.100.7");
    let block = ListEntry::new("198.51.100.7/32".parse::<ipnet::IpNet>().unwrap(), Verdict::Deny, rule).until(NOW + 9);
    p.lists.push(block);
    let diff = patch(&now, &Index::new(p.lists.clone()), block.prefix, &p.names, NOW).unwrap().unwrap().diff;
    assert!(matches!(diff.steps[0], Step::Flags(_)));
    diff.apply(&mut now);
    assert!(now == image(&p));
    assert_eq!(lookup::node(&now.lists, block.prefix.addr(), NOW).state, State::Deny);
}
