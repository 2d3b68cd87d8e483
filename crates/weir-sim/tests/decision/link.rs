//! Below IP: what always passes, what cannot be judged, VLAN tags, and frames that end too early.

use weir_abi::Reason;
use weir_policy::model::Verdict;
use weir_sim::env::{SimEnv, Sizes};
use weir_wire::Bytes;

use crate::packet::{ethernet, from, tagged};
use crate::story::{NODE, Story};
use crate::world::{ANN, ANN6, SHOP, SHOP6, entry, policy, shop};

/// A node that denies everybody.
fn closed() -> Story {
    let mut p = policy([shop()]);
    p.lists = vec![entry("0.0.0.0/0", Verdict::Deny), entry("::/0", Verdict::Deny)];
    Story::of(&p)
}

#[test]
fn a_closed_node_still_finds_its_neighbours() {
    let mut story = closed();
    story.passes(&ethernet(0x0806, &[0; 28]), NODE, Reason::Arp);
    story.passes(&ethernet(0x8035, &[0; 28]), NODE, Reason::Arp);
    story.passes(&tagged(0x8100, 100, &ethernet(0x0806, &[0; 28])), NODE, Reason::Arp);
    for kind in 133..=137 {
        let message = [kind, 0, 0, 0, 0, 0, 0, 0];
        story.passes(&from("fe80::1", "ff02::1").ip_ttl(255, 58, &message), NODE, Reason::NeighbourDiscovery);
        // It came over a router: a forgery.
        story.drops(&from("fe80::1", "ff02::1").ip_ttl(254, 58, &message), NODE, Reason::DenyListed);
    }
    story.drops(&from(ANN6, SHOP6).ip_ttl(255, 58, &[128, 0, 0, 0, 0, 0, 0, 0]), NODE, Reason::DenyListed);
    // The number means nothing in IPv4.
    story.drops(&from(ANN, SHOP).ip_ttl(255, 58, &[135, 0, 0, 0, 0, 0, 0, 0]), NODE, Reason::DenyListed);
}

#[test]
fn what_is_not_ip_passes_and_is_counted() {
    let mut story = closed();
    for ethertype in [0x88cc, 0x8847, 0x888e, 0x0600, 0xffff] {
        story.passes(&ethernet(ethertype, &[0; 46]), NODE, Reason::UnknownEtherType);
    }
    for length in [0, 38, 0x05ff] {
        story.passes(&ethernet(length, &[0x42; 46]), NODE, Reason::NotForUs);
    }
}

#[test]
fn tags_are_looked_through_up_to_two() {
    let mut story = Story::of(&policy([shop()]));
    for (src, dst) in [(ANN, SHOP), (ANN6, SHOP6)] {
        let frame = from(src, dst).syn(1, 443);
        let one = tagged(0x8100, 100, &frame);
        let two = tagged(0x88a8, 200, &one);
        let three = tagged(0x9100, 300, &two);
        story.passes(&one, "shop", Reason::Clean);
        story.passes(&two, "shop", Reason::Clean);
        story.passes(&three, NODE, Reason::VlanTooDeep);
        story.drops(&one[..16], NODE, Reason::VlanTruncated);
        story.drops(&two[..19], NODE, Reason::VlanTruncated);
    }
}

#[test]
fn frames_that_end_too_early_are_named() {
    let mut story = Story::of(&policy([shop()]));
    let (four, six) = (from(ANN, SHOP).syn(1, 443), from(ANN6, SHOP6).syn(1, 443));
    for cut in [0, 1, 13] {
        story.drops(&four[..cut], NODE, Reason::EthernetTruncated);
    }
    story.drops(&four[..14], NODE, Reason::Ip4Truncated);
    story.drops(&four[..33], NODE, Reason::Ip4Truncated);
    story.drops(&four[..34], NODE, Reason::Ip4BadTotalLength);
    story.drops(&six[..53], NODE, Reason::Ip6Truncated);
    story.drops(&six[..60], NODE, Reason::Ip6BadLength);
    story.drops(&from(ANN, SHOP).ip(6, &[0; 19]), NODE, Reason::TcpTruncated);
    story.drops(&from(ANN, SHOP).ip(6, &[0; 20]), NODE, Reason::TcpBadOffset);
    story.drops(&from(ANN, SHOP).ip(17, &[0; 7]), NODE, Reason::UdpTruncated);
    story.drops(&from(ANN, SHOP).ip(17, &[0, 1, 0, 1, 0, 7, 0, 0]), NODE, Reason::UdpBadLength);
    story.drops(&from(ANN, SHOP).ip(1, &[0; 7]), NODE, Reason::IcmpTruncated);
    story.drops(&from(ANN, SHOP).ip(132, &[0; 11]), NODE, Reason::SctpTruncated);
    let mut versions = four.clone();
    versions[14] = 0x55;
    story.drops(&versions, NODE, Reason::Ip4BadVersion);
    versions[14] = 0x44;
    story.drops(&versions, NODE, Reason::Ip4BadHeaderLength);
    let mut version = six.clone();
    version[14] = 0x40;
    story.drops(&version, NODE, Reason::Ip6BadVersion);
    story.drops(&from(ANN6, SHOP6).ip(60, &[6, 1, 0, 0, 0, 0, 0, 0]), NODE, Reason::Ip6ExtensionTruncated);
    let seven = [60, 0, 1, 4, 0, 0, 0, 0].repeat(7);
    story.drops(&from(ANN6, SHOP6).ip(60, &seven), NODE, Reason::Ip6ExtensionTooMany);
}

/// A snapped capture: headers that existed and were not kept.
#[test]
fn what_was_not_captured_is_not_malformed() {
    let story = Story::of(&policy([shop()]));
    let frame = from(ANN, SHOP).syn(1, 443);
    for cut in 0..54 {
        let outcome = story.env.simulate(&Bytes::snapped(&frame[..cut], frame.len()));
        assert_eq!((outcome.reason(), outcome.drop), (Reason::Unreadable, false), "{cut} bytes");
    }
    assert_eq!(story.env.simulate(&Bytes::snapped(&frame[..54], frame.len())).reason(), Reason::Clean);
    let (unreadable, clean) =
        (story.env.counter(0, false, Reason::Unreadable), story.env.counter(1, false, Reason::Clean));
    assert_eq!((unreadable.packets, unreadable.bytes), (54, 54 * frame.len() as u64));
    assert_eq!((clean.packets, clean.bytes), (1, frame.len() as u64));
    assert_eq!(story.env.counters().len(), 2);
}

/// Tun devices and raw captures.
#[test]
fn without_a_link_header_the_first_byte_tells_the_family() {
    let image = crate::story::tables(&policy([shop()]), 0, None);
    let mut env = SimEnv::new(image, &Sizes::default()).unwrap();
    env.configure(|c| c.flags |= weir_abi::config::node_flag::NO_LINK);
    for (frame, reason) in [
        (from(ANN, SHOP).syn(1, 443), Reason::Clean),
        (from(ANN6, SHOP6).syn(1, 443), Reason::Clean),
        (from(ANN, "192.0.2.99").syn(1, 443), Reason::NoTarget),
    ] {
        assert_eq!(env.simulate(&Bytes::new(&frame[14..])).reason(), reason);
    }
    assert_eq!(env.simulate(&Bytes::new(&[0x50; 40])).reason(), Reason::NotForUs);
    assert_eq!(env.simulate(&Bytes::new(&[])).reason(), Reason::NotForUs);
}
