//! The facts as etherparse reads them: another author, another view of errors, the same bytes.

use super::facts::{Facts, Transport, differing};
use super::faults::Frame;
use super::ours::Ours;
use super::tally::Outcome;
use etherparse::{Ipv6ExtensionSlice, LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use weir_wire::Parsed;

/// What etherparse makes of a frame.
struct Theirs {
    /// The IP packet, if it found one.
    facts: Option<Facts>,
    /// The IPv4 header is followed by an authentication header, which it walked.
    authentication: bool,
    /// It looked into MACsec.
    macsec: bool,
    /// It stopped with an error.
    stopped: bool,
}

/// Reads the captured bytes of an Ethernet frame.
fn read(data: &[u8]) -> Theirs {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(data) else {
        return Theirs { facts: None, authentication: false, macsec: false, stopped: true };
    };
    let stopped = packet.stop_err.is_some();
    let tags = packet.link_exts.iter().filter(|e| matches!(e, LaxLinkExtSlice::Vlan(_))).count();
    let macsec = packet.link_exts.iter().any(|e| matches!(e, LaxLinkExtSlice::Macsec(_)));
    let (src, dst, fragment, authentication, payload) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let h = ip.header();
            let (offset, more) = (h.fragments_offset().byte_offset() as u32, h.more_fragments());
            let fragment = h.is_fragmenting_payload().then_some((offset, more));
            (
                h.source_addr().into(),
                h.destination_addr().into(),
                fragment,
                ip.extensions().auth.is_some(),
                ip.payload(),
            )
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let h = ip.header();
            let mut fragment = None;
            // Its iterator reads outside the headers where they are cut, or behind a later fragment's (0.21.0): it is asked
            // only where nothing is cut, and for no more than the fragment header.
            if !stopped {
                for e in ip.extensions().clone() {
                    if let Ipv6ExtensionSlice::Fragment(f) = e {
                        let offset = f.fragment_offset().byte_offset() as u32;
                        fragment = f.is_fragmenting_payload().then_some((offset, f.more_fragments()));
                        break;
                    }
                }
            }
            (h.source_addr().into(), h.destination_addr().into(), fragment, false, ip.payload())
        }
        _ => return Theirs { facts: None, authentication: false, macsec, stopped },
    };
    let transport = packet.transport.as_ref().and_then(|t| match t {
        TransportSlice::Tcp(t) => Some(Transport::Tcp(t.source_port(), t.destination_port(), t.slice()[13])),
        TransportSlice::Udp(u) => Some(Transport::Udp(u.source_port(), u.destination_port())),
        TransportSlice::Icmpv4(i) => Some(Transport::Icmp(i.type_u8(), i.code_u8())),
        TransportSlice::Icmpv6(i) => Some(Transport::Icmp(i.type_u8(), i.code_u8())),
        TransportSlice::Igmp(_) => None,
    });
    let facts = Facts { tags, src, dst, proto: payload.ip_number.0, fragment, transport };
    Theirs { facts: Some(facts), authentication, macsec, stopped }
}

/// Compares one frame.
pub fn compare(ours: &Ours, frame: &Frame) -> Outcome {
    let theirs = read(frame.data);
    let unexplained = || Outcome::Unexplained(format!("{ours:?}, etherparse: {:?}", theirs.facts));
    match (ours, &theirs.facts) {
        (Ours::Ip(a), Some(b)) => {
            let differing = differing(a, b);
            if differing.is_empty() {
                return Outcome::Agreed;
            }
            difference(a, b, &theirs, &differing).map_or_else(unexplained, Outcome::Known)
        }
        (Ours::Not(Parsed::Malformed(fault)), b) if frame.has(*fault) => {
            if b.is_none() {
                Outcome::Agreed
            } else {
                Outcome::Refused(*fault)
            }
        }
        (Ours::Not(Parsed::Unreadable), Some(_)) if frame.data.len() < frame.length => {
            Outcome::Known("headers outside the capture")
        }
        (Ours::Not(Parsed::Other(_)), Some(_)) if theirs.macsec => Outcome::Known("not looked into: macsec"),
        (Ours::Not(Parsed::Malformed(_)), _) | (Ours::Not(_), Some(_)) | (Ours::Ip(_), None) => unexplained(),
        (Ours::Not(_), None) => Outcome::Agreed,
    }
}

/// The name of a difference within a packet that both read.
fn difference(a: &Facts, b: &Facts, theirs: &Theirs, differing: &[&str]) -> Option<&'static str> {
    let only_transport = differing == ["transport"] && b.transport.is_none();
    if only_transport && a.proto == 132 {
        return Some("etherparse reads no SCTP");
    }
    if only_transport && matches!(a.fragment, Some((0, true))) {
        return Some("etherparse reads no transport header in a first fragment");
    }
    if only_transport && a.proto == 6 && theirs.stopped {
        return Some("headers outside the capture");
    }
    let same_but_protocol = differing.iter().all(|d| matches!(*d, "protocol" | "transport"));
    if same_but_protocol && theirs.authentication && a.proto == 51 {
        return Some("IPv4 authentication header");
    }
    if same_but_protocol && a.src.is_ipv6() && matches!(b.proto, 43 | 51 | 135 | 139 | 140) {
        return Some("etherparse stops at an extension header");
    }
    None
}
