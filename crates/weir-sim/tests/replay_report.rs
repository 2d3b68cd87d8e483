//! What a replay counts and how it ends, with a decision made up for the purpose.

use std::io::Cursor;
use weir_abi::Reason;
use weir_core::Outcome;
use weir_sim::link::LinkType;
use weir_sim::pcap::{Capture, Record};
use weir_sim::replay::{Clock, records};

/// A frame of 100 bytes on the wire at a time in milliseconds.
fn record(time_ms: u64) -> Record {
    Record { time_ns: time_ms * 1_000_000, link: LinkType::Ethernet, original_length: 100, data: vec![0; 60] }
}

/// An outcome.
fn outcome(reason: Reason, drop: bool, would: bool) -> Outcome {
    Outcome {
        drop,
        would,
        number: reason as u8,
        target: 0,
        rule: 0,
        challenged: false,
        closes: false,
        sample_weight: 0,
    }
}

#[test]
fn frames_are_counted_by_what_became_of_them() {
    let reasons = [
        outcome(Reason::Clean, false, false),
        outcome(Reason::TcpNull, true, false),
        outcome(Reason::TcpNull, true, false),
        outcome(Reason::SourcePackets, false, true),
        outcome(Reason::Clean, false, false),
    ];
    let mut next = reasons.iter();
    let mut ticks = Vec::new();
    let report = records("x", [0, 10, 5, 20, 1000].map(|t| Ok(record(t))), Clock::new(1000, 7), |tick, _, frame| {
        ticks.push(tick);
        assert_eq!(weir_wire::Frame::len(frame), 100);
        *next.next().unwrap()
    });
    assert_eq!(ticks, [7, 17, 17, 27, 1007]);
    assert_eq!((report.packets, report.bytes, report.duration_s), (5, 500, 1.0));
    assert_eq!((report.dropped, report.passed, report.would_drop), (2, 3, 1));
    assert_eq!(report.verdicts, [("clean", 2), ("source_packets", 1), ("tcp_null", 2)].into());
    assert!(report.error.is_none());
}

#[test]
fn an_empty_capture_gives_an_empty_report() {
    let report = records("x", [], Clock::new(250, 0), |_, _, _| unreachable!("there is no frame"));
    assert_eq!((report.packets, report.bytes, report.duration_s, report.passed), (0, 0, 0.0, 0));
}

#[test]
fn a_cut_capture_is_reported_up_to_the_cut() {
    let header = [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1].map(u32::to_le_bytes).concat();
    let frame = [&[1u32, 0, 20, 20].map(u32::to_le_bytes).concat()[..], &[0; 20]].concat();
    let bytes = [&header[..], &frame, &frame[..30]].concat();
    let capture = Capture::new(Cursor::new(bytes), "cut.pcap").unwrap();
    let report = records("cut.pcap", capture, Clock::new(250, 0), |_, _, _| outcome(Reason::Clean, false, false));
    assert_eq!((report.packets, report.passed), (1, 1));
    assert_eq!(
        report.error.unwrap().to_string(),
        "cut.pcap: record 2 at byte 60: the capture is cut: 20 bytes are announced, 14 are there"
    );
}

#[test]
fn a_link_type_that_is_not_read_is_named() {
    let radio = Record { link: LinkType::from_number(105), ..record(1) };
    let report = records("w.pcap", [Ok(record(0)), Ok(radio)], Clock::new(250, 0), |_, _, _| {
        outcome(Reason::Clean, false, false)
    });
    assert_eq!(report.packets, 1);
    let text = report.error.unwrap().to_string();
    assert!(text.starts_with("w.pcap: record 2: link type 105 is not read; "), "{text}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let report = weir_sim::replay::file("no/such.pcap".as_ref(), Clock::new(250, 0), |_, _, _| {
        unreachable!("there is no frame")
    });
    assert_eq!(report.packets, 0);
    assert!(report.error.unwrap().to_string().starts_with("no/such.pcap: at byte 0: cannot be read: "));
}
