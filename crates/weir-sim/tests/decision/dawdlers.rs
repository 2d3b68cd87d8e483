//! Slow attacks held back: each source may feed a few connections that wait, what it feeds beyond that becomes its reset, and it opens no others.

use weir_abi::flow::{AGE_SHIFT, FED_UNITS, SLOW_UNITS};
use weir_abi::limit::SOURCE_UNIT_SHIFT;
use weir_abi::policy::feed::{AT_ONCE, PER_UNIT};
use weir_abi::{Feature, Limit, Reason};
use weir_core::dawdlers::UNITS;
use weir_policy::overlay::{Asked, TargetClosing, TargetShare, overlay};
use weir_sim::env::Sizes;
use weir_wire::Bytes;

use crate::connections::connect;
use crate::packet::{Pair, flag, from, tagged};
use crate::story::{HZ, Story};
use crate::world::{ANN, ANN6, BEN, SHOP, SHOP6, policy, shop};

const SAYS: u8 = flag::ACK | flag::PSH;
const UNIT: u64 = (FED_UNITS as u64) << AGE_SHIFT;
const LINE: &[u8] = b"X-a: b\r\n";

/// While an attack lasts, or not any more.
fn attacked(story: &mut Story, on: bool) {
    closing(story, on.then_some(0));
}

/// The same, where so many are usually fed that each source may feed more.
fn closing(story: &mut Story, feed_shift: Option<u16>) {
    let closed = feed_shift.map(|feed_shift| TargetClosing { target: 1, feed_shift }).into_iter().collect();
    let asked = Asked { closed, ..Asked::default() };
    let laid = overlay(story.env.image(), &asked);
    story.lay(laid.diff);
}

/// So many connections of a source, each with a request that is begun, some time ago.
fn begun(pairs: &[Pair], connections: u16) -> Story {
    let mut story = Story::with(&policy([shop()]), &Sizes { source_lines: 1 << 10, ..Sizes::default() });
    for pair in pairs {
        for port in 4000..4000 + connections {
            connect(&mut story, *pair, port);
            story.passes(&pair.tcp(port, 443, SAYS, b"GET / HTTP/1.1\r\n"), "shop", Reason::KnownFlow);
        }
    }
    story.wait(UNIT);
    story
}

#[track_caller]
fn feeds(story: &mut Story, pair: Pair, port: u16) {
    story.passes(&pair.tcp(port, 443, SAYS, LINE), "shop", Reason::KnownFlow);
}

#[track_caller]
fn is_closed(story: &mut Story, pair: Pair, port: u16) {
    story.drops(&pair.tcp(port, 443, SAYS, LINE), "shop", Reason::KeptWaiting);
}

#[test]
fn a_source_feeds_a_few_and_no_more() {
    for [dawdler, other] in [[from(ANN, SHOP), from(BEN, SHOP)], [from(ANN6, SHOP6), from(ANN, SHOP)]] {
        let mut story = begun(&[dawdler, other], 20);
        for port in 4000..4020 {
            feeds(&mut story, dawdler, port);
        }
        let counted = |story: &Story| [Feature::WaitFed, Feature::WaitFedBeyond].map(|f| story.feature("shop", f));
        assert_eq!(counted(&story), [20, 12], "and nothing is done where there is no attack");
        attacked(&mut story, true);
        // It is held against the source now; what was counted before is not.
        story.wait(u64::from(SLOW_UNITS) << AGE_SHIFT);
        (4000..4008).for_each(|port| feeds(&mut story, dawdler, port));
        assert_eq!((AT_ONCE, counted(&story)), (8, [28, 12]));
        let ended = story.feature("shop", Feature::WaitEnded);
        (4008..4020).for_each(|port| is_closed(&mut story, dawdler, port));
        assert_eq!(story.feature("shop", Feature::WaitEnded) - ended, 12, "they wait no more");
        assert_eq!(counted(&story), [40, 24]);
        // It opens no others; one that another source opens is served.
        story.drops(&dawdler.syn(5000, 443), "shop", Reason::Dawdler);
        assert_eq!(story.feature("shop", Feature::Dawdler), 1);
        connect(&mut story, other, 5000);
        feeds(&mut story, other, 4000);
        // What it fed before is closed as well when it feeds it again, and a question to which there is an answer is served.
        story.wait(u64::from(SLOW_UNITS) << AGE_SHIFT);
        story.sends(&dawdler.back().tcp(443, 4000, SAYS, b"page"), "shop");
        feeds(&mut story, dawdler, 4000);
        (4001..4008).for_each(|port| is_closed(&mut story, dawdler, port));
        feeds(&mut story, other, 4000);
    }
}

