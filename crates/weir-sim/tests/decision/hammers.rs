//! Floods of connections held back: who had its share and goes on asking opens none for a minute, whoever forges its address or comes regularly.

use std::net::Ipv4Addr;

use weir_abi::flow::AGE_SHIFT;
use weir_abi::limit::SOURCE_UNIT_SHIFT;
use weir_abi::{Limit, Reason};
use weir_core::hammers::UNITS;
use weir_policy::overlay::{Asked, TargetShare, overlay};
use weir_policy::rules::Mode;
use weir_sim::env::Sizes;
use weir_wire::Bytes;

use crate::connections::connect;
use crate::packet::{Pair, flag, from};
use crate::regulars::source;
use crate::story::{HZ, Story};
use crate::world::{ANN, ANN6, BEN, SHOP, SHOP6, policy, rule, shop};

/// Connections per second that are a source's share, and those at once.
const SHARE: u64 = 10;
const AT_ONCE: u16 = 20;
/// Ticks.
const SECOND: u64 = HZ as u64;
const SAYS: u8 = flag::ACK | flag::PSH;

/// A target of whose connections each source has a share, or has not any more.
fn attacked(story: &mut Story, on: bool) {
    let cost = (SECOND << SOURCE_UNIT_SHIFT) / SHARE;
    let share = TargetShare { target: 1, limit: Limit { cost, window: u64::from(AT_ONCE) * cost } };
    let asked = Asked { shared: on.then_some(share).into_iter().collect(), ..Asked::default() };
    let laid = overlay(story.env.image(), &asked);
    story.lay(laid.diff);
}

fn story() -> Story {
    let mut story = Story::with(&policy([shop()]), &Sizes { source_lines: 1 << 10, ..Sizes::default() });
    attacked(&mut story, true);
    story
}

/// Opens a connection from a port and asks something.
#[track_caller]
fn opens(story: &mut Story, pair: Pair, port: u16) {
    connect(story, pair, port);
    story.passes(&pair.tcp(port, 443, SAYS, b"GET / HTTP/1.1\r\n\r\n"), "shop", Reason::KnownFlow);
}

#[track_caller]
fn takes_its_share(story: &mut Story, pair: Pair) {
    (0..AT_ONCE).for_each(|i| opens(story, pair, 4000 + i));
}

/// Ticks after which asking again counts once more.
const MOMENT: u64 = SECOND / SHARE / 16 + 1;

/// Asks for a connection and is refused, in so many moments.
#[track_caller]
fn goes_on_asking(story: &mut Story, pair: Pair, moments: u32, reason: Reason) {
    for _ in 0..moments {
        is_refused(story, pair, reason);
        story.wait(MOMENT);
    }
}

#[track_caller]
fn is_refused(story: &mut Story, pair: Pair, reason: Reason) {
    story.drops(&pair.syn(9000, 443), "shop", reason);
}

#[test]
fn who_had_its_share_and_goes_on_asking_opens_no_more() {
    for [machine, other] in [[from(ANN, SHOP), from(BEN, SHOP)], [from(ANN6, SHOP6), from(ANN, SHOP)]] {
        let mut story = story();
        takes_its_share(&mut story, machine);
        // A page that asks for many at once asks once. SYNs that are sent again a few times are no matter, and the next connection of its share is served.
        (0..100).for_each(|_| is_refused(&mut story, machine, Reason::SourceSyns));
        story.wait(MOMENT);
        goes_on_asking(&mut story, machine, 5, Reason::SourceSyns);
        story.wait(SECOND / SHARE - 5 * MOMENT);
        opens(&mut story, machine, 5000);
        goes_on_asking(&mut story, machine, 2, Reason::SourceSyns);
        // That was too much: what would be its share is not any more.
        story.wait(SECOND);
        is_refused(&mut story, machine, Reason::Barred);
        opens(&mut story, other, 4000);
        // What it has is served.
        story.passes(&machine.tcp(4000, 443, SAYS, b"GET /next"), "shop", Reason::KnownFlow);
        story.wait(u64::from(UNITS) << AGE_SHIFT);
        opens(&mut story, machine, 6000);
    }
}

/// Waits until a regular may open one more, which is every 6.25 ticks, and opens it.
#[track_caller]
fn opens_the_next(story: &mut Story, pair: Pair, number: u16) {
    story.wait(6 + u64::from(number.is_multiple_of(4)));
    opens(story, pair, 5000 + number);
}

/// A rule that holds what it matches to a limit, which is not reached, did not decide what the share of a source did.
#[test]
fn a_rule_that_only_limits_is_not_named_for_what_a_share_refuses() {
    let mut p = policy([shop()]);
    let id = p.names.intern("all-tcp");
    p.rules = vec![rule(id, "tcp", Mode::Shadow)];
    let mut story = Story::with(&p, &Sizes { source_lines: 1 << 10, ..Sizes::default() });
    attacked(&mut story, true);
    let mut image = story.env.image().clone();
    image.rules.limit = image.rules.live;
    image.policies[1].matched = 1;
    story.env.apply(image).unwrap();
    story.matching(Some(id));
    let machine = from(ANN, SHOP);
    takes_its_share(&mut story, machine);
    for _ in 0..10 {
        is_refused(&mut story, machine, Reason::SourceSyns);
    }
}

