//! Allow and deny lists of the node and of targets, and blocks that end by themselves.

use weir_abi::{Feature, Reason};
use weir_policy::model::Verdict;

use crate::packet::{flag, from};
use crate::story::{NODE, NOW, Story};
use crate::world::{ANN, ANN6, BEN, CAT, SHOP, SHOP6, entry, policy, shop};

#[test]
fn the_longest_prefix_decides_and_allow_wins_a_tie() {
    let mut p = policy([shop()]);
    for (prefix, verdict) in [
        ("10.0.0.0/8", Verdict::Deny),
        ("10.1.0.0/16", Verdict::Allow),
        ("10.1.1.8/32", Verdict::Deny),
        ("fd00::/16", Verdict::Deny),
        ("fd00:1::/64", Verdict::Allow),
        ("fd00:2::/64", Verdict::Allow),
        ("fd00:2::/64", Verdict::Deny),
    ] {
        p.lists.push(entry(prefix, verdict));
    }
    let mut story = Story::of(&p);
    story.passes(&from(ANN, SHOP).syn(1, 443), NODE, Reason::AllowListed);
    story.drops(&from(BEN, SHOP).syn(1, 443), NODE, Reason::DenyListed);
    story.drops(&from(CAT, SHOP).syn(1, 443), NODE, Reason::DenyListed);
    story.passes(&from(ANN6, SHOP6).syn(1, 443), NODE, Reason::AllowListed);
    story.passes(&from("fd00:2::1", SHOP6).syn(1, 443), NODE, Reason::AllowListed);
    story.drops(&from("fd00:3::1", SHOP6).syn(1, 443), NODE, Reason::DenyListed);
    story.passes(&from("172.16.0.1", SHOP).syn(1, 443), "shop", Reason::Clean);
    // What goes elsewhere is judged by the node's list as well.
    story.drops(&from(CAT, "198.51.100.1").syn(1, 443), NODE, Reason::DenyListed);
}

#[test]
fn a_never_block_address_passes_whatever_else_is_said_of_it() {
    let mut p = policy([shop()]);
    for (prefix, verdict) in
        [("10.1.1.0/24", Verdict::NeverBlock), ("10.1.1.7/32", Verdict::Deny), ("0.0.0.0/0", Verdict::Deny)]
    {
        p.lists.push(entry(prefix, verdict));
    }
    p.lists.push(entry("10.1.1.7/32", Verdict::Deny).until(NOW + 100));
    p.lists.push(entry("fd00:1::/48", Verdict::NeverBlock));
    p.lists.push(entry("fd00:1::7/128", Verdict::Deny));
    let mut story = Story::of(&p);
    story.passes(&from(ANN, SHOP).syn(1, 443), NODE, Reason::NeverBlock);
    story.passes(&from(ANN6, SHOP6).syn(1, 443), NODE, Reason::NeverBlock);
    story.drops(&from(CAT, SHOP).syn(1, 443), NODE, Reason::DenyListed);
    story.wait(100);
    story.passes(&from(ANN, SHOP).syn(1, 443), NODE, Reason::NeverBlock);
    // Wider than a /24 it is painted like an allow entry, and counted like one.
    p.lists.push(entry("10.2.0.0/16", Verdict::NeverBlock));
    story.change(&p);
    story.passes(&from(CAT, SHOP).syn(1, 443), NODE, Reason::AllowListed);
}

#[test]
fn a_block_ends_at_its_tick_and_not_before() {
    let mut p = policy([shop()]);
    p.lists = vec![
        entry("10.1.1.7/32", Verdict::Deny).until(NOW + 250),
        entry("10.2.0.0/16", Verdict::Deny).until(NOW + 500),
        entry("fd00:1::/64", Verdict::Deny).until(NOW + 250),
        entry("10.1.1.8/32", Verdict::Allow).until(NOW + 250),
        entry("10.1.1.0/24", Verdict::Deny),
    ];
    let mut story = Story::of(&p);
    let (ann, ben) = (from(ANN, SHOP).syn(1, 443), from(BEN, SHOP).syn(1, 443));
    let (cat, ann6) = (from(CAT, SHOP).syn(1, 443), from(ANN6, SHOP6).syn(1, 443));
    story.drops(&ann, NODE, Reason::Blocked);
    story.passes(&ben, NODE, Reason::AllowListed);
    story.drops(&cat, NODE, Reason::Blocked);
    story.drops(&ann6, NODE, Reason::Blocked);
    story.wait(249);
    story.drops(&ann, NODE, Reason::Blocked);
    story.drops(&ann6, NODE, Reason::Blocked);
    story.wait(1);
    // The block is over; the list without an end is not.
    story.drops(&ann, NODE, Reason::DenyListed);
    story.drops(&ben, NODE, Reason::DenyListed);
    story.drops(&cat, NODE, Reason::Blocked);
    story.passes(&ann6, "shop", Reason::Clean);
    story.wait(250);
    story.passes(&cat, "shop", Reason::Clean);
}