/// A botnet of many machines that hold a few connections each: who was barred while they were opened feeds none of them.
#[test]
fn who_asked_for_more_than_its_share_feeds_nothing() {
    let (machine, ann) = (from(BEN, SHOP), from(ANN, SHOP));
    let mut story = Story::with(&policy([shop()]), &Sizes { source_lines: 1 << 10, ..Sizes::default() });
    let cost = u64::from(HZ) << SOURCE_UNIT_SHIFT;
    let share = TargetShare { target: 1, limit: Limit { cost, window: 6 * cost } };
    let shared = Asked { shared: vec![share], ..Asked::default() };
    story.lay(overlay(story.env.image(), &shared).diff);
    for (pair, port) in (4000..4006).flat_map(|port| [(machine, port), (ann, port)]) {
        connect(&mut story, pair, port);
        story.passes(&pair.tcp(port, 443, SAYS, b"GET / HTTP/1.1\r\n"), "shop", Reason::KnownFlow);
    }
    for _ in 0..7 {
        story.drops(&machine.syn(9000, 443), "shop", Reason::SourceSyns);
        story.wait(u64::from(HZ) / 10);
    }
    story.wait(u64::from(SLOW_UNITS) << AGE_SHIFT);
    feeds(&mut story, machine, 4000);
    feeds(&mut story, ann, 4000);
    let counted = |story: &Story| [Feature::WaitFed, Feature::WaitFedBeyond].map(|f| story.feature("shop", f));
    assert_eq!(counted(&story), [2, 1], "what it feeds is more than it may");
    let closing = TargetClosing { target: 1, feed_shift: 0 };
    story.lay(overlay(story.env.image(), &Asked { closed: vec![closing], ..shared }).diff);
    story.wait(u64::from(SLOW_UNITS) << AGE_SHIFT);
    (4000..4006).for_each(|port| is_closed(&mut story, machine, port));
    (4000..4006).for_each(|port| feeds(&mut story, ann, port));
}

#[test]
fn a_few_are_its_right_for_as_long_as_it_takes() {
    let ann = from(ANN, SHOP);
    let few = 4000..4000 + PER_UNIT as u16;
    let mut story = begun(&[ann], PER_UNIT as u16);
    attacked(&mut story, true);
    for unit in 1..20 {
        few.clone().for_each(|port| feeds(&mut story, ann, port));
        // Each of them counts once, however often it says something meanwhile.
        let soon = u64::from(SLOW_UNITS) << AGE_SHIFT;
        story.wait(soon);
        few.clone().for_each(|port| feeds(&mut story, ann, port));
        assert_eq!(story.feature("shop", Feature::WaitFed), unit * PER_UNIT);
        story.wait(UNIT - soon);
    }
}

#[test]
fn it_may_open_connections_again_after_a_while_or_when_the_attack_is_over() {
    let ann = from(ANN, SHOP);
    let mut story = begun(&[ann], 9);
    attacked(&mut story, true);
    (4000..4008).for_each(|port| feeds(&mut story, ann, port));
    is_closed(&mut story, ann, 4008);
    story.wait(u64::from(UNITS - 1) << AGE_SHIFT);
    story.drops(&ann.syn(5000, 443), "shop", Reason::Dawdler);
    story.wait(1 << AGE_SHIFT);
    story.passes(&ann.syn(5000, 443), "shop", Reason::Clean);
    // Once more, and the attack ends.
    let mut story = begun(&[ann], 9);
    attacked(&mut story, true);
    (4000..4008).for_each(|port| feeds(&mut story, ann, port));
    is_closed(&mut story, ann, 4008);
    story.drops(&ann.syn(5000, 443), "shop", Reason::Dawdler);
    attacked(&mut story, false);
    story.passes(&ann.syn(5000, 443), "shop", Reason::Clean);
    story.wait(UNIT);
    feeds(&mut story, ann, 4007);
}

