//! pcapng captures: sections, interfaces, clocks, the three packet blocks, and every way to be cut.

use proptest::collection::vec;
use proptest::prelude::*;
use std::io::Cursor;
use weir_sim::link::LinkType;
use weir_sim::pcap::{Capture, CaptureError, Fault, Record};

/// Writes blocks in one byte order.
#[derive(Clone, Copy)]
struct Writer {
    big: bool,
}

impl Writer {
    fn u16(self, n: u16) -> [u8; 2] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    fn u32(self, n: u32) -> [u8; 4] {
        if self.big { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    /// Type, length, body filled up to four bytes, length.
    fn block(self, kind: u32, body: &[&[u8]]) -> Vec<u8> {
        let mut body = body.concat();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = self.u32(body.len() as u32 + 12);
        [&self.u32(kind)[..], &length, &body, &length].concat()
    }

    /// A section header of unknown section length.
    fn section(self) -> Vec<u8> {
        self.block(0x0a0d_0d0a, &[&self.u32(0x1a2b_3c4d), &self.u16(1), &self.u16(0), &[0xff; 8]])
    }

    /// An interface with a link type, a snapshot length and options.
    fn interface(self, link: u16, snap: u32, options: &[&[u8]]) -> Vec<u8> {
        self.block(1, &[&self.u16(link), &[0, 0], &self.u32(snap), &options.concat()])
    }

    /// An option of an interface.
    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut padded = value.to_vec();
        padded.resize(value.len().next_multiple_of(4), 0);
        [&self.u16(code)[..], &self.u16(value.len() as u16), &padded].concat()
    }

    /// An enhanced packet block with a comment behind the data.
    fn enhanced(self, interface: u32, ticks: u64, original: u32, data: &[u8]) -> Vec<u8> {
        let mut padded = data.to_vec();
        padded.resize(data.len().next_multiple_of(4), 0);
        self.block(
            6,
            &[
                &self.u32(interface),
                &self.u32((ticks >> 32) as u32),
                &self.u32(ticks as u32),
                &self.u32(data.len() as u32),
                &self.u32(original),
                &padded,
                &self.option(1, b"comment"),
                &[0; 4],
            ],
        )
    }

    /// The packet block that came before it.
    fn obsolete(self, interface: u16, ticks: u64, original: u32, data: &[u8]) -> Vec<u8> {
        self.block(
            2,
            &[
                &self.u16(interface),
                &self.u16(3), // packets lost before this one
                &self.u32((ticks >> 32) as u32),
                &self.u32(ticks as u32),
                &self.u32(data.len() as u32),
                &self.u32(original),
                data,
            ],
        )
    }

    /// A simple packet block.
    fn simple(self, original: u32, data: &[u8]) -> Vec<u8> {
        self.block(3, &[&self.u32(original), data])
    }
}

const LITTLE: Writer = Writer { big: false };
const BIG: Writer = Writer { big: true };

/// Everything that can be read, and the error if there is one.
fn read(bytes: &[u8]) -> (Vec<Record>, Option<CaptureError>) {
    let capture = match Capture::new(Cursor::new(bytes.to_vec()), "test.pcapng") {
        Ok(capture) => capture,
        Err(e) => return (Vec::new(), Some(e)),
    };
    let (mut records, mut error) = (Vec::new(), None);
    for item in capture {
        match item {
            Ok(record) => records.push(record),
            Err(e) => error = Some(e),
        }
    }
    (records, error)
}

/// What a sound capture holds.
#[track_caller]
fn sound(blocks: &[Vec<u8>]) -> Vec<Record> {
    let (records, error) = read(&blocks.concat());
    assert!(error.is_none(), "{}", error.unwrap());
    records
}

fn record(time_ns: u64, link: LinkType, original_length: u32, data: &[u8]) -> Record {
    Record { time_ns, link, original_length, data: data.to_vec() }
}

#[test]
fn each_packet_block_is_read_in_either_byte_order() {
    for w in [LITTLE, BIG] {
        let records = sound(&[
            w.section(),
            w.interface(1, 0, &[]),
            w.enhanced(0, 5_000_001, 60, b"enhanced"),
            w.obsolete(0, 5_000_002, 61, b"obsolete"),
            w.simple(6, b"simple"),
        ]);
        assert_eq!(
            records,
            [
                record(5_000_001_000, LinkType::Ethernet, 60, b"enhanced"),
                record(5_000_002_000, LinkType::Ethernet, 61, b"obsolete"),
                // It has no time of its own.
                record(5_000_002_000, LinkType::Ethernet, 6, b"simple"),
            ]
        );
    }
}

#[test]
fn interfaces_have_their_own_link_type_and_clock() {
    let w = LITTLE;
    let records = sound(&[
        w.section(),
        w.interface(1, 0, &[]),
        w.interface(101, 0, &[&w.option(9, &[9])]), // nanoseconds
        w.interface(113, 0, &[&w.option(9, &[0x80 | 10]), &w.option(0, &[])]), // 1/1024 s
        w.interface(0, 0, &[&w.option(2, b"lo"), &w.option(14, &100i64.to_le_bytes())]), // 100 s later
        w.enhanced(0, 2_000_000, 1, b"a"),
        w.enhanced(1, 2_000_000, 1, b"b"),
        w.enhanced(2, 1536, 1, b"c"),
        w.enhanced(3, 2_000_000, 1, b"d"),
    ]);
    assert_eq!(
        records,
        [
            record(2_000_000_000, LinkType::Ethernet, 1, b"a"),
            record(2_000_000, LinkType::Raw, 1, b"b"),
            record(1_500_000_000, LinkType::LinuxSll, 1, b"c"),
            record(102_000_000_000, LinkType::Null, 1, b"d"),
        ]
    );
}

#[test]
fn a_second_section_starts_anew() {
    let records = sound(&[
        LITTLE.section(),
        LITTLE.interface(1, 0, &[]),
        LITTLE.enhanced(0, 1, 1, b"a"),
        BIG.section(),
        BIG.interface(101, 0, &[]),
        BIG.enhanced(0, 2, 1, b"b"),
    ]);
    assert_eq!([records[0].link, records[1].link], [LinkType::Ethernet, LinkType::Raw]);
    // Interfaces of the first section are gone.
    let (records, error) = read(
        &[LITTLE.section(), LITTLE.interface(1, 0, &[]), LITTLE.section(), LITTLE.enhanced(0, 1, 1, b"a")].concat(),
    );
    assert!(records.is_empty());
    assert!(matches!(error.unwrap().fault, Fault::UnknownInterface(0)));
}

#[test]
fn a_simple_packet_is_as_long_as_its_interface_keeps() {
    let w = LITTLE;
    let records = sound(&[w.section(), w.interface(1, 5, &[]), w.simple(100, b"first"), w.simple(3, b"abc")]);
    assert_eq!(records, [record(0, LinkType::Ethernet, 100, b"first"), record(0, LinkType::Ethernet, 3, b"abc")]);
}

#[test]
fn unknown_blocks_are_skipped() {
    let w = LITTLE;
    let records = sound(&[
        w.section(),
        w.block(4, &[b"names of hosts"]),
        w.interface(1, 0, &[]),
        w.block(0x8000_0bad, &[&[0; 64]]),
        w.enhanced(0, 1, 1, b"a"),
        w.block(5, &[&[0; 12]]), // interface statistics
    ]);
    assert_eq!(records.len(), 1);
}

#[test]
fn a_length_that_is_no_multiple_of_four_is_taken_as_meant() {
    // The writer counted its data and forgot the padding, which it wrote.
    let w = LITTLE;
    let mut block = w.enhanced(0, 1, 5, b"abcde");
    let wrong = w.u32(block.len() as u32 - 3);
    let end = block.len();
    block[4..8].copy_from_slice(&wrong);
    block[end - 4..].copy_from_slice(&wrong);
    let records = sound(&[w.section(), w.interface(1, 0, &[]), block, w.enhanced(0, 2, 1, b"b")]);
    assert_eq!(records.len(), 2);
}

#[test]
fn corrupt_blocks_are_named_and_what_came_before_is_kept() {
    let w = LITTLE;
    let start = [w.section(), w.interface(1, 0, &[]), w.enhanced(0, 1, 1, b"a")].concat();
    let fault = |block: Vec<u8>| {
        let (records, error) = read(&[start.clone(), block].concat());
        assert_eq!(records.len(), 1);
        let error = error.expect("an error");
        assert_eq!((error.record, error.position), (2, start.len() as u64));
        error.fault
    };
    assert!(matches!(fault(w.enhanced(1, 1, 1, b"b")), Fault::UnknownInterface(1)));
    // The captured length is beyond the block.
    let mut beyond = w.enhanced(0, 1, 1, b"b");
    beyond[20] = 200;
    assert!(matches!(fault(beyond), Fault::BadBlock { kind: 6, length: 52 }));
    // The block's two lengths differ.
    let mut differ = w.enhanced(0, 1, 1, b"b");
    let end = differ.len();
    differ[end - 4] += 4;
    assert!(matches!(fault(differ), Fault::BadBlock { kind: 6, length: 56 }));
    // Too short for a packet block, too short for any block, too long.
    assert!(matches!(fault(w.block(6, &[&[0; 8]])), Fault::BadBlock { kind: 6, length: 20 }));
    assert!(matches!(fault([6, 0, 0, 0, 8, 0, 0, 0].into()), Fault::BadBlock { kind: 6, length: 8 }));
    assert!(matches!(fault([6, 0, 0, 0, 0, 0, 0, 0x7f].into()), Fault::BadBlock { kind: 6, length: 0x7f00_0000 }));
    assert!(matches!(fault([6, 0, 0, 0, 0, 0, 8, 0].into()), Fault::Truncated { wanted: 0x7_fff4, found: 0 }));
    // A section whose byte order cannot be told.
    let mut order = w.section();
    order[8] = 0;
    assert!(matches!(fault(order), Fault::BadByteOrder([0, 0x3c, 0x2b, 0x1a])));
}

#[test]
fn a_cut_capture_yields_what_is_whole() {
    let w = LITTLE;
    let packets = [w.enhanced(0, 1, 1, b"a"), w.enhanced(0, 2, 9, b"bcdefghij"), w.enhanced(0, 3, 1, b"k")];
    let head = [w.section(), w.interface(1, 0, &[])];
    let bytes = [head.concat(), packets.concat()].concat();
    let mut ends = vec![head[0].len(), head.concat().len()];
    for p in &packets {
        ends.push(ends.last().unwrap() + p.len());
    }
    for n in 0..=bytes.len() {
        let (records, error) = read(&bytes[..n]);
        assert_eq!(records.len(), ends[2..].iter().filter(|end| **end <= n).count(), "{n} bytes");
        assert_eq!(error.is_none(), ends.contains(&n), "{n} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_captures_never_panic(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), cut in 0usize..100) {
        let w = LITTLE;
        let mut bytes = [
            w.section(), w.interface(1, 0, &[&w.option(9, &[9])]), w.enhanced(0, 1, 1, b"a"), w.simple(3, b"abc"),
            w.obsolete(0, 1, 1, b"o"), BIG.section(), BIG.interface(1, 0, &[]), BIG.enhanced(0, 1, 1, b"a"),
        ].concat();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut);
        prop_assert!(read(&bytes).0.len() <= 4);
    }
}
