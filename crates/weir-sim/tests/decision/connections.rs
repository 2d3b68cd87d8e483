//! Connection truth: which flows the host takes part in, what teaches it, and what it means for packets.

use weir_abi::flow::{AGE_SHIFT, MARKS};
use weir_abi::limit::TARGET_UNIT_SHIFT;
use weir_abi::{Feature, Reason};
use weir_policy::overlay::{Asked, FIRST, TargetRule, overlay};
use weir_policy::rules::Mode;
use weir_sim::env::Sizes;

use crate::packet::{Pair, flag, from};
use crate::story::{HZ, Story};
use crate::world::{ANN, ANN6, BEN, CAT, SHOP, SHOP6, at, policy, rule, shop};

const ISN: u32 = 0x9000_0000;

fn ack(pair: Pair, port: u16, number: u32) -> Vec<u8> {
    pair.segment((port, 443), flag::ACK, (1, number), b"")
}

fn syn_ack(pair: Pair, port: u16) -> Vec<u8> {
    pair.back().segment((443, port), flag::SYN | flag::ACK, (ISN, 1), b"")
}

/// SYN, SYN-ACK: a handshake waits for its third packet.
#[track_caller]
fn ask(story: &mut Story, pair: Pair, port: u16) {
    story.passes(&pair.syn(port, 443), "shop", Reason::Clean);
    story.sends(&syn_ack(pair, port), "shop");
}

/// SYN, SYN-ACK, ACK: known from the third packet on.
#[track_caller]
pub fn connect(story: &mut Story, pair: Pair, port: u16) {
    ask(story, pair, port);
    story.passes(&ack(pair, port, ISN + 1), "shop", Reason::KnownFlow);
}

#[test]
fn a_handshake_that_is_completed_makes_a_known_flow() {
    for pair in [from(ANN, SHOP), from(ANN6, SHOP6)] {
        let mut story = Story::of(&policy([shop()]));
        connect(&mut story, pair, 4000);
        story.passes(&pair.tcp(4000, 443, flag::ACK | flag::PSH, b"GET /"), "shop", Reason::KnownFlow);
        // Another port, another customer: nobody has seen these.
        story.passes(&pair.tcp(4001, 443, flag::ACK, b""), "shop", Reason::Clean);
        let facts = [
            Feature::Sent,
            Feature::SynAckSent,
            Feature::Completed,
            Feature::KnownFlow,
            Feature::UnknownFlow,
            Feature::RstSent,
        ];
        assert_eq!(facts.map(|fact| story.feature("shop", fact)), [1, 1, 1, 2, 1, 0]);
    }
}

/// Ports come round: what was proven of an old connection says nothing of the next one.
#[test]
fn the_next_connection_between_the_same_ends_is_proven_anew() {
    let mut story = Story::of(&policy([shop()]));
    let ann = from(ANN, SHOP);
    connect(&mut story, ann, 4000);
    ask(&mut story, ann, 4000);
    story.passes(&ack(ann, 4000, ISN + 9), "shop", Reason::Clean);
    story.passes(&ack(ann, 4000, ISN + 1), "shop", Reason::KnownFlow);
    assert_eq!((story.feature("shop", Feature::Completed), story.feature("shop", Feature::UnknownFlow)), (2, 1));
}

/// A forger does not hear the SYN-ACK, so he cannot name its number; the first right one is the only one.
#[test]
fn a_guessed_acknowledgement_proves_nothing() {
    let mut story = Story::of(&policy([shop()]));
    let ann = from(ANN, SHOP);
    ask(&mut story, ann, 4000);
    for guess in [0, 1, ISN, ISN + 2, !ISN] {
        story.passes(&ack(ann, 4000, guess), "shop", Reason::Clean);
    }
    story.passes(&ack(from(BEN, SHOP), 4000, ISN + 1), "shop", Reason::Clean);
    assert_eq!((story.feature("shop", Feature::Completed), story.feature("shop", Feature::UnknownFlow)), (0, 6));
    story.passes(&ack(ann, 4000, ISN + 1), "shop", Reason::KnownFlow);
    assert_eq!(story.feature("shop", Feature::Completed), 1);
}

