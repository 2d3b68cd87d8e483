//! What no honest sender sends: each filter with the packet it is for, the packet it must leave alone, and itself switched off.

use weir_abi::Reason;
use weir_policy::model::Hygiene;

use crate::packet::{flag, from};
use crate::story::Story;
use crate::world::{ANN, ANN6, SHOP, SHOP6, names, policy, shop};

const OFF: Hygiene = Hygiene { tcp_flags: false, land: false, port_zero: false, bogons: false, reflection: false };

/// The shop and the name server with these filters.
fn with(hygiene: Hygiene) -> Story {
    let mut p = policy([shop(), names()]);
    p.targets.iter_mut().for_each(|t| t.hygiene = hygiene);
    // The whole address: ICMP, other protocols and port zero belong to the shop then.
    p.targets[0].endpoints.extend([crate::world::at(SHOP, 0, 0), crate::world::at(SHOP6, 0, 0)]);
    Story::of(&p)
}

#[test]
fn impossible_tcp_flags_have_a_name_each() {
    use flag::*;
    let impossible = [
        (0, Reason::TcpNull),
        (FIN | PSH | URG, Reason::TcpXmas),
        (SYN | FIN, Reason::TcpSynFin),
        (SYN | FIN | ACK, Reason::TcpSynFin),
        (SYN | FIN | RST, Reason::TcpSynFin),
        (SYN | RST, Reason::TcpSynRst),
        (FIN | RST, Reason::TcpFinRst),
        (FIN, Reason::TcpFinNoAck),
        (FIN | URG, Reason::TcpFinNoAck),
        (URG, Reason::TcpUrgNoAck),
        (PSH, Reason::TcpUrgNoAck),
    ];
    let (mut on, mut off) = (with(Hygiene { tcp_flags: true, ..OFF }), with(OFF));
    for (src, dst) in [(ANN, SHOP), (ANN6, SHOP6)] {
        for (flags, reason) in impossible {
            // ECN bits change nothing.
            for ecn in [0, 0x40, 0x80, 0xc0] {
                let frame = from(src, dst).tcp(1, 443, flags | ecn, b"");
                on.drops(&frame, "shop", reason);
                off.passes(&frame, "shop", Reason::Clean);
            }
        }
    }
}

#[test]
fn every_other_combination_passes() {
    use flag::*;
    let mut story = with(Hygiene { tcp_flags: true, ..OFF });
    let honest = [
        SYN,
        SYN | ACK,
        SYN | PSH,
        SYN | 0xc0,
        ACK,
        ACK | PSH,
        ACK | URG,
        ACK | FIN,
        ACK | FIN | PSH,
        RST,
        RST | ACK,
        RST | PSH,
        FIN | RST | ACK,
        ACK | PSH | URG | FIN,
    ];
    for flags in honest {
        story.passes(&from(ANN, SHOP).tcp(1, 443, flags, b"x"), "shop", Reason::Clean);
    }
}

#[test]
fn a_packet_from_itself_is_a_land_attack() {
    let (mut on, mut off) = (with(Hygiene { land: true, ..OFF }), with(OFF));
    for (src, other) in [(SHOP, ANN), (SHOP6, ANN6)] {
        for frame in [from(src, src).syn(443, 443), from(src, src).echo(), from(src, src).ip(47, &[0; 8])] {
            on.drops(&frame, "shop", Reason::Land);
            off.passes(&frame, "shop", Reason::Clean);
        }
        // A host may well talk to itself between two ports.
        on.passes(&from(src, src).syn(40000, 443), "shop", Reason::Clean);
        on.passes(&from(other, src).syn(443, 443), "shop", Reason::Clean);
    }
}

