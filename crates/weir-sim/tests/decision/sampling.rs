//! Samples: one in so many of what passes and of what is dropped, and of SYNs that pass more.

use weir_core::process;
use weir_wire::Bytes;

use crate::packet::{flag, from};
use crate::story::Story;
use crate::world::{ANN, ANN6, SHOP, SHOP6, entry, policy, shop};
use weir_policy::model::Verdict;

/// What so many of a frame are sampled for, by their number.
fn weights(story: &Story, frame: &[u8], count: usize) -> Vec<(usize, u32)> {
    let weight = |_| process(&Bytes::new(frame), &story.env.cpu(0)).sample_weight;
    (0..count).map(weight).enumerate().filter(|(_, weight)| *weight != 0).collect()
}

fn story(pass: u32, drop: u32) -> Story {
    let mut p = policy([shop()]);
    p.lists.push(entry("10.9.0.0/16", Verdict::Deny));
    let mut story = Story::of(&p);
    story.env.configure(|config| (config.sample_pass_mask, config.sample_drop_mask) = (pass, drop));
    story
}

#[test]
fn one_in_so_many_stands_for_as_many() {
    let data = from(ANN, SHOP).tcp(1, 443, flag::ACK, b"GET /");
    assert_eq!(weights(&story(7, 0), &data, 24), [(0, 8), (8, 8), (16, 8)], "the first one always");
    assert_eq!(weights(&story(u32::MAX, 0), &data, 24), []);
    let denied = from("10.9.0.1", SHOP).syn(1, 443);
    assert_eq!(weights(&story(0, 15), &denied, 32), [(0, 16), (16, 16)], "a dropped SYN is like all that is dropped");
}

#[test]
fn syns_that_pass_are_sampled_four_times_as_densely() {
    for (who, shop) in [(ANN, SHOP), (ANN6, SHOP6)] {
        let syn = from(who, shop).syn(1, 443);
        assert_eq!(weights(&story(7, u32::MAX), &syn, 8), [(0, 2), (2, 2), (4, 2), (6, 2)], "{who}");
        assert_eq!(weights(&story(3, u32::MAX), &syn, 3), [(0, 1), (1, 1), (2, 1)], "{who}");
        assert_eq!(weights(&story(1, u32::MAX), &syn, 3), [(0, 1), (1, 1), (2, 1)], "{who}");
        assert_eq!(weights(&story(u32::MAX, 0), &syn, 8), [], "{who}");
        // Neither a SYN-ACK nor what is no TCP asks for a connection.
        let answer = from(who, shop).tcp(1, 443, flag::SYN | flag::ACK, b"");
        assert_eq!(weights(&story(7, u32::MAX), &answer, 8), [(0, 8)], "{who}");
        let datagram = from(who, shop).udp(1, 443, &[flag::SYN; 40]);
        assert_eq!(weights(&story(7, u32::MAX), &datagram, 8), [(0, 8)], "{who}");
    }
}
