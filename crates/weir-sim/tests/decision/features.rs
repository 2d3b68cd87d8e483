//! Features: what every packet of a target is counted as, dropped ones too.

use weir_abi::{Feature, Reason};
use weir_policy::limits::Rate;

use crate::packet::{Piece, flag, from, tcp_options, udp};
use crate::story::Story;
use crate::world::{ANN, SHOP, at, policy, shop};

fn story() -> Story {
    let mut p = policy([shop()]);
    p.targets[0].endpoints = vec![at(SHOP, 0, 0)];
    Story::of(&p)
}

#[track_caller]
fn expect(frame: &[u8], features: &[Feature]) {
    let story = story();
    let _ = story.env.simulate(&weir_wire::Bytes::new(frame));
    for feature in Feature::ALL.into_iter().filter(|feature| feature.fact().is_none()) {
        assert_eq!(story.feature("shop", feature), u64::from(features.contains(&feature)), "{feature:?}");
    }
}

#[test]
fn each_packet_is_what_it_is() {
    use Feature::*;
    let pair = from(ANN, SHOP);
    expect(&pair.syn(1, 443), &[Syn]);
    expect(&pair.tcp(1, 443, flag::SYN, b""), &[Syn, SynNoOptions]);
    expect(&pair.tcp(1, 443, flag::SYN, b"GET /"), &[Syn, SynNoOptions, SynWithData]);
    let mut zeros = tcp_options(1, 443, flag::SYN, &[2, 4, 5, 180]);
    zeros[6..8].fill(0);
    zeros[14..16].fill(0);
    expect(&pair.ip(6, &zeros), &[Syn, SynSeqLowZero, SynWindowZero]);
    expect(&pair.tcp(1, 443, flag::SYN | flag::ACK, b""), &[SynAck, Small]);
    expect(&pair.tcp(1, 443, flag::RST | flag::ACK, b""), &[Rst, Small]);
    expect(&pair.tcp(1, 443, flag::FIN | flag::ACK, b""), &[Fin, Small]);
    expect(&pair.tcp(1, 443, flag::ACK, &[0; 60]), &[TcpOther]);
    expect(&pair.udp(40000, 443, &[0; 60]), &[Udp]);
    expect(&pair.udp(123, 443, &[0; 60]), &[Udp, UdpReflection]);
    expect(&pair.udp(123, 443, b""), &[Udp, UdpReflection, Small]);
    expect(&pair.echo(), &[Icmp, Small]);
    expect(&pair.ip(47, &[0; 80]), &[OtherProtocol]);
    let first = Piece { id: 1, offset: 0, more: true };
    expect(&pair.piece(first, 17, &udp(1, 443, &[0; 72])), &[Udp, Fragment]);
    expect(&pair.piece(Piece { offset: 80, ..first }, 17, &[0; 72]), &[OtherProtocol, Fragment]);
}

/// An attack that is being dropped must stay visible, or nobody sees it end.
#[test]
fn dropped_packets_are_counted_as_well() {
    let mut p = policy([shop()]);
    p.targets[0].per_source.packets = Some(Rate::per_second(1, 2));
    let mut story = Story::of(&p);
    let syn = from(ANN, SHOP).syn(1, 443);
    story.passes(&syn, "shop", Reason::Clean);
    story.passes(&syn, "shop", Reason::Clean);
    for _ in 0..8 {
        story.drops(&syn, "shop", Reason::SourcePackets);
    }
    assert_eq!(story.feature("shop", Feature::Syn), 10);
}
