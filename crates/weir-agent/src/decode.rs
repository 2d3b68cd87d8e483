//! Samples to what the API shows: addresses and ports read from the head of the frame.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use weir_abi::{Addr, Reason, Sample};
use weir_api::local::{SampleRow, Verdict};
use weir_api::spec::Moment;
use weir_policy::prefix::ip_from;
use weir_wire::{Bytes, Packet, Parsed};

use crate::explain::RuleName;
use crate::view::PolicyView;

/// The packet in a sample, if its headers can be read. On links without Ethernet the frame starts with IP.
pub fn packet(sample: &Sample) -> Option<Packet> {
    let captured = usize::from(sample.captured).min(sample.bytes.len());
    let frame = Bytes::snapped(&sample.bytes[..captured], sample.length as usize);
    if let Parsed::Packet(packet) = weir_wire::parse(&frame) {
        return Some(packet);
    }
    let version = sample.bytes.first()? >> 4;
    match weir_wire::parse_ip(&frame, 0, version == 6) {
        Parsed::Packet(packet) if matches!(version, 4 | 6) => Some(packet),
        _ => None,
    }
}

/// The source address of a packet.
pub fn source(packet: &Packet) -> Addr {
    Addr { hi: packet.ip.src.0, lo: packet.ip.src.1 }
}

/// The verdict of a sample.
pub fn verdict(sample: &Sample) -> Verdict {
    match sample.verdict {
        v if v == weir_abi::Verdict::Drop as u8 => Verdict::Drop,
        v if v == weir_abi::Verdict::WouldDrop as u8 => Verdict::WouldDrop,
        _ => Verdict::Pass,
    }
}

/// The word of a sample's reason.
pub fn reason(sample: &Sample) -> String {
    Reason::from_number(sample.reason).map_or_else(|| format!("#{}", sample.reason), |r| r.label().to_owned())
}

/// What the rule or list entry with this number is called.
fn rule_name(number: u32, policy: &PolicyView, rules: &BTreeMap<u32, RuleName>) -> Option<String> {
    match rules.get(&number) {
        _ if number == 0 => None,
        Some(rule) => Some(format!("{}: {}", rule.id, rule.text)),
        None => policy.rule_name(number),
    }
}

/// One line of the API. `rules`: what rules of incidents are called.
pub fn row(time: SystemTime, sample: &Sample, policy: &PolicyView, rules: &BTreeMap<u32, RuleName>) -> SampleRow {
    let packet = packet(sample);
    let address = |(hi, lo)| ip_from(Addr { hi, lo }).to_string();
    let ported = packet.filter(|p| p.l4 > 0 && matches!(p.ip.proto, 6 | 17 | 132 | 136));
    let captured = usize::from(sample.captured).min(sample.bytes.len());
    let mut bytes = String::with_capacity(2 * captured);
    for byte in &sample.bytes[..captured] {
        let _ = write!(bytes, "{byte:02x}");
    }
    let target = u32::from(sample.target);
    SampleRow {
        time: Moment::from_system(time),
        ifindex: sample.ifindex,
        target,
        target_name: policy.target_name(target),
        reason: reason(sample),
        verdict: verdict(sample),
        rule: rule_name(sample.rule, policy, rules),
        weight: sample.weight,
        length: sample.length,
        source: packet.map(|p| address(p.ip.src)),
        destination: packet.map(|p| address(p.ip.dst)),
        source_port: ported.map(|p| p.source_port),
        destination_port: ported.map(|p| p.destination_port),
        protocol: packet.map(|p| p.ip.proto),
        bytes,
    }
}
