//! The corpus, converted by Wireshark's tools to every format that is read here: what comes out of the copies is what comes out of
//! the originals. The writer is theirs, so it cannot err together with the reader.

#[path = "common/corpus.rs"]
mod corpus;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use weir_sim::link::LinkType;
use weir_sim::pcap::{Capture, Record};

/// Whether a tool is there; a line for the summary if not.
fn has(test: &str, tool: &str) -> bool {
    let there = Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !there {
        eprintln!("SKIPPED: {test}: no {tool} (Debian: apt-get install wireshark-common)");
    }
    there
}

/// A file of this test, removed when it ends.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id())))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A copy that was never written is no loss.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs a tool.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Every record of a capture.
fn records(path: &Path) -> Vec<Record> {
    let capture = Capture::open(path).unwrap_or_else(|e| panic!("{e}"));
    capture.map(|r| r.unwrap_or_else(|e| panic!("{e}"))).collect()
}

/// The same records with times as a format can say them.
fn with_times(mut records: Vec<Record>, time: impl Fn(u64) -> u64) -> Vec<Record> {
    for record in &mut records {
        record.time_ns = time(record.time_ns);
    }
    records
}

#[test]
fn copies_in_other_formats_hold_the_same() {
    let test = "copies_in_other_formats_hold_the_same";
    let Some(corpus) = corpus::all(test) else { return };
    if !has(test, "editcap") {
        return;
    }
    let (mut copies, mut frames) = (0, 0);
    for (i, capture) in corpus.iter().enumerate() {
        let original = records(&capture.path);
        // The formats that nobody writes any more: a part is enough.
        let formats =
            if i % 10 == 0 { &["pcapng", "nsecpcap", "pcap", "modpcap"][..] } else { &["pcapng", "nsecpcap"] };
        for format in formats {
            let copy = Copy::new(&format!("{format}-{}", capture.name));
            run(Command::new("editcap").args(["-F", format]).arg(&capture.path).arg(&copy.0));
            let time = |ns: u64| match *format {
                // Some say seconds or fractions that their tool's arithmetic does not hold.
                _ if capture.label == "malformed" => 0,
                "pcap" | "modpcap" => ns / 1000 * 1000,
                _ => ns,
            };
            let (found, expected) = (with_times(records(&copy.0), time), with_times(original.clone(), time));
            assert!(found == expected, "{} as {format}: {}", capture.name, first_difference(&found, &expected));
            (copies, frames) = (copies + 1, frames + found.len());
        }
    }
    println!("{copies} copies, {frames} frames");
}

#[test]
fn a_capture_of_several_interfaces_holds_the_frames_of_each() {
    let test = "a_capture_of_several_interfaces_holds_the_frames_of_each";
    let Some(corpus) = corpus::all(test) else { return };
    if !has(test, "mergecap") {
        return;
    }
    // One capture of each link type, one behind the other.
    let mut chosen: Vec<(LinkType, &Path, Vec<Record>)> = Vec::new();
    for capture in &corpus {
        let found = records(&capture.path);
        let Some(link) = found.first().map(|r| r.link) else { continue };
        if chosen.iter().all(|(l, ..)| *l != link) {
            chosen.push((link, &capture.path, found));
        }
    }
    let copy = Copy::new("merged.pcapng");
    run(Command::new("mergecap")
        .args(["-a", "-F", "pcapng", "-w"])
        .arg(&copy.0)
        .args(chosen.iter().map(|(_, path, _)| path)));
    let expected: Vec<Record> = chosen.iter().flat_map(|(.., records)| records.clone()).collect();
    let found = records(&copy.0);
    assert!(found == expected, "{}", first_difference(&found, &expected));
    println!("{} interfaces, {} frames", chosen.len(), found.len());
}

/// Where two captures part.
fn first_difference(found: &[Record], expected: &[Record]) -> String {
    match found.iter().zip(expected).position(|(a, b)| a != b) {
        Some(i) => format!("record {}: {:?}, expected {:?}", i + 1, found[i], expected[i]),
        None => format!("{} records, expected {}", found.len(), expected.len()),
    }
}