#[test]
fn sources_that_nobody_can_have() {
    let (mut on, mut off) = (with(Hygiene { bogons: true, ..OFF }), with(OFF));
    let bogons = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.77",
        "198.51.100.9",
        "203.0.113.200",
        "198.18.0.0",
        "198.19.255.255",
    ];
    let honest = [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "1.1.1.1",
        "126.0.0.1",
        "128.0.0.1",
        "223.255.255.255",
        "192.0.3.1",
        "198.20.0.0",
        "198.17.255.255",
        "169.254.0.1",
    ];
    let bogons6 = ["::", "::1", "::2", "ff02::1", "2001:db8::2", "2001:db8:ffff::1", "64::1"];
    let honest6 = ["fd00::1", "fe80::1", "2001:db7::1", "2001:db9::1", "2a00::1", "100::1"];
    for src in bogons {
        on.drops(&from(src, SHOP).syn(1, 443), "shop", Reason::BogonSource);
        off.passes(&from(src, SHOP).syn(1, 443), "shop", Reason::Clean);
    }
    for src in bogons6 {
        on.drops(&from(src, SHOP6).syn(1, 443), "shop", Reason::BogonSource);
        off.passes(&from(src, SHOP6).syn(1, 443), "shop", Reason::Clean);
    }
    for src in honest {
        on.passes(&from(src, SHOP).syn(1, 443), "shop", Reason::Clean);
    }
    for src in honest6 {
        on.passes(&from(src, SHOP6).syn(1, 443), "shop", Reason::Clean);
    }
}

#[test]
fn answers_of_services_that_reflect() {
    let (mut on, mut off) = (with(Hygiene { reflection: true, ..OFF }), with(OFF));
    for (src, dst) in [(ANN, SHOP), (ANN6, SHOP6)] {
        for port in [17, 19, 53, 123, 389, 1900, 11211] {
            on.drops(&from(src, dst).udp(port, 53, b"much"), "names", Reason::ReflectionPort);
            off.passes(&from(src, dst).udp(port, 53, b"much"), "names", Reason::Clean);
            // The same number means nothing in TCP.
            on.passes(&from(src, dst).syn(port, 443), "shop", Reason::Clean);
        }
        on.passes(&from(src, dst).udp(40000, 53, b"who"), "names", Reason::Clean);
    }
}

#[test]
fn port_zero() {
    let (mut on, mut off) = (with(Hygiene { port_zero: true, ..OFF }), with(OFF));
    for (src, dst) in [(ANN, SHOP), (ANN6, SHOP6)] {
        for frame in [from(src, dst).syn(0, 443), from(src, dst).syn(40000, 0), from(src, dst).udp(40000, 0, b"")] {
            on.drops(&frame, "shop", Reason::PortZero);
            off.passes(&frame, "shop", Reason::Clean);
        }
        // A datagram from port zero wants no answer (RFC 768).
        on.passes(&from(src, dst).udp(0, 53, b""), "names", Reason::Clean);
        on.passes(&from(src, dst).echo(), "shop", Reason::Clean);
    }
}

#[test]
fn protocols_that_the_target_does_not_serve() {
    let mut p = policy([shop()]);
    p.targets[0].endpoints = vec![crate::world::at(SHOP, 0, 0), crate::world::at(SHOP6, 0, 0)];
    p.targets[0].served = vec![6, 58, 132];
    let mut story = Story::of(&p);
    story.passes(&from(ANN, SHOP).syn(1, 443), "shop", Reason::Clean);
    story.drops(&from(ANN, SHOP).udp(1, 443, b""), "shop", Reason::ProtocolNotServed);
    story.drops(&from(ANN, SHOP).echo(), "shop", Reason::ProtocolNotServed);
    story.passes(&from(ANN6, SHOP6).echo(), "shop", Reason::Clean);
    story.passes(&from(ANN, SHOP).ip(132, &[0; 12]), "shop", Reason::Clean);
    for proto in [0, 2, 47, 50, 89, 255] {
        story.drops(&from(ANN, SHOP).ip(proto, &[0; 8]), "shop", Reason::ProtocolNotServed);
    }
}
