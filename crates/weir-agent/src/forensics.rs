//! An incident's packets as a capture (pcapng): each with a comment that says what was done with it and why.
//!
//! Format: draft-ietf-opsawg-pcapng. One interface block per interface with its name and link type, times in nanoseconds.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};
use weir_abi::sample::SAMPLE_BYTES;
use weir_abi::{Reason, Sample};
use weir_api::local::{IncidentRow, Verdict};

use crate::datapath::Interface;
use crate::decode;

/// Of `if_tsresol`: ten to the minus ninth second.
const NANOSECONDS: u8 = 9;

/// What is known of an incident's packets.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The incident.
    pub incident: IncidentRow,
    /// Its packets in the order in which they came.
    pub packets: Vec<(SystemTime, Sample)>,
    /// What rules and list entries are called, by the number in samples.
    pub rules: BTreeMap<u32, String>,
    /// The interfaces of the packets, by index.
    pub interfaces: BTreeMap<u32, Interface>,
}

/// The capture's bytes.
pub fn pcapng(evidence: &Evidence) -> Result<Vec<u8>, PcapError> {
    let i = &evidence.incident;
    let comment = format!(
        "incident {}: {} on {}, {}, {}; noticed {}; {} sampled packets, each with verdict, reason and rule",
        i.id,
        i.vector,
        i.target,
        i.label,
        i.state,
        i.detected,
        evidence.packets.len()
    );
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        options: vec![
            SectionHeaderOption::Comment(comment.into()),
            SectionHeaderOption::OS("Linux".into()),
            SectionHeaderOption::UserApplication(concat!("weir ", env!("CARGO_PKG_VERSION")).into()),
        ],
        ..SectionHeaderBlock::default()
    };
    let mut writer = PcapNgWriter::with_section_header(Vec::new(), section)?;
    let mut numbers: HashMap<u32, u32> = HashMap::new();
    for (at, sample) in &evidence.packets {
        let next = numbers.len() as u32;
        let number = *numbers.entry(sample.ifindex).or_insert(next);
        if number == next {
            writer.write_pcapng_block(interface(evidence.interfaces.get(&sample.ifindex), sample.ifindex))?;
        }
        let captured = usize::from(sample.captured).min(sample.bytes.len());
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: number,
            timestamp: at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO),
            original_len: sample.length,
            data: sample.bytes.get(..captured).unwrap_or_default().into(),
            options: vec![EnhancedPacketOption::Comment(said(sample, &evidence.rules).into())],
        })?;
    }
    Ok(writer.into_inner())
}

fn interface(known: Option<&Interface>, index: u32) -> InterfaceDescriptionBlock<'static> {
    let unknown = || Interface { name: format!("#{index}"), ethernet: true };
    let Interface { name, ethernet } = known.cloned().unwrap_or_else(unknown);
    let linktype = if ethernet { DataLink::ETHERNET } else { DataLink::RAW };
    let options =
        vec![InterfaceDescriptionOption::IfName(name.into()), InterfaceDescriptionOption::IfTsResol(NANOSECONDS)];
    InterfaceDescriptionBlock { linktype, snaplen: SAMPLE_BYTES as u32, options }
}

/// What was done with a packet: `dropped: rule (rule 3 of incident 7: tcp and ttl 64); stands for 1,024 packets`.
fn said(sample: &Sample, rules: &BTreeMap<u32, String>) -> String {
    let verdict = match decode::verdict(sample) {
        Verdict::Pass => "passed",
        Verdict::Drop => "dropped",
        Verdict::WouldDrop => "would be dropped, but its owner observes",
    };
    let why = match (rules.get(&sample.rule).filter(|_| sample.rule != 0), Reason::from_number(sample.reason)) {
        (Some(rule), _) => format!(" ({rule})"),
        (None, Some(reason)) => format!(" ({})", reason.text()),
        (None, None) => String::new(),
    };
    let stands = if sample.weight > 1 { format!("; stands for {} packets", sample.weight) } else { String::new() };
    format!("{verdict}: {}{why}{stands}", decode::reason(sample))
}
