//! Tunnels: with the flag the inner packet is judged, without it the outer one.

use weir_abi::Reason;
use weir_policy::model::{Policy, Verdict};

use crate::packet::{from, geneve, vxlan};
use crate::story::{NODE, Story};
use crate::world::{ANN, ANN6, SHOP, SHOP6, entry, policy, shop};

/// Two nodes of a cluster.
const NODES: (&str, &str) = ("172.16.0.1", "172.16.0.2");

fn cluster(tunnels: bool) -> Policy {
    let mut p = policy([shop()]);
    p.tunnels = tunnels;
    p.lists = vec![entry("10.66.0.0/16", Verdict::Deny)];
    p
}

/// A frame in each of the tunnels.
fn tunnelled(frame: &[u8], v6: bool) -> Vec<Vec<u8>> {
    let outer = from(NODES.0, NODES.1);
    vec![
        outer.udp(50000, 4789, &vxlan(frame)),
        outer.udp(50000, 8472, &vxlan(frame)),
        outer.udp(50000, 6081, &geneve(frame)),
        outer.ip(if v6 { 41 } else { 4 }, &frame[14..]),
        from("fd99::1", "fd99::2").ip(if v6 { 41 } else { 4 }, &frame[14..]),
    ]
}

#[test]
fn the_inner_packet_is_judged_where_that_is_asked_for() {
    let (mut on, mut off) = (Story::of(&cluster(true)), Story::of(&cluster(false)));
    for (src, dst) in [(ANN, SHOP), (ANN6, SHOP6)] {
        for frame in tunnelled(&from(src, dst).syn(1, 443), src == ANN6) {
            on.passes(&frame, "shop", Reason::Clean);
            off.passes(&frame, NODE, Reason::NoTarget);
        }
        for frame in tunnelled(&from(src, dst).tcp(1, 443, 0, b""), src == ANN6) {
            on.drops(&frame, "shop", Reason::TcpNull);
            off.passes(&frame, NODE, Reason::NoTarget);
        }
    }
    for frame in tunnelled(&from("10.66.1.1", SHOP).syn(1, 443), false) {
        on.drops(&frame, NODE, Reason::DenyListed);
        off.passes(&frame, NODE, Reason::NoTarget);
    }
}

#[test]
fn two_tunnels_deep_and_no_deeper() {
    let mut story = Story::of(&cluster(true));
    let syn = from(ANN, SHOP).syn(1, 443);
    let outer = from(NODES.0, NODES.1);
    let one = outer.udp(50000, 4789, &vxlan(&syn));
    let two = outer.udp(50000, 4789, &vxlan(&one));
    let three = outer.udp(50000, 4789, &vxlan(&two));
    story.passes(&one, "shop", Reason::Clean);
    story.passes(&two, "shop", Reason::Clean);
    story.passes(&three, NODE, Reason::TunnelTooDeep);
}

#[test]
fn an_inner_packet_cannot_reach_beyond_its_outer_one() {
    let mut story = Story::of(&cluster(true));
    let syn = from(ANN, SHOP).syn(1, 443);
    for (mut frame, reason) in [
        (from(NODES.0, NODES.1).ip(4, &syn[14..]), Reason::Ip4BadTotalLength),
        (from(NODES.0, NODES.1).udp(50000, 4789, &vxlan(&syn)), Reason::Ip4BadTotalLength),
    ] {
        // The outer length is one byte short of the inner packet's; the byte itself is there.
        let length = u16::from_be_bytes([frame[16], frame[17]]) - 1;
        frame[16..18].copy_from_slice(&length.to_be_bytes());
        if frame[23] == 17 {
            let length = u16::from_be_bytes([frame[38], frame[39]]) - 1;
            frame[38..40].copy_from_slice(&length.to_be_bytes());
        }
        story.drops(&frame, NODE, reason);
    }
    story.drops(&from(NODES.0, NODES.1).udp(50000, 4789, &vxlan(&syn[..13])), NODE, Reason::TunnelTruncated);
    story.drops(
        &from(NODES.0, NODES.1).udp(50000, 6081, &[0x3f, 0, 0x65, 0x58, 0, 0, 0, 0]),
        NODE,
        Reason::TunnelTruncated,
    );
}

#[test]
fn what_only_looks_like_a_tunnel_is_judged_as_it_is() {
    let mut story = Story::of(&cluster(true));
    let outer = from(NODES.0, NODES.1);
    story.passes(&outer.udp(50000, 4789, b"short"), NODE, Reason::NoTarget);
    story.passes(&outer.udp(50000, 4789, &[0; 64]), NODE, Reason::NoTarget);
    story.passes(&outer.udp(50000, 6081, &[0xff; 64]), NODE, Reason::NoTarget);
    // ARP between pods.
    let arp = crate::packet::ethernet(0x0806, &[0; 28]);
    story.passes(&outer.udp(50000, 4789, &vxlan(&arp)), NODE, Reason::NoTarget);
}