/// Who has been there before is no machine that came with the flood: four times as much is his.
#[test]
fn who_comes_regularly_has_four_times_the_share() {
    let ann = from(ANN, SHOP);
    let mut story = story();
    story.env.note_regular(1, source(ANN));
    (0..4 * AT_ONCE).for_each(|i| opens(&mut story, ann, 4000 + i));
    is_refused(&mut story, ann, Reason::SourceSyns);
    // And four times as many in a second.
    for i in 0..4 * SHARE as u16 {
        opens_the_next(&mut story, ann, i);
    }
    is_refused(&mut story, ann, Reason::SourceSyns);
}

/// Attackers, and what is noted of them, hold a fifth of a small sketch's cells high: one in twenty customers has only such ones in his line. He has
/// others in a second one.
#[test]
fn customers_who_meet_attackers_in_a_line_of_cells_are_served() {
    let mut story = Story::with(&policy([shop()]), &Sizes { source_lines: 1 << 8, ..Sizes::default() });
    attacked(&mut story, true);
    let refused = |story: &Story, source: Ipv4Addr| {
        let outcome = story.env.simulate(&Bytes::new(&from(&source.to_string(), SHOP).syn(4000, 443)));
        outcome.reason() == Reason::SourceSyns
    };
    for i in 0..64 {
        let asks = (0..30).filter(|_| refused(&story, Ipv4Addr::new(10, 66, 0, i))).count();
        assert!(asks >= 10, "attacker {i} is held to its share: {asks}");
    }
    let customers = (0..512).map(|i: u16| Ipv4Addr::new(10, 67, (i >> 8) as u8, i as u8));
    let hurt = customers.filter(|customer| refused(&story, *customer)).count();
    assert!(hurt <= 4, "{hurt} of 512 customers");
}

#[test]
fn it_may_open_connections_again_when_the_attack_is_over() {
    let machine = from(ANN, SHOP);
    let mut story = story();
    takes_its_share(&mut story, machine);
    goes_on_asking(&mut story, machine, 7, Reason::SourceSyns);
    story.wait(SECOND);
    is_refused(&mut story, machine, Reason::Barred);
    attacked(&mut story, false);
    (0..30).for_each(|i| opens(&mut story, machine, 5000 + i));
}

/// SYNs in a customer's name are refused in it, and bring no more upon him than that.
#[test]
fn nobody_is_barred_for_what_others_ask_in_his_name() {
    let ann = from(ANN, SHOP);
    let mut story = story();
    (0..3).for_each(|i| opens(&mut story, ann, 4000 + i));
    (3..AT_ONCE).for_each(|i| story.passes(&ann.syn(7000 + i, 443), "shop", Reason::Clean));
    goes_on_asking(&mut story, ann, 10, Reason::SourceSyns);
    story.wait(SECOND);
    opens(&mut story, ann, 5000);
}

/// A customer's page takes as many connections as it does, one after the other, and so do the next customers behind his address.
#[test]
fn who_stays_near_its_share_is_not_barred() {
    let ann = from(ANN, SHOP);
    let mut story = story();
    takes_its_share(&mut story, ann);
    // A tenth more than its share, for ten seconds: the last one of each second's is refused.
    for second in 0..10 {
        for i in 0..SHARE as u16 {
            story.wait(SECOND / SHARE);
            opens(&mut story, ann, 5000 + 10 * second + i);
        }
        is_refused(&mut story, ann, Reason::SourceSyns);
    }
}

#[test]
fn who_comes_regularly_is_not_barred() {
    let ann = from(ANN, SHOP);
    let mut story = story();
    story.env.note_regular(1, source(ANN));
    // His share is four times that of others.
    (0..4 * AT_ONCE).for_each(|i| opens(&mut story, ann, 4000 + i));
    for i in 0..100 {
        // Each moment has one of it, and he asks for three more.
        opens_the_next(&mut story, ann, i);
        (0..3).for_each(|_| is_refused(&mut story, ann, Reason::SourceSyns));
    }
    story.wait(SECOND);
    opens(&mut story, ann, 6000);
}

/// A limit of the policy's own holds back what is over it, and that is all that was asked for.
#[test]
fn a_policys_own_limit_bars_nobody() {
    let ann = from(ANN, SHOP);
    let mut story = story();
    let mut image = story.env.image().clone();
    image.policies[1].flags &= !weir_abi::policy::flag::SHARED;
    story.env.apply(image).unwrap();
    takes_its_share(&mut story, ann);
    goes_on_asking(&mut story, ann, 10, Reason::SourceSyns);
    story.wait(SECOND);
    opens(&mut story, ann, 5000);
}

#[test]
fn who_only_observes_lets_them_open() {
    let machine = from(ANN, SHOP);
    let mut observes = policy([shop()]);
    observes.targets[0].enforce = false;
    let mut story = story();
    story.change(&observes);
    attacked(&mut story, true);
    takes_its_share(&mut story, machine);
    for _ in 0..7 {
        story.would_drop(&machine.syn(9000, 443), "shop", Reason::SourceSyns);
        story.wait(MOMENT);
    }
    story.wait(SECOND);
    story.would_drop(&machine.syn(9000, 443), "shop", Reason::Barred);
}
