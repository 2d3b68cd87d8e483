//! IPv4 headers.

use super::{ethernet, frame, udp};

/// A header without options: 192.0.2.1 to 198.51.100.2, with the given protocol and total length.
pub const fn header(proto: u8, total: u16) -> [u8; 20] {
    let [high, low] = total.to_be_bytes();
    [
        0x45, // version 4, header of 5 words
        0x00, // type of service
        high, low, // total length
        0x12, 0x34, // identification
        0x40, 0x00,  // don't fragment, offset 0
        64,    // time to live
        proto, // protocol
        0x00, 0x00, // checksum: not judged
        192, 0, 2, 1, // source
        198, 51, 100, 2, // destination
    ]
}

/// Router alert and padding: a header of six words.
pub const ROUTER_ALERT: [u8; 4] = [
    0x94, // option: copied, control, number 20
    0x04, // its length
    0x00, 0x00, // value: look at this packet
];

/// A UDP datagram behind an option.
pub fn with_option() -> Vec<u8> {
    let mut ip = header(17, 24 + 8 + 4);
    ip[0] = 0x46; // header of six words
    ip[1] = 0xb8; // expedited forwarding
    ip[4] = 0;
    ip[5] = 0; // identification 0
    frame(&[&ethernet::IP4, &ip, &ROUTER_ALERT, &udp::header(5000, 53, 12), b"weir"])
}

/// A UDP datagram behind the longest option list there can be: 40 bytes.
pub fn with_all_options() -> Vec<u8> {
    let mut ip = header(17, 60 + 8 + 4);
    ip[0] = 0x4f; // header of fifteen words
    let mut options = [1; 40]; // no operation, forty times
    options[39] = 0; // end of the list
    frame(&[&ethernet::IP4, &ip, &options, &udp::header(5000, 53, 12), b"weir"])
}

/// A protocol without ports: OSPF.
pub fn ospf() -> Vec<u8> {
    frame(&[&ethernet::IP4, &header(89, 20 + 8), &[2, 1, 0, 8, 10, 0, 0, 1]])
}

/// A short datagram, filled up to the 60 bytes that Ethernet wants.
pub fn padded() -> Vec<u8> {
    frame(&[&ethernet::IP4, &header(17, 20 + 8 + 4), &udp::header(5000, 53, 12), b"weir", &[0xee; 14]])
}

/// All of them.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ip4-option", with_option()),
        ("ip4-all-options", with_all_options()),
        ("ip4-ospf", ospf()),
        ("ip4-padded", padded()),
    ]
}