/// What the target's list denies is answered already: detection sees nothing of it, or it would answer again, at customers' cost.
#[test]
fn what_a_targets_list_denies_is_none_of_its_features() {
    let mut p = policy([shop()]);
    let set = p.sets.intern("bad");
    p.lists = vec![entry("10.1.0.0/16", Verdict::Deny).in_set(set)];
    p.targets[0].lists = vec![set];
    let mut story = Story::of(&p);
    story.drops(&from("10.1.2.3", SHOP).syn(1, 443), "shop", Reason::DenyScoped);
    story.drops(&from("10.1.2.3", SHOP).tcp(1, 443, flag::ACK, b""), "shop", Reason::DenyScoped);
    story.passes(&from("10.2.2.3", SHOP).tcp(1, 443, flag::ACK, b""), "shop", Reason::Clean);
    let facts = [Feature::Syn, Feature::KnownFlow, Feature::UnknownFlow].map(|fact| story.feature("shop", fact));
    assert_eq!(facts, [0, 0, 1]);
}

#[test]
fn a_targets_own_list_speaks_for_that_target_only() {
    let other = weir_policy::model::Target { name: "other".into(), ..shop() };
    let mut p = policy([shop(), other]);
    p.targets[1].endpoints = vec![crate::world::at(SHOP, 444, 6), crate::world::at(SHOP6, 444, 6)];
    let set = p.sets.intern("office");
    p.lists = vec![
        entry("10.1.0.0/16", Verdict::Deny).in_set(set),
        entry("10.1.1.7/32", Verdict::Allow).in_set(set),
        entry("10.1.1.8/32", Verdict::Allow).in_set(set).until(NOW + 10),
        entry("fd00::/8", Verdict::Deny).in_set(set),
        entry("10.9.0.0/16", Verdict::Deny),
    ];
    p.targets[0].lists = vec![set];
    let mut story = Story::of(&p);
    // Who is on the target's allow list is not asked anything else.
    let null = from(ANN, SHOP).tcp(1, 443, 0, b"");
    story.passes(&null, "shop", Reason::AllowScoped);
    story.passes(&from(BEN, SHOP).syn(1, 443), "shop", Reason::AllowScoped);
    story.drops(&from("10.1.2.3", SHOP).syn(1, 443), "shop", Reason::DenyScoped);
    story.drops(&from(ANN6, SHOP6).syn(1, 443), "shop", Reason::DenyScoped);
    story.passes(&from(CAT, SHOP).syn(1, 443), "shop", Reason::Clean);
    story.drops(&from("10.9.0.1", SHOP).syn(1, 443), NODE, Reason::DenyListed);
    for src in [BEN, "10.1.2.3"] {
        story.passes(&from(src, SHOP).syn(1, 444), "other", Reason::Clean);
    }
    story.passes(&from(ANN6, SHOP6).syn(1, 444), "other", Reason::Clean);
    story.wait(10);
    story.drops(&from(BEN, SHOP).syn(1, 443), "shop", Reason::DenyScoped);
}

#[test]
fn a_change_of_lists_holds_from_the_next_packet_on() {
    let mut p = policy([shop()]);
    let mut story = Story::of(&p);
    let frame = from(ANN, SHOP).syn(1, 443);
    story.passes(&frame, "shop", Reason::Clean);
    p.lists.push(entry("10.0.0.0/8", Verdict::Deny));
    story.change(&p);
    story.drops(&frame, NODE, Reason::DenyListed);
    p.lists.push(entry("10.1.1.0/24", Verdict::Allow));
    story.change(&p);
    story.passes(&frame, NODE, Reason::AllowListed);
    p.lists.clear();
    story.change(&p);
    story.passes(&frame, "shop", Reason::Clean);
}