/// Who loses the end of his handshake waits for long, and is not put out by whoever comes meanwhile: by two of one place, the older one is.
#[test]
fn two_handshakes_may_wait_in_one_place() {
    let sizes = Sizes { flow_lines: 1, ..Sizes::default() };
    let mut story = Story::with(&policy([shop()]), &sizes);
    let ann = from(ANN, SHOP);
    let asks = |story: &mut Story, port: u16| {
        ask(story, ann, port);
        story.wait(10);
    };
    (4000..4002).for_each(|port| asks(&mut story, port));
    // The answer is sent again: it keeps its place.
    story.sends(&syn_ack(ann, 4001), "shop");
    story.passes(&ack(ann, 4000, ISN + 1), "shop", Reason::KnownFlow);
    story.passes(&ack(ann, 4001, ISN + 1), "shop", Reason::KnownFlow);
    (4002..4005).for_each(|port| asks(&mut story, port));
    story.passes(&ack(ann, 4002, ISN + 1), "shop", Reason::Clean);
    story.passes(&ack(ann, 4003, ISN + 1), "shop", Reason::KnownFlow);
    story.passes(&ack(ann, 4004, ISN + 1), "shop", Reason::KnownFlow);
    assert_eq!((story.feature("shop", Feature::Completed), story.feature("shop", Feature::UnknownFlow)), (4, 1));
}

/// For whoever watches: most customers answer at once, and a flood never.
#[test]
fn a_handshake_that_took_long_is_counted_as_late() {
    let mut story = Story::of(&policy([shop()]));
    let prompt = u64::from(story.env.config().prompt);
    for (i, (waits, late)) in [(0, 0), (prompt, 0), (prompt + 1, 1), (900, 2)].into_iter().enumerate() {
        let (ann, port) = (from(ANN, SHOP), 4000 + i as u16);
        ask(&mut story, ann, port);
        story.wait(waits);
        story.passes(&ack(ann, port, ISN + 1), "shop", Reason::KnownFlow);
        let counted = [Feature::Completed, Feature::CompletedLate].map(|fact| story.feature("shop", fact));
        assert_eq!(counted, [i as u64 + 1, late], "after {waits} ticks");
    }
    // Who gives up has completed nothing, however late.
    let ben = from(BEN, SHOP);
    ask(&mut story, ben, 4000);
    story.wait(prompt + 1);
    story.passes(&ben.segment((4000, 443), flag::RST, (1, 0), b""), "shop", Reason::KnownFlow);
    assert_eq!((story.feature("shop", Feature::Completed), story.feature("shop", Feature::CompletedLate)), (4, 2));
}

/// The client's ACK and question are lost, and it closes before either is sent anew: then all of it comes in one segment, with a FIN. It
/// names the host's number as any ACK does.
#[test]
fn a_first_segment_that_ends_the_connection_too_completes_the_handshake() {
    for pair in [from(ANN, SHOP), from(ANN6, SHOP6)] {
        let mut story = Story::of(&policy([shop()]));
        ask(&mut story, pair, 4000);
        let late = |number| pair.segment((4000, 443), flag::FIN | flag::PSH | flag::ACK, (1, number), b"GET /");
        story.passes(&late(ISN + 2), "shop", Reason::Clean);
        story.passes(&late(ISN + 1), "shop", Reason::KnownFlow);
        story.passes(&late(ISN + 1), "shop", Reason::KnownFlow);
        // A reset completes nothing, whatever it names.
        story.sends(&syn_ack(pair, 4001), "shop");
        story.passes(&pair.segment((4001, 443), flag::RST | flag::ACK, (1, ISN + 1), b""), "shop", Reason::Clean);
        let facts = [Feature::Completed, Feature::KnownFlow, Feature::UnknownFlow];
        assert_eq!(facts.map(|fact| story.feature("shop", fact)), [1, 2, 2]);
    }
}

