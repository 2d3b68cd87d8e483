//! The SYN challenge: who is asked for proof, what counts as proof, and how long.

use weir_abi::challenge::{EPOCH_SHIFT, PROVEN_UNITS, reply};
use weir_abi::flow::AGE_SHIFT;
use weir_abi::limit::TARGET_UNIT_SHIFT;
use weir_abi::policy::flag as policy_flag;
use weir_abi::{Limit, Reason};
use weir_core::reply::Way;
use weir_policy::model::{Endpoint, Target};
use weir_sim::env::Sizes;
use weir_wire::Bytes;

use crate::packet::{Pair, flag, from, tagged, vxlan};
use crate::story::{HZ, Story};
use crate::world::{ANN, ANN6, BEN, CAT, SHOP, SHOP6, policy, shop};

/// The shop, challenging; two SYNs that come again pass at once, and two a second.
fn challenging(sizes: &Sizes) -> Story {
    let mut story = Story::with(&policy([shop()]), sizes);
    on(&mut story);
    story
}

fn on(story: &mut Story) {
    let mut image = story.env.image().clone();
    let cost = u64::from(HZ / 2) << TARGET_UNIT_SHIFT;
    image.policies[1].flags |= policy_flag::CHALLENGE;
    image.policies[1].retries = Limit { cost, window: 2 * cost };
    story.env.apply(image).unwrap();
    story.env.configure(|c| c.reply = reply::STACK);
}

/// The number that the challenge of a SYN acknowledges.
fn asked(story: &Story, syn: &[u8]) -> u32 {
    let reply = story.env.reply(&Bytes::new(syn), Way::Transmit).expect("a reply");
    let at = if reply[12..14] == [0x86, 0xdd] { 54 } else { 34 };
    u32::from_be_bytes(reply[at + 8..at + 12].try_into().unwrap())
}

fn rst(pair: Pair, port: u16, number: u32) -> Vec<u8> {
    pair.segment((port, 443), flag::RST, (number, 0), b"")
}

#[test]
fn a_source_that_answers_is_let_in_and_is_not_asked_again() {
    for pair in [from(ANN, SHOP), from(ANN6, SHOP6)] {
        let mut story = challenging(&Sizes::default());
        let syn = pair.syn(4000, 443);
        story.drops(&syn, "shop", Reason::Challenged);
        let number = asked(&story, &syn);
        // A guess, and the right answer from another port: no proof.
        story.passes(&rst(pair, 4000, number ^ 1), "shop", Reason::Clean);
        story.passes(&rst(pair, 4001, number), "shop", Reason::Clean);
        story.drops(&syn, "shop", Reason::Challenged);
        story.drops(&rst(pair, 4000, number), "shop", Reason::ChallengeAnswer);
        story.passes(&syn, "shop", Reason::Proven);
        story.passes(&pair.syn(4001, 443), "shop", Reason::Proven);
        story.drops(&from(CAT, SHOP).syn(4000, 443), "shop", Reason::Challenged);
    }
}

/// The answer swaps both ends, names the port of the target, and both checksums are right.
#[test]
fn the_reply_is_a_packet_that_a_stack_takes() {
    let story = challenging(&Sizes::default());
    for (pair, at) in [(from(ANN, SHOP), 34), (from(ANN6, SHOP6), 54)] {
        let syn = tagged(0x8100, 7, &pair.syn(4000, 443));
        let reply = story.env.reply(&Bytes::new(&syn), Way::Transmit).expect("a reply");
        assert_eq!((&reply[..6], &reply[6..12], &reply[12..18]), (&syn[6..12], &syn[..6], &syn[12..18]), "the link");
        let untagged = [&reply[..12], &reply[16..]].concat();
        let tcp = &untagged[at..];
        assert_eq!((&tcp[..4], tcp[12], tcp[13], tcp.len()), (&[1, 187, 15, 160][..], 0x50, 0x12, 20));
        let (ip, back) = (&untagged[14..at], pair.back().syn(443, 4000));
        let addresses = if at == 34 { 12..20 } else { 8..40 };
        assert_eq!(ip[addresses.clone()], back[14..][addresses.clone()], "the ends");
        if at == 34 {
            assert_eq!(sum(ip), 0xffff, "the header's checksum");
        }
        let pseudo = [&ip[addresses], &[0, 6, 0, 20]].concat();
        assert_eq!(sum(&[&pseudo, tcp].concat()), 0xffff, "the segment's checksum");
    }
}

