//! TCP segments.

use super::{ethernet, frame, ip4, ip6};

/// What Linux sends: MSS, SACK permitted, timestamps, padding, window scale.
pub const OPTIONS_LINUX: [u8; 20] = [
    2, 4, 0x05, 0xb4, // maximum segment size 1460
    4, 2, // selective acknowledgements permitted
    8, 10, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, // timestamps: own, echoed
    1, // no operation
    3, 3, 7, // window scale 7
];

/// What Windows sends: no timestamps, and another order.
pub const OPTIONS_WINDOWS: [u8; 12] = [
    2, 4, 0x05, 0xb4, // maximum segment size 1460
    1,    // no operation
    3, 3, 8, // window scale 8
    1, 1, // no operation, twice
    4, 2, // selective acknowledgements permitted
];

/// What macOS sends: the list ends with two zeros.
pub const OPTIONS_MACOS: [u8; 24] = [
    2, 4, 0x05, 0xb4, // maximum segment size 1460
    1,    // no operation
    3, 3, 6, // window scale 6
    1, 1, // no operation, twice
    8, 10, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, // timestamps
    4, 2, // selective acknowledgements permitted
    0, 0, // end of the list
];

/// What nmap's SYN scan and many flood tools send: the segment size alone.
pub const OPTIONS_MSS_ONLY: [u8; 4] = [2, 4, 0x05, 0xb4];

/// What an established Linux connection carries in every segment.
pub const OPTIONS_TIMESTAMPS: [u8; 12] = [
    1, 1, // no operation, twice
    8, 10, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, // timestamps: own, echoed
];

/// A header with the given flags for `options` bytes of options.
pub const fn header(flags: u8, options: usize) -> [u8; 20] {
    [
        0x9c,
        0x40, // source port 40000
        0x00,
        0x50, // destination port 80
        0x01,
        0x02,
        0x03,
        0x04, // sequence number
        0x0a,
        0x0b,
        0x0c,
        0x0d,                           // acknowledgement number
        ((5 + options / 4) as u8) << 4, // data offset in words, reserved bits
        flags,                          // flags
        0xfa,
        0xf0, // window 64240
        0x00,
        0x00, // checksum: not judged
        0x00,
        0x00, // urgent pointer
    ]
}

/// A segment over IPv4.
pub fn over_ip4(flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = 20 + 20 + options.len() + payload.len();
    frame(&[&ethernet::IP4, &ip4::header(6, total as u16), &header(flags, options.len()), options, payload])
}

/// A segment over IPv6.
pub fn over_ip6(flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = 20 + options.len() + payload.len();
    frame(&[&ethernet::IP6, &ip6::header(6, length as u16), &header(flags, options.len()), options, payload])
}

/// The SYN of a Linux client.
pub fn syn_linux() -> Vec<u8> {
    over_ip4(0x02, &OPTIONS_LINUX, b"")
}

/// The SYN of a Windows client; ECN is asked for.
pub fn syn_windows() -> Vec<u8> {
    over_ip4(0xc2, &OPTIONS_WINDOWS, b"")
}

/// A request within an established connection.
pub fn request() -> Vec<u8> {
    over_ip6(0x18, &OPTIONS_TIMESTAMPS, b"GET / HTTP/1.1\r\n\r\n")
}

/// All well-formed ones.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("tcp-syn-linux", syn_linux()),
        ("tcp-syn-windows", syn_windows()),
        ("tcp-syn-macos", over_ip6(0x02, &OPTIONS_MACOS, b"")),
        ("tcp-syn-mss-only", over_ip4(0x02, &OPTIONS_MSS_ONLY, b"")),
        ("tcp-syn-bare", over_ip4(0x02, b"", b"")),
        ("tcp-request", request()),
        ("tcp-options-full", over_ip4(0x10, &[1; 40], b"x")),
        ("tcp-options-lying", over_ip4(0x02, &[2, 40, 0, 0], b"")),
        ("tcp-xmas", over_ip4(0x29, b"", b"")),
    ]
}
