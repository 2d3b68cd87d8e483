//! Fragments: the first one of a datagram decides for the rest. What it did not say is limited; what contradicts it is refused.

use weir_abi::Reason;
use weir_policy::limits::Rate;
use weir_policy::model::{Fragments, Verdict};

use crate::packet::{Pair, Piece, flag, from, tcp, udp};
use crate::story::{NODE, Story};
use crate::world::{ANN, ANN6, BEN, SHOP, SHOP6, entry, names, policy, shop};

const FAMILIES: [(&str, &str); 2] = [(ANN, SHOP), (ANN6, SHOP6)];

/// A question of 200 bytes to the name server, in three pieces.
fn question(pair: Pair, id: u32, dport: u16) -> [Vec<u8>; 3] {
    let datagram = udp(40000, dport, &[b'q'; 192]);
    [
        pair.piece(Piece { id, offset: 0, more: true }, 17, &datagram[..80]),
        pair.piece(Piece { id, offset: 80, more: true }, 17, &datagram[80..160]),
        pair.piece(Piece { id, offset: 160, more: false }, 17, &datagram[160..]),
    ]
}

#[test]
fn the_first_fragment_decides_for_the_rest() {
    let mut story = Story::of(&policy([shop(), names()]));
    for (src, dst) in FAMILIES {
        let [first, second, third] = question(from(src, dst), 7, 53);
        story.passes(&first, "names", Reason::Clean);
        // In whatever order they come after it, and twice.
        story.passes(&third, "names", Reason::FragmentFollows);
        story.passes(&second, "names", Reason::FragmentFollows);
        story.passes(&second, "names", Reason::FragmentFollows);
        // Another datagram of the same two hosts.
        let [_, other, _] = question(from(src, dst), 8, 53);
        story.passes(&other, "names", Reason::FragmentUnmatched);
    }
}

#[test]
fn what_the_first_fragment_was_refused_for_the_others_are_refused_for_as_well() {
    let mut p = policy([shop(), names()]);
    p.targets[1].hygiene.reflection = true;
    let mut story = Story::of(&p);
    for (src, dst) in FAMILIES {
        let answer = udp(11211, 53, &[b'a'; 192]);
        let first = from(src, dst).piece(Piece { id: 1, offset: 0, more: true }, 17, &answer[..80]);
        let rest = from(src, dst).piece(Piece { id: 1, offset: 80, more: false }, 17, &answer[80..]);
        story.drops(&first, "names", Reason::ReflectionPort);
        story.drops(&rest, "names", Reason::FragmentFollowsDrop);
        // Ben's datagram has the same number, and is another one.
        if src == ANN {
            let [first, rest, _] = question(from(BEN, dst), 1, 53);
            story.passes(&first, "names", Reason::Clean);
            story.passes(&rest, "names", Reason::FragmentFollows);
        }
    }
}

#[test]
fn a_datagram_to_a_port_that_is_nobodys_passes_as_a_whole() {
    let mut story = Story::of(&policy([shop(), names()]));
    for (src, dst) in FAMILIES {
        let [first, second, third] = question(from(src, dst), 9, 5000);
        story.passes(&first, NODE, Reason::NoTarget);
        story.passes(&second, NODE, Reason::FragmentFollows);
        story.passes(&third, NODE, Reason::FragmentFollows);
    }
}

#[test]
fn a_first_fragment_must_hold_its_transport_header() {
    let mut story = Story::of(&policy([shop(), names()]));
    for (src, dst) in FAMILIES {
        let segment = tcp(40000, 443, flag::SYN);
        let first = from(src, dst).piece(Piece { id: 3, offset: 0, more: true }, 6, &segment[..8]);
        let flags = from(src, dst).piece(Piece { id: 3, offset: 8, more: false }, 6, &segment[8..]);
        story.drops(&first, "names", Reason::FragmentTiny);
        // The piece that the flags stand in, also where its first one was never seen (RFC 1858, RFC 3128).
        story.drops(&flags, "names", Reason::FragmentTiny);
        let unseen = from(src, dst).piece(Piece { id: 4, offset: 8, more: false }, 6, &segment[8..]);
        story.drops(&unseen, "names", Reason::FragmentTiny);
        // Options count as header: where they do not fit, what follows is not known.
        let mut long = tcp(40000, 443, flag::SYN);
        long[12] = 0xf0;
        let cut = from(src, dst).piece(Piece { id: 5, offset: 0, more: true }, 6, &[&long[..], &[1; 20]].concat());
        story.drops(&cut, "names", Reason::FragmentTiny);
    }
}