/// The sum of RFC 1071.
fn sum(bytes: &[u8]) -> u32 {
    let sum: u32 = bytes.chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

#[test]
fn a_cookie_is_good_for_this_epoch_and_the_next() {
    let pair = from(ANN, SHOP);
    let syn = pair.syn(4000, 443);
    for (epochs, proves) in [(1, true), (2, false)] {
        let mut story = challenging(&Sizes::default());
        story.drops(&syn, "shop", Reason::Challenged);
        let answer = rst(pair, 4000, asked(&story, &syn));
        story.wait(epochs << EPOCH_SHIFT);
        if proves {
            story.drops(&answer, "shop", Reason::ChallengeAnswer);
        } else {
            story.passes(&answer, "shop", Reason::Clean);
        }
    }
}

/// The answer to a reply that XDP sent itself proves that way; which one it was follows from its cookie.
#[test]
fn an_answer_tells_which_way_its_question_went() {
    let mut ways = std::collections::BTreeSet::new();
    for port in 4000..4040 {
        let mut story = challenging(&Sizes::default());
        story.env.configure(|c| c.reply = reply::PROBE);
        let pair = from(ANN, SHOP);
        let syn = pair.syn(port, 443);
        story.drops(&syn, "shop", Reason::Challenged);
        let number = asked(&story, &syn);
        let by_xdp = weir_core::reply::reply(&Bytes::new(&syn), &story.env.cpu(0), Way::Chosen).unwrap().transmit;
        let reason = if by_xdp { Reason::TransmittedAnswer } else { Reason::ChallengeAnswer };
        story.drops(&rst(pair, port, number), "shop", reason);
        story.passes(&syn, "shop", Reason::Proven);
        ways.insert(by_xdp);
    }
    assert_eq!(ways.len(), 2, "an eighth goes the other way");
}

/// With whom the host talked to the end before the attack has proven as much, and is not asked.
#[test]
fn a_connection_that_the_host_ended_is_proof_and_proof_ends_after_half_an_hour() {
    let mut story = Story::of(&policy([shop()]));
    let pair = from(ANN, SHOP);
    story.passes(&pair.syn(4000, 443), "shop", Reason::Clean);
    story.sends(&pair.back().segment((443, 4000), flag::SYN | flag::ACK, (77, 1), b""), "shop");
    story.passes(&pair.segment((4000, 443), flag::ACK, (1, 78), b""), "shop", Reason::KnownFlow);
    story.sends(&pair.back().tcp(443, 4000, flag::ACK | flag::FIN, b""), "shop");
    on(&mut story);
    story.wait(u64::from(PROVEN_UNITS - 1) << AGE_SHIFT);
    story.passes(&pair.syn(4001, 443), "shop", Reason::Proven);
    story.drops(&from(BEN, SHOP).syn(4001, 443), "shop", Reason::Challenged);
    story.wait(2 << AGE_SHIFT);
    story.drops(&pair.syn(4002, 443), "shop", Reason::Challenged);
}

/// The target's own SYN-ACK counts and is learned from; the challenge in its place is neither.
#[test]
fn a_challenge_on_its_way_out_is_not_taken_for_the_hosts_word() {
    use weir_abi::Feature;
    let mut story = challenging(&Sizes::default());
    let pair = from(ANN, SHOP);
    let syn = pair.syn(4000, 443);
    story.drops(&syn, "shop", Reason::Challenged);
    let challenge = story.env.reply(&Bytes::new(&syn), Way::Chosen).expect("a reply");
    story.sends(&challenge, "shop");
    assert_eq!(story.feature("shop", Feature::SynAckSent), 0);
    let number = u32::from_be_bytes(challenge[38..42].try_into().unwrap());
    story.passes(&pair.segment((4000, 443), flag::ACK, (1, number.wrapping_add(1)), b""), "shop", Reason::Clean);
    story.sends(&pair.back().segment((443, 4000), flag::SYN | flag::ACK, (77, 1), b""), "shop");
    assert_eq!(story.feature("shop", Feature::SynAckSent), 1);
}

/// Behind a firewall that swallows the odd answer: the same SYN passes when it comes again as a stack would send it.
#[test]
fn the_same_syn_passes_after_a_plausible_time_and_not_many_do() {
    let mut story = challenging(&Sizes::default());
    let (least, most) = (u64::from(story.env.config().retry_least), u64::from(story.env.config().retry_most));
    let clients: Vec<Pair> = (0..4).map(|i| from(&format!("10.9.{i}.1"), SHOP)).collect();
    let syn = |i: usize, seq: u32| clients[i].segment((4000, 443), flag::SYN, (seq, 0), b"");
    for i in 0..4 {
        story.drops(&syn(i, 5), "shop", Reason::Challenged);
    }
    story.wait(least - 1);
    story.drops(&syn(0, 5), "shop", Reason::Challenged);
    story.wait(1);
    // Another number is another connection.
    story.drops(&syn(0, 6), "shop", Reason::Challenged);
    story.passes(&syn(0, 5), "shop", Reason::ChallengeRetry);
    story.passes(&syn(1, 5), "shop", Reason::ChallengeRetry);
    story.drops(&syn(2, 5), "shop", Reason::Challenged);
    story.wait(u64::from(HZ));
    story.passes(&syn(2, 5), "shop", Reason::ChallengeRetry);
    story.wait(most);
    story.drops(&syn(3, 5), "shop", Reason::Challenged);
}

/// A flood cannot push out who waits for his second try: a slot is held for as long as that takes.
#[test]
fn a_flood_takes_free_slots_only() {
    let sizes = Sizes { retry_slots: 1, ..Sizes::default() };
    let mut story = challenging(&sizes);
    let syn = from(ANN, SHOP).segment((4000, 443), flag::SYN, (5, 0), b"");
    story.drops(&syn, "shop", Reason::Challenged);
    let least = u64::from(story.env.config().retry_least);
    for i in 0..200u16 {
        story.drops(&from(&format!("10.8.{i}.1"), SHOP).syn(i + 1, 443), "shop", Reason::Challenged);
    }
    story.wait(least);
    story.passes(&syn, "shop", Reason::ChallengeRetry);
    story.wait(least);
    story.drops(&from(CAT, SHOP).syn(1, 443), "shop", Reason::Challenged);
    story.drops(&syn, "shop", Reason::Challenged);
}

/// What cannot be answered is not let in either: an attacker would only have to add an option. What a node sends in its tunnel is
/// not asked.
#[test]
fn a_syn_that_cannot_be_answered_is_refused_and_one_in_a_tunnel_is_not_asked() {
    let mut story = challenging(&Sizes::default());
    let whole = from(ANN, SHOP).syn(4000, 443);
    let mut options = [&whole[..34], &[1, 1, 1, 1], &whole[34..]].concat();
    options[14] = 0x46;
    options[17] += 4;
    story.drops(&options, "shop", Reason::Unchallengeable);
    story.wait(u64::from(HZ));
    story.drops(&options, "shop", Reason::Unchallengeable);
    story.env.configure(|c| c.flags |= weir_abi::config::node_flag::TUNNELS);
    let inner = from("10.5.0.1", "10.5.0.2").udp(4789, 4789, &vxlan(&from(BEN, SHOP).syn(4000, 443)));
    story.passes(&inner, "shop", Reason::Clean);
}

/// Nothing else is asked for proof, and nobody where the owner observes or no answer can leave.
#[test]
fn only_syns_are_challenged_and_only_where_an_answer_can_leave() {
    let pair = from(ANN, SHOP);
    let mut story = challenging(&Sizes::default());
    story.passes(&pair.tcp(4000, 443, flag::ACK, b"x"), "shop", Reason::Clean);
    story.passes(&pair.tcp(4000, 443, flag::SYN | flag::ACK, b""), "shop", Reason::Clean);
    story.env.configure(|c| c.reply = reply::NONE);
    story.passes(&pair.syn(4000, 443), "shop", Reason::Clean);

    let mut watched = policy([Target { enforce: false, ..shop() }]);
    watched.targets[0].endpoints.retain(|e: &Endpoint| e.addr.is_ipv4());
    let mut story = Story::of(&watched);
    on(&mut story);
    let syn = pair.syn(4000, 443);
    story.would_drop(&syn, "shop", Reason::Challenged);
    let answer = rst(pair, 4000, asked(&story, &syn));
    story.passes(&answer, "shop", Reason::Clean);
}

/// A forged flood does not use up what the target takes of new connections; a source's own limit comes first.
#[test]
fn the_targets_limit_is_for_those_who_have_proven_themselves() {
    let mut story = challenging(&Sizes::default());
    let mut image = story.env.image().clone();
    let cost = u64::from(HZ) << TARGET_UNIT_SHIFT;
    image.policies[1].target.syns = Limit { cost, window: cost };
    story.env.apply(image).unwrap();
    let pair = from(ANN, SHOP);
    let syn = pair.syn(4000, 443);
    for i in 0..50 {
        story.drops(&from(&format!("10.8.{i}.1"), SHOP).syn(i + 1, 443), "shop", Reason::Challenged);
    }
    story.drops(&syn, "shop", Reason::Challenged);
    let answer = rst(pair, 4000, asked(&story, &syn));
    story.drops(&answer, "shop", Reason::ChallengeAnswer);
    story.passes(&syn, "shop", Reason::Proven);
    story.drops(&syn, "shop", Reason::TargetSyns);
}
