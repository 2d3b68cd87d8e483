//! SCTP packets.

use super::{ethernet, frame, ip4};

/// An INIT chunk, first packet of an association.
pub fn init() -> Vec<u8> {
    frame(&[
        &ethernet::IP4,
        &ip4::header(132, 20 + 12 + 20),
        &[
            0x0b, 0x59, // source port 2905
            0x0b, 0x5a, // destination port 2906
            0x00, 0x00, 0x00, 0x00, // verification tag: none yet
            0x12, 0x34, 0x56, 0x78, // checksum: not judged
            1, 0, 0x00, 0x14, // chunk: INIT, flags, length 20
            0xca, 0xfe, 0xba, 0xbe, // initiate tag
            0x00, 0x00, 0xff, 0xff, // receiver window
            0x00, 0x0a, 0x00, 0x0a, // streams out and in
            0x00, 0x00, 0x00, 0x01, // first transmission sequence number
        ],
    ])
}

/// All of them.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![("sctp-init", init())]
}
