//! Which step speaks first. Each story takes away the answer of one step and meets the next.

use weir_abi::Reason;
use weir_policy::limits::Rate;
use weir_policy::model::{Proto, RateLimits, Verdict};
use weir_policy::overlay::{Asked, FIRST, TargetRule, overlay};
use weir_policy::rules::Mode;

use crate::packet::{flag, from};
use crate::story::{NODE, Story};
use crate::world::{ANN, BEN, CAT, SHOP, entry, policy, rule, shop};

/// Everything that could be said against Ann is said at once; then step by step it is taken back.
#[test]
fn the_first_step_that_has_an_answer_ends_the_decision() {
    let mut p = policy([shop()]);
    p.failsafe = vec![(Proto::Tcp, 443)];
    p.lists = vec![entry("10.1.1.7/32", Verdict::Deny), entry("10.1.1.0/24", Verdict::NeverBlock)];
    let set = p.sets.intern("known-bad");
    p.lists.push(entry("10.1.0.0/16", Verdict::Deny).in_set(set));
    let xmas = p.names.intern("xmas");
    p.rules = vec![rule(xmas, "tcp and flags & fin = fin", Mode::Enforce)];
    let one = Some(Rate::per_second(1, 1));
    p.targets[0].lists = vec![set];
    p.targets[0].served = vec![17];
    p.targets[0].per_source = RateLimits { packets: one, ..RateLimits::default() };
    p.targets[0].per_target = RateLimits { packets: Some(Rate::per_second(1, 3)), ..RateLimits::default() };

    // Impossible flags, not served, listed twice, and a rule for it: and yet a failsafe port is one.
    let bad = from(ANN, SHOP).tcp(40000, 443, flag::FIN | flag::PSH | flag::URG, b"");
    let good = from(ANN, SHOP).syn(40000, 443);
    let mut story = Story::of(&p);
    story.passes(&bad, NODE, Reason::Failsafe);
    p.failsafe.clear();
    story.change(&p);
    story.passes(&bad, NODE, Reason::NeverBlock);
    p.lists.remove(1);
    story.change(&p);
    story.drops(&bad, NODE, Reason::DenyListed);
    p.lists.remove(0);
    story.change(&p);
    story.drops(&bad, "shop", Reason::DenyScoped);
    p.targets[0].lists.clear();
    story.change(&p);
    story.drops(&bad, "shop", Reason::ProtocolNotServed);
    p.targets[0].served.push(6);
    story.change(&p);
    story.drops(&bad, "shop", Reason::TcpXmas);
    p.targets[0].hygiene.tcp_flags = false;
    story.change(&p);
    story.matching(Some(xmas));
    story.drops(&bad, "shop", Reason::Rule);
    p.rules.clear();
    story.change(&p);
    story.matching(None);
    story.passes(&bad, "shop", Reason::Clean);
    // Its limit of one is used up; and what the source's limit refuses does not count against the target's.
    for _ in 0..9 {
        story.drops(&good, "shop", Reason::SourcePackets);
    }
    p.targets[0].per_source = RateLimits::default();
    story.change(&p);
    story.passes(&good, "shop", Reason::Clean);
    story.passes(&good, "shop", Reason::Clean);
    story.drops(&good, "shop", Reason::TargetPackets);
    p.targets.clear();
    story.change(&p);
    story.passes(&good, NODE, Reason::NoTarget);
}

/// What people say of a source comes before what an incident says of its packets, on either side, on the node's and the target's lists.
#[test]
fn peoples_lists_come_before_rules_of_incidents() {
    let mut p = policy([shop()]);
    let set = p.sets.intern("partners");
    p.targets[0].lists = vec![set];
    p.lists = vec![
        entry("10.1.1.7/32", Verdict::Allow),
        entry("10.1.1.8/32", Verdict::Deny),
        entry("10.2.2.2/32", Verdict::Allow).in_set(set),
    ];
    let mut story = Story::of(&p);
    let id = FIRST | 1;
    let matches = "tcp and dport 443".parse().unwrap();
    let rule = TargetRule { id, matches, mode: Mode::Enforce, targets: vec![1] };
    let over = overlay(story.env.image(), &Asked { rules: vec![rule], ..Asked::default() });
    assert!(over.errors.is_empty());
    story.lay(over.diff);
    story.passes(&from(ANN, SHOP).syn(1, 443), NODE, Reason::AllowListed);
    story.drops(&from(BEN, SHOP).syn(1, 443), NODE, Reason::DenyListed);
    story.passes(&from(CAT, SHOP).syn(1, 443), "shop", Reason::AllowScoped);
    story.matching(Some(id));
    story.drops(&from("10.3.3.3", SHOP).syn(1, 443), "shop", Reason::Rule);
}

#[test]
fn failsafe_ports_are_of_one_protocol_and_of_the_destination() {
    let mut p = policy([]);
    p.failsafe = vec![(Proto::Tcp, 22), (Proto::Udp, 68)];
    p.lists = vec![entry("0.0.0.0/0", Verdict::Deny), entry("::/0", Verdict::Deny)];
    let mut story = Story::of(&p);
    story.passes(&from(ANN, SHOP).syn(40000, 22), NODE, Reason::Failsafe);
    story.drops(&from(ANN, SHOP).syn(22, 40000), NODE, Reason::DenyListed);
    story.drops(&from(ANN, SHOP).udp(40000, 22, b""), NODE, Reason::DenyListed);
    story.passes(&from(ANN, SHOP).udp(67, 68, b""), NODE, Reason::Failsafe);
    story.drops(&from(ANN, SHOP).syn(40000, 68), NODE, Reason::DenyListed);
    story.passes(&from("fe80::1", "fe80::2").syn(40000, 22), NODE, Reason::Failsafe);
    // SCTP has ports too, but none that can be failsafe.
    story.drops(&from(ANN, SHOP).ip(132, &[0, 22, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0]), NODE, Reason::DenyListed);
}