/// A client that does not wait any more resets a late SYN-ACK. That is no stranger's packet; it proves nothing either.
#[test]
fn who_gives_a_handshake_up_is_no_stranger() {
    let mut story = Story::of(&policy([shop()]));
    let ann = from(ANN, SHOP);
    ask(&mut story, ann, 4000);
    let reset = ann.segment((4000, 443), flag::RST, (1, 0), b"");
    story.passes(&reset, "shop", Reason::KnownFlow);
    story.passes(&reset, "shop", Reason::Clean);
    story.passes(&ack(ann, 4000, ISN + 1), "shop", Reason::Clean);
    let facts = [Feature::Completed, Feature::KnownFlow, Feature::UnknownFlow].map(|fact| story.feature("shop", fact));
    assert_eq!(facts, [0, 1, 2]);
    // Somebody else's reset ends no handshake of hers.
    story.sends(&syn_ack(ann, 4001), "shop");
    story.passes(&from(BEN, SHOP).segment((4001, 443), flag::RST, (1, 0), b""), "shop", Reason::Clean);
    story.passes(&ack(ann, 4001, ISN + 1), "shop", Reason::KnownFlow);
}

/// What a host answers to anyone teaches nothing: SYN-ACKs, RSTs, bare ACKs. What it says only in a connection does.
#[test]
fn what_the_host_says_in_a_connection_teaches_it() {
    let ann = from(ANN, SHOP);
    let probe = ann.tcp(4000, 443, flag::ACK, b"");
    let bare = [flag::ACK, flag::RST, flag::RST | flag::ACK, flag::SYN | flag::ACK];
    let mut story = Story::of(&policy([shop()]));
    for flags in bare {
        story.sends(&ann.back().tcp(443, 4000, flags, b""), "shop");
    }
    story.passes(&probe, "shop", Reason::Clean);
    assert_eq!((story.feature("shop", Feature::RstSent), story.feature("shop", Feature::Sent)), (2, 4));
    for (flags, payload) in [(flag::ACK, &b"page"[..]), (flag::ACK | flag::FIN, b""), (flag::SYN, b"")] {
        let mut story = Story::of(&policy([shop()]));
        story.sends(&ann.back().tcp(443, 4000, flags, payload), "shop");
        story.passes(&probe, "shop", Reason::KnownFlow);
    }
}

/// A forged flood of handshakes never completed, however long, takes nobody's place.
#[test]
fn strangers_neither_fill_the_table_nor_evict() {
    let sizes = Sizes { flow_lines: 4, ..Sizes::default() };
    let mut story = Story::with(&policy([shop()]), &sizes);
    let ann = from(ANN, SHOP);
    connect(&mut story, ann, 4000);
    for i in 0..300u16 {
        let forged = from(&format!("10.{}.{}.9", i >> 8, i & 255), SHOP);
        ask(&mut story, forged, 5000);
        story.passes(&ack(forged, 5000, u32::from(i)), "shop", Reason::Clean);
    }
    story.passes(&ann.tcp(4000, 443, flag::ACK, b"x"), "shop", Reason::KnownFlow);
    assert_eq!(story.feature("shop", Feature::Completed), 1);
}

/// Where proven flows are more than fit, the one that has been silent for longest goes.
#[test]
fn a_full_line_forgets_the_flow_that_was_silent_for_longest() {
    let sizes = Sizes { flow_lines: 1, ..Sizes::default() };
    let mut story = Story::with(&policy([shop()]), &sizes);
    let ann = from(ANN, SHOP);
    let says = |port: u16| ann.back().tcp(443, port, flag::ACK, b"page");
    for port in 0..MARKS as u16 {
        story.sends(&says(4000 + port), "shop");
        story.wait(1 << AGE_SHIFT);
    }
    // The oldest one speaks again, so that the second one is the oldest now.
    story.sends(&says(4000), "shop");
    story.sends(&says(5000), "shop");
    for port in (4000..4000 + MARKS as u16).chain([5000]) {
        let reason = if port == 4001 { Reason::Clean } else { Reason::KnownFlow };
        story.passes(&ann.tcp(port, 443, flag::ACK, b""), "shop", reason);
    }
}

