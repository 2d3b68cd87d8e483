//! What terms can speak of: for each kind a number that a packet has or has not, and the term that a number stands for. Numbers
//! are compared faster than terms are evaluated, and a search compares millions.

use weir_abi::rules::{field, ip_fact, l4_fact};
use weir_policy::rules::term::protocol;
use weir_policy::rules::{ByteSet, Fact, MatchVector, Payload, Term, WordSet};

/// A packet has no number of a kind.
pub const NONE: u64 = u64::MAX;

/// A kind of terms.
pub struct Kind {
    /// A packet's number, or [`NONE`].
    pub of: fn(&MatchVector) -> u64,
    /// The term that holds for exactly the packets with one of some numbers. Kinds that cannot say "one of" are asked for one.
    pub term: fn(&[u64]) -> Term,
    /// Whether it can.
    pub widens: bool,
    /// The kind that says the same more finely: each of its ranges is within one of this, which says nothing beside it.
    pub finer: Option<usize>,
    /// Whether a packet suggests its number. IPv6 has no DF, no identification and no options in its header: not to have them says
    /// nothing there.
    pub suggests: fn(&MatchVector, u64) -> bool,
}

/// Hop counts differ by a few within one network path: eight TTLs are one value.
const TTL_SHIFT: u8 = 3;
/// Lengths in steps of 64 bytes.
const LENGTH_SHIFT: u16 = 6;

fn word(v: &MatchVector, at: usize) -> u16 {
    u16::from_be_bytes([v[at], v[at + 1]])
}

fn read(v: &MatchVector) -> bool {
    v[field::L4_FACTS] & l4_fact::PRESENT != 0
}

fn of_protocol(v: &MatchVector, protocols: &[u8], number: u64) -> u64 {
    if read(v) && protocols.contains(&v[field::PROTOCOL]) { number } else { NONE }
}

fn tcp(v: &MatchVector, number: u64) -> u64 {
    of_protocol(v, &[protocol::TCP], number)
}

fn icmp(v: &MatchVector, at: usize) -> u64 {
    of_protocol(v, &[protocol::ICMP, protocol::ICMP6], v[at].into())
}

fn bytes(numbers: &[u64], shift: u8) -> ByteSet {
    let range = |n: &u64| {
        let low = (*n as u8) << shift;
        low..=low | ((1u8 << shift) - 1)
    };
    numbers.iter().map(range).collect()
}

fn words(numbers: &[u64], shift: u16) -> WordSet {
    let range = |n: &u64| {
        let low = (*n as u16) << shift;
        low..=low | ((1u16 << shift) - 1)
    };
    numbers.iter().map(range).collect()
}

fn first(numbers: &[u64]) -> u64 {
    numbers.first().copied().unwrap_or_default()
}

