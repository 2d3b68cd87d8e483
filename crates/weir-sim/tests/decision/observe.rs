//! Observing: the same path, the same reasons, nothing dropped. Node and targets observe each for themselves.

use weir_abi::Reason;
use weir_policy::limits::Rate;
use weir_policy::model::{RateLimits, Verdict};
use weir_policy::rules::Mode;

use crate::packet::{Piece, flag, from, udp};
use crate::story::{NODE, NOW, Story};
use crate::world::{ANN, BEN, CAT, SHOP, entry, names, policy, rule, shop};

#[test]
fn an_observing_node_drops_nothing_of_its_own() {
    let mut p = policy([shop()]);
    p.enforce_node = false;
    p.lists = vec![entry("10.1.1.7/32", Verdict::Deny), entry("10.1.1.8/32", Verdict::Deny).until(NOW + 9)];
    let mut story = Story::of(&p);
    story.would_drop(&from(ANN, SHOP).syn(1, 443), NODE, Reason::DenyListed);
    story.would_drop(&from(BEN, SHOP).syn(1, 443), NODE, Reason::Blocked);
    let mut cut = from(CAT, SHOP).syn(1, 443);
    cut.truncate(30);
    story.would_drop(&cut, NODE, Reason::Ip4Truncated);
    // The target enforces, whatever the node does.
    story.drops(&from(CAT, SHOP).tcp(1, 443, 0, b""), "shop", Reason::TcpNull);
    story.passes(&from(CAT, SHOP).syn(1, 443), "shop", Reason::Clean);
}

#[test]
fn an_observing_target_drops_nothing_and_says_what_it_would() {
    let mut p = policy([shop(), names()]);
    for target in &mut p.targets {
        target.enforce = false;
    }
    p.targets[0].per_source.packets = Some(Rate::per_second(1, 3));
    p.targets[1].hygiene.reflection = true;
    let push = p.names.intern("push");
    p.rules = vec![rule(push, "tcp and flags & psh = psh", Mode::Enforce)];
    p.lists = vec![entry("10.1.1.8/32", Verdict::Deny)];
    let mut story = Story::of(&p);
    story.would_drop(&from(ANN, SHOP).tcp(1, 443, flag::FIN, b""), "shop", Reason::TcpFinNoAck);
    story.matching(Some(push));
    story.would_drop(&from(ANN, SHOP).tcp(1, 443, flag::PSH | flag::ACK, b""), "shop", Reason::Rule);
    story.matching(None);
    for _ in 0..3 {
        story.passes(&from(ANN, SHOP).syn(1, 443), "shop", Reason::Clean);
    }
    story.would_drop(&from(ANN, SHOP).syn(1, 443), "shop", Reason::SourcePackets);
    // A datagram whose first fragment would have been dropped: so would the rest.
    let answer = udp(53, 53, &[0; 160]);
    let piece = |offset: u16, more, part: &[u8]| from(ANN, SHOP).piece(Piece { id: 1, offset, more }, 17, part);
    story.would_drop(&piece(0, true, &answer[..80]), "names", Reason::ReflectionPort);
    story.would_drop(&piece(80, false, &answer[80..]), "names", Reason::FragmentFollowsDrop);
    // The node enforces, whatever the target does.
    story.drops(&from(BEN, SHOP).syn(1, 443), NODE, Reason::DenyListed);
}

/// A person has approved it: what it matches is dropped, and nothing else is.
#[test]
fn a_rule_that_insists_drops_where_its_target_observes() {
    let mut p = policy([shop()]);
    p.targets[0].enforce = false;
    let (push, urgent) = (p.names.intern("push"), p.names.intern("urgent"));
    p.rules = vec![
        rule(push, "tcp and flags & psh = psh", Mode::Insist),
        rule(urgent, "tcp and flags & urg = urg", Mode::Enforce),
    ];
    let mut story = Story::of(&p);
    let segment = |flags| from(ANN, SHOP).tcp(1, 443, flags | flag::ACK, b"");
    story.matching(Some(push));
    story.drops(&segment(flag::PSH), "shop", Reason::Rule);
    story.matching(Some(urgent));
    story.would_drop(&segment(flag::URG), "shop", Reason::Rule);
    story.matching(None);
    story.passes(&segment(0), "shop", Reason::Clean);
    story.would_drop(&from(ANN, SHOP).tcp(1, 443, flag::FIN, b""), "shop", Reason::TcpFinNoAck);
    // It insists no more.
    p.rules[0].mode = Mode::Enforce;
    story.change(&p);
    story.matching(Some(push));
    story.would_drop(&segment(flag::PSH), "shop", Reason::Rule);
}

/// Malformed packets pass an enforcing node as well, until it is told to drop them: the stack behind refuses them anyway.
#[test]
fn malformed_packets_are_dropped_where_that_is_asked_for() {
    let mut p = policy([shop()]);
    let mut cut = from(CAT, SHOP).syn(1, 443);
    cut.truncate(30);
    for (enforce, drop, dropped) in
        [(true, true, true), (true, false, false), (false, true, false), (false, false, false)]
    {
        (p.enforce_node, p.drop_malformed) = (enforce, drop);
        let mut story = Story::of(&p);
        if dropped {
            story.drops(&cut, NODE, Reason::Ip4Truncated);
        } else {
            story.would_drop(&cut, NODE, Reason::Ip4Truncated);
        }
    }
}

/// What an observing target charges is what an enforcing one charges: switching over surprises nobody.
#[test]
fn limits_say_the_same_in_both_modes() {
    let run = |enforce: bool| {
        let mut p = policy([shop()]);
        p.targets[0].enforce = enforce;
        p.targets[0].per_source = RateLimits { packets: Some(Rate::per_second(500, 20)), ..RateLimits::default() };
        let story = Story::of(&p);
        let frame = from(ANN, SHOP).tcp(1, 443, flag::ACK, b"");
        let mut reasons = Vec::new();
        for tick in 0..100 {
            story.env.set_tick(NOW + tick);
            reasons.extend((0..4).map(|_| story.env.simulate(&weir_wire::Bytes::new(&frame)).reason()));
        }
        reasons
    };
    assert_eq!(run(true), run(false));
}
