//! Ethernet II, VLAN tags, ARP, 802.3.

use super::{frame, tcp};

/// Addresses, and IPv4 as what follows.
pub const IP4: [u8; 14] = [
    0x02, 0, 0, 0, 0, 0x02, // destination: locally administered
    0x02, 0, 0, 0, 0, 0x01, // source
    0x08, 0x00, // EtherType: IPv4
];

/// The same with IPv6.
pub const IP6: [u8; 14] = [
    0x02, 0, 0, 0, 0, 0x02, // destination
    0x02, 0, 0, 0, 0, 0x01, // source
    0x86, 0xdd, // EtherType: IPv6
];

/// Destination and source only; the caller adds what follows.
pub const ADDRESSES: [u8; 12] = [
    0x02, 0, 0, 0, 0, 0x02, // destination
    0x02, 0, 0, 0, 0, 0x01, // source
];

/// An 802.1Q tag.
pub const TAG_100: [u8; 4] = [
    0x81, 0x00, // TPID: 802.1Q
    0x60, 0x64, // priority 3, VLAN 100
];

/// An 802.1ad service tag.
pub const TAG_SERVICE_200: [u8; 4] = [
    0x88, 0xa8, // TPID: 802.1ad
    0x00, 0xc8, // VLAN 200
];

/// The service tag's number before the standard.
pub const TAG_OLD_300: [u8; 4] = [
    0x91, 0x00, // TPID: QinQ before 802.1ad
    0x01, 0x2c, // VLAN 300
];

/// EtherType alone: IPv4.
pub const TYPE_IP4: [u8; 2] = [0x08, 0x00];

/// EtherType alone: IPv6.
pub const TYPE_IP6: [u8; 2] = [0x86, 0xdd];

/// An ARP request: who has 192.0.2.1?
pub fn arp() -> Vec<u8> {
    frame(&[
        &[0xff; 6], // destination: broadcast
        &[
            0x02, 0, 0, 0, 0, 0x01, // source
            0x08, 0x06, // EtherType: ARP
            0x00, 0x01, // hardware: Ethernet
            0x08, 0x00, // protocol: IPv4
            6, 4, // address lengths
            0x00, 0x01, // operation: request
            0x02, 0, 0, 0, 0, 0x01, // sender hardware address
            192, 0, 2, 2, // sender protocol address
            0, 0, 0, 0, 0, 0, // target hardware address: asked for
            192, 0, 2, 1, // target protocol address
        ],
    ])
}

/// A spanning tree frame: 802.3 with a length where Ethernet II has its type.
pub fn ieee_802_3() -> Vec<u8> {
    frame(&[&[
        0x01, 0x80, 0xc2, 0, 0, 0, // destination: bridge group
        0x02, 0, 0, 0, 0, 0x01, // source
        0x00, 0x26, // length: 38, below 0x600
        0x42, 0x42, 0x03, // LLC: spanning tree, unnumbered information
        0x00, 0x00, 0x00, 0x00, // BPDU: protocol, version, type: configuration
    ]])
}

/// A TCP SYN under an 802.1Q tag.
pub fn vlan() -> Vec<u8> {
    frame(&[&ADDRESSES, &TAG_100, &TYPE_IP4, &tcp::syn_linux()[14..]])
}

/// A TCP SYN under a service tag and a customer tag.
pub fn qinq() -> Vec<u8> {
    frame(&[&ADDRESSES, &TAG_SERVICE_200, &TAG_100, &TYPE_IP4, &tcp::syn_linux()[14..]])
}

/// A TCP SYN under three tags.
pub fn three_tags() -> Vec<u8> {
    frame(&[&ADDRESSES, &TAG_OLD_300, &TAG_SERVICE_200, &TAG_100, &TYPE_IP4, &tcp::syn_linux()[14..]])
}

/// All of them.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![("arp", arp()), ("ieee-802-3", ieee_802_3()), ("vlan", vlan()), ("qinq", qinq()), ("three-tags", three_tags())]
}