fn payload(v: &MatchVector, len: usize) -> u64 {
    if !read(v) || v[field::L4_FACTS] & l4_fact::PAYLOAD_8 == 0 {
        return NONE;
    }
    v[field::PAYLOAD..field::PAYLOAD + len].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn begins(numbers: &[u64], len: u8) -> Term {
    let n = usize::from(len);
    let (mut mask, mut value) = ([0; 8], [0; 8]);
    mask[..n].fill(0xff);
    value[..n].copy_from_slice(&first(numbers).to_be_bytes()[8 - n..]);
    Term::Payload(Payload { len, mask, value })
}

fn fact(fact: Fact, v: &MatchVector) -> u64 {
    fact.holds(v).map_or(NONE, u64::from)
}

fn always(_: &MatchVector, _: u64) -> bool {
    true
}

fn yes_or_v4(v: &MatchVector, number: u64) -> bool {
    number == 1 || v[field::IP_FACTS] & ip_fact::V6 == 0
}

macro_rules! kind {
    ($of:expr, $term:expr) => {
        kind!($of, $term, None)
    };
    ($of:expr, $term:expr, $finer:expr) => {
        Kind { of: $of, term: $term, widens: true, finer: $finer, suggests: always }
    };
}

macro_rules! single {
    ($of:expr, $term:expr, $finer:expr) => {
        Kind { of: $of, term: $term, widens: false, finer: $finer, suggests: always }
    };
}

macro_rules! fact {
    ($fact:expr) => {
        Kind {
            of: |v| fact($fact, v),
            term: |n| Term::Is($fact, first(n) == 1),
            widens: false,
            finer: None,
            suggests: yes_or_v4,
        }
    };
}

/// The number of the kind of TTL ranges, and the last range.
pub const TTLS: usize = 3;
pub const LAST_TTLS: u64 = (u8::MAX >> TTL_SHIFT) as u64;

/// All kinds. Of facts not whether it is a first fragment: a rule on fragments is to match all of a datagram's.
pub static KINDS: [Kind; 23] = [
    kind!(|v| v[field::PROTOCOL].into(), |n| Term::Protocol(bytes(n, 0))),
    kind!(|v| v[field::TOS].into(), |n| Term::Tos(bytes(n, 0))),
    kind!(|v| v[field::TTL].into(), |n| Term::Ttl(bytes(n, 0))),
    kind!(|v| (v[field::TTL] >> TTL_SHIFT).into(), |n| Term::Ttl(bytes(n, TTL_SHIFT)), Some(2)),
    kind!(|v| word(v, field::LENGTH).into(), |n| Term::Length(words(n, 0))),
    kind!(|v| (word(v, field::LENGTH) >> LENGTH_SHIFT).into(), |n| Term::Length(words(n, LENGTH_SHIFT)), Some(4)),
    kind!(|v| of_protocol(v, &protocol::WITH_PORTS, word(v, field::SOURCE_PORT).into()), |n| Term::SourcePort(words(
        n, 0
    ))),
    kind!(|v| icmp(v, field::SOURCE_PORT), |n| Term::IcmpType(bytes(n, 0))),
    kind!(|v| icmp(v, field::SOURCE_PORT + 1), |n| Term::IcmpCode(bytes(n, 0))),
    single!(|v| tcp(v, v[field::TCP_FLAGS].into()), |n| Term::Flags { mask: 0xff, value: first(n) as u8 }, None),
    kind!(|v| tcp(v, word(v, field::WINDOW).into()), |n| Term::Window(words(n, 0))),
    kind!(|v| tcp(v, v[field::DATA_OFFSET].into()), |n| Term::DataOffset(bytes(n, 0))),
    kind!(|v| tcp(v, v[field::OPTION_LAYOUT].into()), |n| Term::OptionLayout(bytes(n, 0))),
    single!(|v| payload(v, 4), |n| begins(n, 4), Some(14)),
    single!(|v| payload(v, 8), |n| begins(n, 8), None),
    fact!(Fact::V6),
    fact!(Fact::Df),
    fact!(Fact::Fragment),
    fact!(Fact::IpOptions),
    fact!(Fact::IdZero),
    fact!(Fact::Payload),
    fact!(Fact::SeqLowZero),
    fact!(Fact::AckZero),
];

#[cfg(test)]
mod tests {
    //! A number's term holds for the packets that have it, and for no other.
    use super::*;
    use proptest::prelude::*;

    /// Packets whose fields are often those of real protocols.
    fn packet() -> impl Strategy<Value = MatchVector> {
        let protocol = prop::sample::select(vec![1u8, 6, 17, 47, 58, 132]);
        (any::<MatchVector>(), protocol, 0u8..32).prop_map(|(mut v, protocol, facts)| {
            v[field::PROTOCOL] = protocol;
            v[field::L4_FACTS] = facts;
            v
        })
    }

    proptest! {
        #[test]
        fn terms_and_numbers_say_the_same(a in packet(), mut b in packet(), same in prop::collection::vec(any::<bool>(), 24)) {
            // Two packets that have much in common.
            b.iter_mut().zip(a).zip(same).filter(|(_, same)| *same).for_each(|((b, a), _)| *b = a);
            for (number, kind) in KINDS.iter().enumerate() {
                let n = (kind.of)(&a);
                if n == NONE {
                    continue;
                }
                let term = (kind.term)(&[n]);
                prop_assert!(term.holds(&a), "kind {}: {}", number, term);
                let other = (kind.of)(&b);
                prop_assert_eq!(term.holds(&b), other == n, "kind {}: {}", number, term);
                if kind.widens && other != NONE {
                    let either = (kind.term)(&[other, n]);
                    prop_assert!(either.holds(&a) && either.holds(&b), "kind {}: {}", number, either);
                }
            }
        }
    }

    #[test]
    fn finer_ranges_are_within_coarser_ones() {
        for kind in &KINDS {
            let Some(finer) = kind.finer.and_then(|finer| KINDS.get(finer)) else { continue };
            let mut coarse = std::collections::BTreeMap::new();
            for value in 0..=u16::MAX {
                let mut v = MatchVector::default();
                v[field::PROTOCOL] = protocol::UDP;
                v[field::L4_FACTS] = l4_fact::PRESENT | l4_fact::PAYLOAD_8;
                v[field::TTL] = value as u8;
                for at in [field::LENGTH, field::SOURCE_PORT, field::PAYLOAD] {
                    v[at..at + 2].copy_from_slice(&value.to_be_bytes());
                }
                let (n, fine) = ((kind.of)(&v), (finer.of)(&v));
                assert_eq!(*coarse.entry(fine).or_insert(n), n, "{value}");
            }
        }
    }

    #[test]
    fn a_payload_of_ones_is_no_number() {
        let mut v = MatchVector::default();
        v[field::L4_FACTS] = l4_fact::PRESENT | l4_fact::PAYLOAD_8;
        v[field::PAYLOAD..field::PAYLOAD + 8].fill(0xff);
        assert_eq!(payload(&v, 8), NONE, "it is taken for none, and never asked for");
    }
}