#[test]
fn a_fragment_that_overwrites_another_one_is_refused() {
    let mut story = Story::of(&policy([shop(), names()]));
    for (src, dst) in FAMILIES {
        let pair = from(src, dst);
        let [first, second, third] = question(pair, 11, 53);
        let piece = |offset, more, bytes: usize| pair.piece(Piece { id: 11, offset, more }, 17, &vec![b'x'; bytes]);
        story.passes(&first, "names", Reason::Clean);
        story.drops(&piece(72, true, 16), "names", Reason::FragmentOverlap);
        story.drops(&piece(8, false, 8), "names", Reason::FragmentOverlap);
        story.passes(&second, "names", Reason::FragmentFollows);
        story.drops(&piece(152, true, 16), "names", Reason::FragmentOverlap);
        story.drops(&piece(80, true, 40), "names", Reason::FragmentOverlap);
        story.drops(&piece(72 + 8, false, 88), "names", Reason::FragmentOverlap);
        // A refused piece is not what the next one is measured by.
        story.passes(&third, "names", Reason::FragmentFollows);
    }
}

#[test]
fn later_fragments_without_a_first_one_are_limited() {
    let mut p = policy([names()]);
    p.targets[0].unmatched_fragments = Rate::per_second(250, 10);
    let mut story = Story::of(&p);
    let [_, _, stray] = question(from(ANN, SHOP), 1, 53);
    for _ in 0..10 {
        story.passes(&stray, "names", Reason::FragmentUnmatched);
    }
    for _ in 0..5 {
        story.drops(&stray, "names", Reason::FragmentUnmatchedLimit);
    }
    // 250 a second at 250 ticks a second: one a tick.
    story.wait(3);
    for _ in 0..3 {
        story.passes(&stray, "names", Reason::FragmentUnmatched);
    }
    story.drops(&stray, "names", Reason::FragmentUnmatchedLimit);
    // Datagrams that come whole, and those whose first fragment was seen, are not touched by that.
    let [first, second, third] = question(from(BEN, SHOP), 2, 53);
    story.passes(&first, "names", Reason::Clean);
    story.passes(&second, "names", Reason::FragmentFollows);
    story.passes(&third, "names", Reason::FragmentFollows);
}

#[test]
fn a_first_fragment_that_comes_late_decides_from_then_on() {
    let mut story = Story::of(&policy([names()]));
    let [first, second, third] = question(from(ANN, SHOP), 21, 53);
    story.passes(&third, "names", Reason::FragmentUnmatched);
    story.passes(&first, "names", Reason::Clean);
    story.passes(&second, "names", Reason::FragmentFollows);
}

#[test]
fn after_the_time_out_the_first_fragment_is_forgotten() {
    let mut story = Story::of(&policy([names()]));
    let [first, second, third] = question(from(ANN, SHOP), 22, 53);
    story.passes(&first, "names", Reason::Clean);
    // 30 seconds are 117 coarse ticks of 64 each.
    story.wait(117 * 64);
    story.passes(&second, "names", Reason::FragmentFollows);
    story.wait(64);
    story.passes(&third, "names", Reason::FragmentUnmatched);
}

#[test]
fn a_target_may_refuse_fragments_or_look_at_each_alone() {
    let mut p = policy([names()]);
    p.targets[0].fragments = Fragments::Drop;
    let mut story = Story::of(&p);
    let [first, second, _] = question(from(ANN, SHOP), 31, 53);
    story.drops(&first, "names", Reason::FragmentRefused);
    story.drops(&second, "names", Reason::FragmentRefused);
    story.passes(&from(ANN, SHOP).udp(1, 53, b"who"), "names", Reason::Clean);
    p.targets[0].fragments = Fragments::Pass;
    story.change(&p);
    story.passes(&first, "names", Reason::Clean);
    story.passes(&second, "names", Reason::Clean);
}

#[test]
fn lists_come_before_what_the_first_fragment_said() {
    let mut p = policy([names()]);
    let mut story = Story::of(&p);
    let [first, second, third] = question(from(ANN, SHOP), 41, 53);
    story.passes(&first, "names", Reason::Clean);
    story.passes(&second, "names", Reason::FragmentFollows);
    p.lists.push(entry("10.1.1.7/32", Verdict::Deny));
    story.change(&p);
    story.drops(&third, NODE, Reason::DenyListed);
}

#[test]
fn lengths_that_no_fragment_can_have_are_malformed() {
    let mut story = Story::of(&policy([names()]));
    for (src, dst) in FAMILIES {
        let pair = from(src, dst);
        let odd = pair.piece(Piece { id: 1, offset: 80, more: true }, 17, &[0; 15]);
        story.drops(&odd, NODE, Reason::FragmentBadLength);
        let ping_of_death = pair.piece(Piece { id: 1, offset: 65_528, more: false }, 17, &[0; 64]);
        story.drops(&ping_of_death, NODE, Reason::FragmentTooLong);
    }
}
