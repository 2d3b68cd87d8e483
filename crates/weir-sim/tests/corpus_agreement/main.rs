//! Every capture of the corpus, read by weir-wire and by two independent parsers: etherparse, in the same process, and tshark.
//!
//! They must agree on addresses, protocol, ports, TCP flags, ICMP type and code, fragment facts and the number of VLAN tags. Where
//! they do not, the difference has a name here and a paragraph in `DIFFERENCES.md`; one without a name fails.

mod analyser;
#[path = "../common/corpus.rs"]
mod corpus;
mod facts;
mod faults;
mod library;
mod ours;
mod tally;

use corpus::Listed;
use faults::Frame;
use std::collections::BTreeMap;
use tally::Tally;
use weir_sim::link::{LinkType, ethernet};
use weir_sim::pcap::{Capture, Record};

/// The records of a capture, which is sound.
fn records(capture: &Listed) -> Vec<Record> {
    let reader = Capture::open(&capture.path).unwrap_or_else(|e| panic!("{e}"));
    reader.map(|r| r.unwrap_or_else(|e| panic!("{e}"))).collect()
}

#[test]
fn every_capture_is_read_to_its_end() {
    let Some(corpus) = corpus::all("every_capture_is_read_to_its_end") else { return };
    let mut links: BTreeMap<LinkType, u64> = BTreeMap::new();
    for capture in &corpus {
        let records = records(capture);
        assert_eq!(records.len() as u64, capture.packets, "{}", capture.name);
        let bytes: u64 = records.iter().map(|r| r.original_length as u64).sum();
        assert_eq!(bytes, capture.bytes, "{}", capture.name);
        for record in &records {
            *links.entry(record.link).or_default() += 1;
        }
    }
    println!("{} captures, frames by link type: {links:?}", corpus.len());
}

#[test]
fn etherparse_reads_the_same() {
    let Some(corpus) = corpus::all("etherparse_reads_the_same") else { return };
    let mut tally = Tally::default();
    for capture in &corpus {
        tally.capture();
        for (i, record) in records(capture).iter().enumerate() {
            let frame = ethernet(record).expect("a link type that is read");
            let ours = ours::read(&frame.frame());
            let outcome = library::compare(&ours, &Frame { data: &frame.data, length: frame.length });
            tally.add(|| format!("{} record {}", capture.name, i + 1), outcome);
        }
    }
    tally.judge("etherparse");
}

#[test]
fn tshark_reads_the_same() {
    let test = "tshark_reads_the_same";
    let Some(corpus) = corpus::all(test) else { return };
    if !analyser::is_there() {
        eprintln!("SKIPPED: {test}: no tshark (Debian: apt-get install tshark)");
        return;
    }
    let mut merged = analyser::Merged::new(env!("CARGO_TARGET_TMPDIR").as_ref());
    for capture in &corpus {
        for record in records(capture) {
            merged.add(&record);
        }
    }
    let mut rows: BTreeMap<LinkType, _> =
        merged.rows().into_iter().map(|(link, rows)| (link, rows.into_iter())).collect();
    let mut tally = Tally::default();
    for capture in &corpus {
        tally.capture();
        for (i, record) in records(capture).iter().enumerate() {
            let row = rows.get_mut(&record.link).and_then(Iterator::next).expect("a row for every frame");
            let frame = ethernet(record).expect("a link type that is read");
            let ours = ours::read(&frame.frame());
            let outcome = analyser::compare(&ours, &Frame { data: &frame.data, length: frame.length }, &row);
            tally.add(|| format!("{} record {}", capture.name, i + 1), outcome);
        }
    }
    assert!(rows.into_values().all(|mut rest| rest.next().is_none()), "no more rows than frames");
    tally.judge("tshark");
}
