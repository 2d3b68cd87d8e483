//! A match as text, and the words of that text. What is shown parses back to the same match.

use std::fmt;

use super::term::{Fact, Payload, Term, protocol};
use super::{ByteSet, Match};

/// Protocols that have a name.
pub(super) const PROTOCOLS: [(&str, u8); 8] = [
    ("tcp", protocol::TCP),
    ("udp", protocol::UDP),
    ("icmp", protocol::ICMP),
    ("icmp6", protocol::ICMP6),
    ("sctp", protocol::SCTP),
    ("gre", protocol::GRE),
    ("esp", protocol::ESP),
    ("udplite", protocol::UDPLITE),
];

/// Facts, each negated by `no`.
pub(super) const FACTS: [(&str, Fact); 10] = [
    ("ip6", Fact::V6),
    ("df", Fact::Df),
    ("fragment", Fact::Fragment),
    ("first_fragment", Fact::FirstFragment),
    ("later_fragment", Fact::LaterFragment),
    ("ip_options", Fact::IpOptions),
    ("id_zero", Fact::IdZero),
    ("payload", Fact::Payload),
    ("seq_low_zero", Fact::SeqLowZero),
    ("ack_zero", Fact::AckZero),
];

/// TCP flags (RFC 9293, 3.1; RFC 3168).
pub(super) const FLAGS: [(&str, u8); 8] = [
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ece", 0x40),
    ("cwr", 0x80),
];

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            if i > 0 {
                f.write_str(" and ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Is(Fact::V6, false) => f.write_str("ip4"),
            Term::Is(fact, wanted) => {
                let (name, _) = FACTS.iter().find(|(_, known)| known == fact).ok_or(fmt::Error)?;
                write!(f, "{}{name}", if *wanted { "" } else { "no " })
            }
            Term::Protocol(set) => match PROTOCOLS.iter().find(|(_, number)| set.single() == Some(*number)) {
                Some((name, _)) => f.write_str(name),
                None => write!(f, "protocol {set}"),
            },
            Term::Ttl(set) => write!(f, "ttl {set}"),
            Term::Tos(set) => write!(f, "tos {set}"),
            Term::Length(set) => write!(f, "length {set}"),
            Term::SourcePort(set) => write!(f, "sport {set}"),
            Term::DestinationPort(set) => write!(f, "dport {set}"),
            Term::IcmpType(set) => write!(f, "icmp_type {set}"),
            Term::IcmpCode(set) => write!(f, "icmp_code {set}"),
            Term::Flags { mask: 0xff, value } => write!(f, "flags = {value:#04x}"),
            Term::Flags { mask, value } => write!(f, "flags & {mask:#04x} = {value:#04x}"),
            Term::Window(set) => write!(f, "window {set}"),
            Term::DataOffset(set) if *set == ByteSet::one(5) => f.write_str("no options"),
            Term::DataOffset(set) if *set == ByteSet::of(|v| v != 5) => f.write_str("options"),
            Term::DataOffset(set) => write!(f, "data_offset {set}"),
            Term::OptionLayout(set) => write!(f, "layout {set}"),
            Term::Payload(payload) => payload.fmt(f),
        }
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = usize::from(self.len).min(8);
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        if self.mask[..len].iter().any(|&m| m != 0xff) {
            write!(f, "payload & 0x{} = 0x{}", hex(&self.mask[..len]), hex(&self.value[..len]))
        } else {
            write!(f, "payload = 0x{}", hex(&self.value[..len]))
        }
    }
}
