//! Which target a packet belongs to: from the exact port to whoever answers for the address.

use weir_abi::Reason;
use weir_policy::model::Target;

use crate::packet::{Piece, from};
use crate::story::{NODE, Story};
use crate::world::{ANN, ANN6, SHOP, SHOP6, at, names, policy, shop};

fn target(name: &str, endpoints: Vec<weir_policy::model::Endpoint>) -> Target {
    Target { endpoints, enforce: true, ..Target::new(name) }
}

#[test]
fn the_exact_port_then_the_protocol_then_the_address() {
    let host = "192.0.2.9";
    let mut story = Story::of(&policy([
        target("port", vec![at(host, 443, 6)]),
        target("protocol", vec![at(host, 0, 6)]),
        target("address", vec![at(host, 0, 0)]),
    ]));
    story.passes(&from(ANN, host).syn(1, 443), "port", Reason::Clean);
    story.passes(&from(ANN, host).syn(1, 80), "protocol", Reason::Clean);
    story.passes(&from(ANN, host).udp(1, 443, b""), "address", Reason::Clean);
    story.passes(&from(ANN, host).echo(), "address", Reason::Clean);
    story.passes(&from(ANN, host).ip(89, &[0; 8]), "address", Reason::Clean);
    story.passes(&from(ANN, "192.0.2.10").syn(1, 443), NODE, Reason::NoTarget);
}

/// An address on which only some ports are protected: the others are nobody's, but what has no port has an owner.
#[test]
fn packets_without_a_port_go_to_the_owner_of_the_address() {
    let mut story = Story::of(&policy([shop(), names()]));
    for (src, dst) in [(ANN, SHOP), (ANN6, SHOP6)] {
        story.passes(&from(src, dst).syn(1, 443), "shop", Reason::Clean);
        story.passes(&from(src, dst).udp(1, 53, b"who"), "names", Reason::Clean);
        story.passes(&from(src, dst).syn(1, 444), NODE, Reason::NoTarget);
        story.passes(&from(src, dst).udp(1, 54, b""), NODE, Reason::NoTarget);
        story.passes(&from(src, dst).ip(132, &[0, 1, 1, 187, 0, 0, 0, 0, 0, 0, 0, 0]), NODE, Reason::NoTarget);
        // "names" comes first by name.
        story.passes(&from(src, dst).echo(), "names", Reason::Clean);
        story.passes(&from(src, dst).ip(89, &[0; 8]), "names", Reason::Clean);
        let later = Piece { id: 7, offset: 64, more: false };
        story.passes(&from(src, dst).piece(later, 17, &[0; 8]), "names", Reason::FragmentUnmatched);
    }
}

#[test]
fn a_mapped_address_is_the_ipv4_one() {
    let mut mapped = shop();
    mapped.endpoints = vec![at("::ffff:192.0.2.1", 443, 6)];
    let mut story = Story::of(&policy([mapped]));
    story.passes(&from(ANN, SHOP).syn(1, 443), "shop", Reason::Clean);
    // In an IPv6 header as well: no list or target can be passed by writing an address the other way.
    story.passes(&from(ANN6, "::ffff:192.0.2.1").syn(1, 443), "shop", Reason::Clean);
}