#[test]
fn where_many_are_usually_fed_each_source_may_feed_more() {
    let ann = from(ANN, SHOP);
    let mut story = begun(&[ann], 70);
    closing(&mut story, Some(3));
    (4000..4064).for_each(|port| feeds(&mut story, ann, port));
    story.wait(UNIT);
    (4000..4032).for_each(|port| feeds(&mut story, ann, port));
    (4064..4070).for_each(|port| is_closed(&mut story, ann, port));
}

/// An upload in full segments, a question in two pieces, and data right after the handshake are no way to keep a connection waiting.
#[test]
fn what_customers_send_is_let_be() {
    let ann = from(ANN, SHOP);
    let mut story = begun(&[ann], 30);
    attacked(&mut story, true);
    for port in 4000..4030 {
        story.passes(&ann.tcp(port, 443, SAYS, &[0; 129]), "shop", Reason::KnownFlow);
        story.passes(&ann.tcp(port, 443, flag::ACK, b""), "shop", Reason::KnownFlow);
    }
    for port in 5000..5030 {
        connect(&mut story, ann, port);
        story.passes(&ann.tcp(port, 443, SAYS, b"GET /"), "shop", Reason::KnownFlow);
        story.passes(&ann.tcp(port, 443, SAYS, b" HTTP/1.1\r\n\r\n"), "shop", Reason::KnownFlow);
    }
    assert_eq!(story.feature("shop", Feature::WaitFed), 0);
}

#[test]
fn who_only_observes_lets_them_wait() {
    let ann = from(ANN, SHOP);
    let mut observes = policy([shop()]);
    observes.targets[0].enforce = false;
    let mut story = begun(&[ann], 9);
    story.change(&observes);
    attacked(&mut story, true);
    (4000..4008).for_each(|port| feeds(&mut story, ann, port));
    let ended = story.feature("shop", Feature::WaitEnded);
    story.would_drop(&ann.tcp(4008, 443, SAYS, LINE), "shop", Reason::KeptWaiting);
    story.would_drop(&ann.syn(5000, 443), "shop", Reason::Dawdler);
    assert_eq!(story.feature("shop", Feature::WaitEnded), ended, "it waits on");
}

/// The sum of a segment's words without its pseudo header, as the checksum is made of (RFC 1071).
fn sum(tcp: &[u8]) -> u16 {
    let mut sum: u32 = tcp.chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], *c.get(1).unwrap_or(&0)]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[test]
fn a_reset_is_the_same_packet_but_for_its_flags_and_a_checksum_that_fits_them() {
    let story = Story::of(&policy([shop()]));
    for (pair, at) in [(from(ANN, SHOP), 34), (from(ANN6, SHOP6), 54)] {
        for (flags, line) in [(SAYS, LINE), (flag::ACK, b"x"), (SAYS | flag::URG, b"ab"), (SAYS | flag::FIN, b"abc")] {
            for (frame, at) in [0xffff_u32, 0x1234_5678].into_iter().flat_map(|number| {
                let frame = pair.segment((4000, 443), flags, (number, 7), line);
                [(tagged(0x8100, 5, &frame), at + 4), (frame, at)]
            }) {
                let reset = story.env.reset(&Bytes::new(&frame)).expect("it can be read");
                assert_eq!(reset[at + 13], flag::RST | flag::ACK);
                assert_eq!(sum(&reset[at..]), sum(&frame[at..]), "the checksum is as right as it was");
                let mut same = reset.clone();
                same[at + 13] = flags;
                same[at + 16..at + 18].copy_from_slice(&frame[at + 16..at + 18]);
                assert_eq!(same, frame);
            }
        }
    }
}

/// The sender has left the checksum to hardware: what stands there is the pseudo header's sum, and stays.
#[test]
fn a_checksum_that_is_not_finished_stays_as_it_is() {
    let story = Story::of(&policy([shop()]));
    let mut frame = from(ANN, SHOP).tcp(4000, 443, SAYS, LINE);
    let length = (frame.len() - 34) as u16;
    let pseudo = sum(&[&frame[26..34], &[0, 6], &length.to_be_bytes()].concat());
    frame[50..52].copy_from_slice(&pseudo.to_be_bytes());
    let reset = story.env.reset(&Bytes::new(&frame)).expect("it can be read");
    assert_eq!((reset[47], &reset[50..52]), (flag::RST | flag::ACK, &frame[50..52]));
}