/// The rules of an incident are about strangers; people's own are about everybody.
#[test]
fn an_incidents_rule_does_not_touch_a_known_flow() {
    let mut p = policy([shop()]);
    let own = p.names.intern("nine");
    p.rules = vec![rule(own, "tcp and dport 443 and ttl 9", Mode::Enforce)];
    let mut story = Story::of(&p);
    let (ann, cat) = (from(ANN, SHOP), from(CAT, SHOP));
    connect(&mut story, ann, 4000);
    let wanted = TargetRule {
        id: FIRST + 1,
        matches: "tcp and dport 443".parse().unwrap(),
        mode: Mode::Enforce,
        targets: vec![1],
    };
    story.lay(overlay(story.env.image(), &Asked { rules: vec![wanted], ..Asked::default() }).diff);
    story.passes(&ann.tcp(4000, 443, flag::ACK, b""), "shop", Reason::KnownFlow);
    story.matching(Some(FIRST + 1));
    story.drops(&cat.tcp(4000, 443, flag::ACK, b""), "shop", Reason::Rule);
    story.matching(Some(own));
    let nine = ann.ip_ttl(9, 6, &crate::packet::tcp(4000, 443, flag::ACK));
    story.drops(&nine, "shop", Reason::Rule);
}

/// Under attack without a signature: strangers' packets are limited as a whole, and connections go on.
#[test]
fn strangers_have_a_limit_of_their_own() {
    let mut story = Story::of(&policy([shop()]));
    let (ann, cat) = (from(ANN, SHOP), from(CAT, SHOP));
    connect(&mut story, ann, 4000);
    // Two a second, two at once.
    let cost = u64::from(HZ / 2) << TARGET_UNIT_SHIFT;
    story.limit_strangers("shop", cost, 2 * cost);
    let stray = cat.tcp(9, 443, flag::ACK, b"");
    story.passes(&stray, "shop", Reason::Clean);
    story.passes(&stray, "shop", Reason::Clean);
    for _ in 0..20 {
        story.drops(&stray, "shop", Reason::Strangers);
        story.passes(&ann.tcp(4000, 443, flag::ACK, b"x"), "shop", Reason::KnownFlow);
    }
    // New connections are not strangers' packets: the limits of connections are for them.
    story.passes(&cat.syn(10, 443), "shop", Reason::Clean);
    story.wait(u64::from(HZ) / 2);
    story.passes(&stray, "shop", Reason::Clean);
    story.drops(&stray, "shop", Reason::Strangers);
}

/// A host that asks a name server gets the answer, also where answers from such ports are refused.
#[test]
fn an_answer_to_the_hosts_own_question_is_no_reflection() {
    let mut host = shop();
    host.endpoints = vec![at(SHOP, 0, 0)];
    host.hygiene.reflection = true;
    let mut story = Story::of(&policy([host]));
    let server = from(CAT, SHOP);
    story.drops(&server.udp(53, 40000, b"answer"), "shop", Reason::ReflectionPort);
    story.sends(&server.back().udp(40000, 53, b"question"), "shop");
    story.passes(&server.udp(53, 40000, b"answer"), "shop", Reason::KnownFlow);
    story.drops(&server.udp(53, 40001, b"answer"), "shop", Reason::ReflectionPort);
    story.drops(&from(BEN, SHOP).udp(53, 40000, b"answer"), "shop", Reason::ReflectionPort);
    assert_eq!((story.feature("shop", Feature::Asked), story.feature("shop", Feature::Answered)), (1, 1));
    // What it sends from its own such port may be an answer: counted, and not believed.
    story.sends(&server.back().udp(123, 53, b"answer"), "shop");
    story.drops(&server.udp(53, 123, b"x"), "shop", Reason::ReflectionPort);
    assert_eq!(story.feature("shop", Feature::Asked), 2);
}

/// Nothing is known, and nothing asked, where the host's own packets are not seen.
#[test]
fn without_sight_of_what_the_host_sends_nothing_is_said() {
    let mut story = Story::of(&policy([shop()]));
    story.env.configure(|c| c.connections = 0);
    let ann = from(ANN, SHOP);
    story.sends(&ann.back().tcp(443, 4000, flag::ACK, b"page"), crate::story::NODE);
    story.passes(&ann.tcp(4000, 443, flag::ACK, b""), "shop", Reason::Clean);
    assert_eq!((story.feature("shop", Feature::UnknownFlow), story.feature("shop", Feature::Sent)), (0, 0));
}
