//! Sources that come regularly, and rules that hold what they match to a limit: regulars come first.

use std::net::IpAddr;

use weir_abi::limit::TARGET_UNIT_SHIFT;
use weir_abi::policy::flag as policy_flag;
use weir_abi::{Addr, Feature, Reason};
use weir_policy::rules::Mode;

use crate::packet::from;
use crate::story::{HZ, Story};
use crate::world::{ANN, ANN6, BEN, CAT, SHOP, SHOP6, names, policy, rule};

/// The name server, whose rule against all UDP limits: two packets a second, and a burst of so many ticks at that rate.
fn limited() -> (Story, u32) {
    let mut p = policy([names()]);
    let id = p.names.intern("all-udp");
    p.rules = vec![rule(id, "udp", Mode::Shadow)];
    let mut story = Story::of(&p);
    story.matching(Some(id));
    (story, id)
}

/// The attack begins: the rule limits from now on.
fn attacked(story: &mut Story, per_second: u64) {
    let mut image = story.env.image().clone();
    image.rules.limit = image.rules.live;
    image.policies[1].matched = (u64::from(HZ) << TARGET_UNIT_SHIFT) / per_second;
    story.env.apply(image).unwrap();
}

pub fn source(address: &str) -> Addr {
    match address.parse().unwrap() {
        IpAddr::V4(v4) => Addr::v4(v4.into()),
        IpAddr::V6(v6) => Addr::v6(v6.octets()),
    }
}

#[test]
fn who_came_before_passes_and_strangers_share_what_is_left() {
    for (ann, cat, server) in [(ANN, CAT, SHOP), (ANN6, "2001:db8:77::1", SHOP6)] {
        let (mut story, _) = limited();
        let question = |source| from(source, server).udp(40_000, 53, b"question");
        story.passes(&question(ann), "names", Reason::Clean);
        story.env.note_regular(1, source(ann));
        attacked(&mut story, 4);
        for _ in 0..4 {
            story.passes(&question(cat), "names", Reason::Clean);
        }
        for _ in 0..20 {
            story.drops(&question(cat), "names", Reason::RuleLimit);
            story.passes(&question(ann), "names", Reason::Clean);
        }
        story.wait(u64::from(HZ / 4) + 1);
        story.passes(&question(cat), "names", Reason::Clean);
        story.drops(&question(cat), "names", Reason::RuleLimit);
        assert_eq!(story.feature("names", Feature::Udp), 1 + 4 + 40 + 2);
    }
}

/// Who comes regularly to one target does not to another, and a line holds eight.
#[test]
fn a_regular_is_one_of_one_target_and_gives_way_to_those_that_came_later() {
    let (mut story, _) = limited();
    let question = |source| from(source, SHOP).udp(40_000, 53, b"question");
    story.env.note_regular(2, source(ANN));
    story.env.note_regular(1, source(BEN));
    attacked(&mut story, 1);
    story.passes(&question(CAT), "names", Reason::Clean);
    story.drops(&question(ANN), "names", Reason::RuleLimit);
    story.passes(&question(BEN), "names", Reason::Clean);
    let lines = story.env.state().regulars.into_iter().flatten().filter(|mark| *mark != 0).count();
    assert_eq!(lines, 2);
    story.env.note_regular(1, source(BEN));
    assert_eq!(story.env.state().regulars.into_iter().flatten().filter(|mark| *mark != 0).count(), 2, "its own place");
}

/// Where the target only observes, the same is told and nothing is dropped; a rule that drops comes before one that limits.
#[test]
fn observing_and_beside_rules_that_drop() {
    let mut p = policy([names()]);
    let (all, bad) = (p.names.intern("all-udp"), p.names.intern("bad"));
    p.rules = vec![rule(all, "udp", Mode::Shadow), rule(bad, "udp and payload = \"AAAA\"", Mode::Enforce)];
    let mut story = Story::of(&p);
    let mut image = story.env.image().clone();
    image.rules.limit = image.rules.live & !image.rules.enforce;
    image.policies[1].matched = u64::from(HZ) << TARGET_UNIT_SHIFT;
    story.env.apply(image.clone()).unwrap();
    story.matching(Some(bad));
    story.drops(&from(ANN, SHOP).udp(1, 53, b"AAAAAAAA"), "names", Reason::Rule);
    story.matching(Some(all));
    story.passes(&from(ANN, SHOP).udp(1, 53, b"question"), "names", Reason::Clean);
    story.drops(&from(ANN, SHOP).udp(1, 53, b"question"), "names", Reason::RuleLimit);
    image.policies[1].flags &= !policy_flag::ENFORCE;
    story.env.apply(image).unwrap();
    story.would_drop(&from(ANN, SHOP).udp(1, 53, b"question"), "names", Reason::RuleLimit);
}
