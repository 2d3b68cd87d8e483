//! Classic captures: every byte order and resolution, the oddities that exist, and every way to be cut.

use proptest::collection::vec;
use proptest::prelude::*;
use std::io::Cursor;
use weir_sim::link::LinkType;
use weir_sim::pcap::{Capture, CaptureError, Fault, Record};

/// A file header: microseconds, little-endian, Ethernet.
const HEADER: [u8; 24] = [
    0xd4, 0xc3, 0xb2, 0xa1, // magic: microseconds, little-endian
    2, 0, 4, 0, // version 2.4
    0, 0, 0, 0, // time zone: never used
    0, 0, 0, 0, // accuracy: never used
    0xff, 0xff, 0, 0, // snapshot length 65535
    1, 0, 0, 0, // link type: Ethernet
];

/// A record: 7.000008 s, four of 60 bytes.
const RECORD: [u8; 20] = [
    7, 0, 0, 0, // seconds
    8, 0, 0, 0, // microseconds
    4, 0, 0, 0, // captured
    60, 0, 0, 0, // original length
    0xde, 0xad, 0xbe, 0xef, // data
];

/// Everything that can be read, and the error if there is one.
fn read(bytes: &[u8]) -> (Vec<Record>, Option<CaptureError>) {
    let capture = match Capture::new(Cursor::new(bytes.to_vec()), "test.pcap") {
        Ok(capture) => capture,
        Err(e) => return (Vec::new(), Some(e)),
    };
    let mut records = Vec::new();
    let mut error = None;
    for item in capture {
        assert!(error.is_none(), "nothing follows an error");
        match item {
            Ok(record) => records.push(record),
            Err(e) => error = Some(e),
        }
    }
    (records, error)
}

#[test]
fn a_record_is_read() {
    let (records, error) = read(&[&HEADER[..], &RECORD].concat());
    assert!(error.is_none());
    assert_eq!(
        records,
        [Record {
            time_ns: 7_000_008_000,
            link: LinkType::Ethernet,
            original_length: 60,
            data: vec![0xde, 0xad, 0xbe, 0xef],
        }]
    );
}

#[test]
fn an_empty_capture_has_no_records_and_no_error() {
    let (records, error) = read(&HEADER);
    assert!(records.is_empty() && error.is_none());
}

#[test]
fn nanoseconds_have_another_magic() {
    let mut header = HEADER;
    header[..4].copy_from_slice(&[0x4d, 0x3c, 0xb2, 0xa1]);
    assert_eq!(read(&[&header[..], &RECORD].concat()).0[0].time_ns, 7_000_000_008);
}

#[test]
fn big_endian_captures_are_read() {
    let mut bytes = [&HEADER[..], &RECORD].concat();
    for field in [0..4, 4..6, 6..8, 16..20, 20..24, 24..28, 28..32, 32..36, 36..40] {
        bytes[field].reverse();
    }
    let (records, error) = read(&bytes);
    assert!(error.is_none());
    assert_eq!(records, read(&[&HEADER[..], &RECORD].concat()).0);
}

#[test]
fn a_patched_librarys_longer_records_are_read() {
    let mut header = HEADER;
    header[..4].copy_from_slice(&[0x34, 0xcd, 0xb2, 0xa1]);
    let extra = [9, 0, 0, 0, 0, 8, 0, 1]; // interface, protocol, packet type, padding
    let (records, error) =
        read(&[&header[..], &RECORD[..16], &extra, &RECORD[16..], &RECORD[..16], &extra, &RECORD[16..]].concat());
    assert!(error.is_none());
    assert_eq!((records.len(), &records[1].data[..]), (2, &[0xde, 0xad, 0xbe, 0xef][..]));
}

#[test]
fn versions_before_2_4_have_the_lengths_exchanged() {
    let mut record = RECORD;
    record[8..16].rotate_left(4);
    for (minor, record) in [(2, record), (3, record), (3, RECORD)] {
        let mut header = HEADER;
        header[6] = minor;
        let (records, error) = read(&[&header[..], &record].concat());
        assert!(error.is_none());
        assert_eq!((records[0].data.len(), records[0].original_length), (4, 60), "version 2.{minor}");
    }
}

#[test]
fn what_is_odd_and_harmless_is_read() {
    // Longer than the snapshot length, an original length below the captured one, more than a million microseconds.
    let mut header = HEADER;
    header[16..20].copy_from_slice(&[2, 0, 0, 0]);
    let mut record = RECORD;
    record[12] = 0;
    record[4..8].copy_from_slice(&2_000_000u32.to_le_bytes());
    let (records, error) = read(&[&header[..], &record].concat());
    assert!(error.is_none());
    assert_eq!((records[0].time_ns, records[0].original_length), (9_000_000_000, 4));
    // Bits above the link type say whether there is a frame check sequence.
    header[23] = 0x50;
    assert_eq!(read(&[&header[..], &record].concat()).0[0].link, LinkType::Ethernet);
}

#[test]
fn a_cut_capture_yields_what_is_whole_and_says_where_it_ends() {
    let bytes = [&HEADER[..], &RECORD, &RECORD].concat();
    for n in 0..bytes.len() {
        let (records, error) = read(&bytes[..n]);
        let whole = n.saturating_sub(HEADER.len()) / RECORD.len();
        assert_eq!(records.len(), whole, "{n} bytes");
        let at_boundary = n >= HEADER.len() && (n - HEADER.len()).is_multiple_of(RECORD.len());
        assert_eq!(error.is_none(), at_boundary, "{n} bytes");
        if let Some(e) = error {
            assert!(matches!(e.fault, Fault::Truncated { .. } | Fault::Empty), "{n} bytes: {e}");
            if n >= HEADER.len() {
                assert_eq!((e.record, e.position), (whole as u64 + 1, (HEADER.len() + whole * RECORD.len()) as u64));
            }
        }
    }
}

#[test]
fn errors_name_file_record_position_and_cause() {
    let bytes = [&HEADER[..], &RECORD, &RECORD[..18]].concat();
    assert_eq!(
        read(&bytes).1.unwrap().to_string(),
        "test.pcap: record 2 at byte 44: the capture is cut: 4 bytes are announced, 2 are there"
    );
    let mut corrupt = RECORD;
    corrupt[11] = 0x80;
    assert_eq!(
        read(&[&HEADER[..], &corrupt].concat()).1.unwrap().to_string(),
        "test.pcap: record 1 at byte 24: corrupt: a record of 2147483652 bytes"
    );
    assert_eq!(
        read(b"GIF89a").1.unwrap().to_string(),
        "test.pcap: at byte 4: not a capture: starts with [47, 49, 46, 38]; pcap and pcapng are read"
    );
    assert_eq!(read(b"").1.unwrap().to_string(), "test.pcap: at byte 0: the file is empty");
    let missing = Capture::open("no/such/file.pcap".as_ref()).map(|_| ()).unwrap_err();
    assert!(missing.to_string().starts_with("no/such/file.pcap: at byte 0: cannot be read: "), "{missing}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_captures_never_panic(changes in vec((0usize..100, any::<u8>()), 0..8), cut in 0usize..100) {
        let mut bytes = [&HEADER[..], &RECORD, &RECORD, &RECORD].concat();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        let (records, _) = read(&bytes);
        prop_assert!(records.len() <= 4);
    }
}
