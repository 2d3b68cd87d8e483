//! The terms that could tell an attack: for each field its most frequent values, exact and in ranges.

use std::collections::{BTreeMap, HashMap};

use weir_abi::rules::{field, ip_fact, l4_fact};
use weir_policy::rules::term::protocol;
use weir_policy::rules::{ByteSet, Fact, MatchVector, Payload, Term, WordSet};

use super::prior;
use super::sample::{Candidate, held};
use crate::bits::Bits;

/// The facts that are looked at. Not whether it is a first fragment: a rule on fragments is to match all of a datagram's.
const FACTS: [Fact; 8] =
    [Fact::V6, Fact::Df, Fact::Fragment, Fact::IpOptions, Fact::IdZero, Fact::Payload, Fact::SeqLowZero, Fact::AckZero];

/// Hop counts differ by a few within one network path: eight TTLs are one value.
const TTL_SHIFT: u8 = 3;
/// Lengths in steps of 64 bytes.
const LENGTH_SHIFT: u16 = 6;

/// The terms that one packet would suggest, each with the kind that tells fields apart.
fn suggested(v: &MatchVector) -> Vec<(u8, Term)> {
    let word = |at: usize| u16::from_be_bytes([v[at], v[at + 1]]);
    let proto = v[field::PROTOCOL];
    let l4 = v[field::L4_FACTS];
    let read = l4 & l4_fact::PRESENT != 0;
    let mut out = vec![(0, Term::Protocol(ByteSet::one(proto))), (1, Term::Tos(ByteSet::one(v[field::TOS])))];
    let ttl = v[field::TTL];
    out.push((2, Term::Ttl(ByteSet::one(ttl))));
    let low = ttl >> TTL_SHIFT << TTL_SHIFT;
    out.push((3, Term::Ttl(ByteSet::from_iter([low..=low | ((1 << TTL_SHIFT) - 1)]))));
    let length = word(field::LENGTH);
    out.push((4, Term::Length(WordSet::one(length))));
    let low = length >> LENGTH_SHIFT << LENGTH_SHIFT;
    out.push((5, Term::Length(std::iter::once(low..=low | ((1 << LENGTH_SHIFT) - 1)).collect())));
    let facts = FACTS.iter().enumerate().filter_map(|(i, fact)| {
        let yes = Term::Is(*fact, true);
        let no = Term::Is(*fact, false);
        if yes.holds(v) {
            Some((16 + i as u8, yes))
        } else if no.holds(v) && v[field::IP_FACTS] & ip_fact::V6 == 0 {
            Some((16 + i as u8, no))
        } else {
            None
        }
    });
    out.extend(facts);
    if read && protocol::WITH_PORTS.contains(&proto) {
        out.push((6, Term::SourcePort(WordSet::one(word(field::SOURCE_PORT)))));
    }
    if read && [protocol::ICMP, protocol::ICMP6].contains(&proto) {
        out.push((7, Term::IcmpType(ByteSet::one(v[field::SOURCE_PORT]))));
        out.push((8, Term::IcmpCode(ByteSet::one(v[field::SOURCE_PORT + 1]))));
    }
    if read && proto == protocol::TCP {
        out.push((9, Term::Flags { mask: 0xff, value: v[field::TCP_FLAGS] }));
        out.push((10, Term::Window(WordSet::one(word(field::WINDOW)))));
        out.push((11, Term::DataOffset(ByteSet::one(v[field::DATA_OFFSET]))));
        out.push((12, Term::OptionLayout(ByteSet::one(v[field::OPTION_LAYOUT]))));
    }
    if read && l4 & l4_fact::PAYLOAD_8 != 0 {
        for (kind, len) in [(13, 4u8), (14, 8u8)] {
            let n = usize::from(len);
            let (mut mask, mut value) = ([0; 8], [0; 8]);
            mask[..n].fill(0xff);
            value[..n].copy_from_slice(&v[field::PAYLOAD..field::PAYLOAD + n]);
            out.push((kind, Term::Payload(Payload { len, mask, value })));
        }
    }
    out
}

/// For each kind its most frequent terms among some of the attack's packets, if they hold for so many at least.
pub fn of(attack: &[MatchVector], among: &Bits, least: usize, values: usize) -> Vec<(u8, Term)> {
    let mut counted: HashMap<(u8, Term), usize> = HashMap::new();
    for packet in among.iter().filter_map(|i| attack.get(i)) {
        for suggestion in suggested(packet) {
            *counted.entry(suggestion).or_insert(0) += 1;
        }
    }
    let mut by_kind: BTreeMap<u8, Vec<(usize, String, Term)>> = BTreeMap::new();
    for ((kind, term), count) in counted.into_iter().filter(|(_, count)| *count >= least.max(1)) {
        by_kind.entry(kind).or_default().push((count, term.to_string(), term));
    }
    let mut out = Vec::new();
    for (kind, mut terms) in by_kind {
        // The text decides between equals, so that the same packets give the same rules.
        terms.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        out.extend(terms.into_iter().take(values).map(|(_, _, term)| (kind, term)));
    }
    out
}

/// Evaluates them.
pub fn evaluated(terms: Vec<(u8, Term)>, attack: &[MatchVector], benign: &[MatchVector]) -> Vec<Candidate> {
    let one = |(kind, term): (u8, Term)| {
        let (a, b) = (held(&term, attack), held(&term, benign));
        Candidate { told: prior::told(&term), term, kind, attack: a, benign: b }
    };
    terms.into_iter().map(one).collect()
}
