//! What a rule's terms together allow at each field, and how that becomes conjunctions over single bytes.

use weir_abi::rules::{FIELDS, field, ip_fact, l4_fact};

use super::term::protocol;
use super::{ByteSet, Fact, Match, Term, WordSet};

/// One conjunction: for every field the bytes it accepts.
pub(super) type Conjunction = [ByteSet; FIELDS];

/// The two-byte fields.
const WORDS: [usize; 4] = [field::LENGTH, field::SOURCE_PORT, field::DESTINATION_PORT, field::WINDOW];

/// What is allowed at each field.
pub(super) struct Shape {
    bytes: Conjunction,
    words: [WordSet; WORDS.len()],
}

impl Shape {
    /// The terms' requirements together.
    pub(super) fn of(matches: &Match) -> Self {
        let mut shape = Self { bytes: [ByteSet::FULL; FIELDS], words: std::array::from_fn(|_| WordSet::full()) };
        for term in &matches.terms {
            shape.add(term);
        }
        shape
    }

    /// How many conjunctions it takes; 0: no packet can match.
    pub(super) fn count(&self) -> usize {
        if self.bytes.iter().any(ByteSet::is_empty) {
            return 0;
        }
        // Four fields of at most 256 products each.
        self.words.iter().map(|w| w.products().len()).product()
    }

    /// The conjunctions, disjoint: the product of what each two-byte field is split into.
    pub(super) fn conjunctions(&self) -> Vec<Conjunction> {
        let mut out = vec![self.bytes];
        for (set, at) in self.words.iter().zip(WORDS) {
            let products = set.products();
            out = out
                .iter()
                .flat_map(|c| {
                    products.iter().map(move |(high, low)| {
                        let mut c = *c;
                        c[at] = c[at].and(high);
                        c[at + 1] = c[at + 1].and(low);
                        c
                    })
                })
                .filter(|c| !c[at].is_empty() && !c[at + 1].is_empty())
                .collect();
        }
        out
    }

    fn add(&mut self, term: &Term) {
        match term {
            Term::Is(fact, wanted) => self.fact(*fact, *wanted),
            Term::Protocol(set) => self.byte(field::PROTOCOL, set),
            Term::Ttl(set) => self.byte(field::TTL, set),
            Term::Tos(set) => self.byte(field::TOS, set),
            Term::Length(set) => self.word(0, set),
            Term::SourcePort(set) => {
                self.read(&protocol::WITH_PORTS);
                self.word(1, set);
            }
            Term::DestinationPort(set) => {
                self.read(&protocol::WITH_PORTS);
                self.word(2, set);
            }
            Term::IcmpType(set) => {
                self.read(&[protocol::ICMP, protocol::ICMP6]);
                self.byte(field::SOURCE_PORT, set);
            }
            Term::IcmpCode(set) => {
                self.read(&[protocol::ICMP, protocol::ICMP6]);
                self.byte(field::SOURCE_PORT + 1, set);
            }
            Term::Flags { mask, value } => {
                self.read(&[protocol::TCP]);
                self.byte(field::TCP_FLAGS, &ByteSet::masked(*mask, *value));
            }
            Term::Window(set) => {
                self.read(&[protocol::TCP]);
                self.word(3, set);
            }
            Term::DataOffset(set) => {
                self.read(&[protocol::TCP]);
                self.byte(field::DATA_OFFSET, set);
            }
            Term::OptionLayout(set) => {
                self.read(&[protocol::TCP]);
                self.byte(field::OPTION_LAYOUT, set);
            }
            Term::Payload(p) => {
                let needed = l4_fact::PRESENT | l4_fact::PAYLOAD_8;
                self.bits(field::L4_FACTS, needed, needed);
                for (i, (&mask, &value)) in p.mask.iter().zip(&p.value).enumerate() {
                    self.bits(field::PAYLOAD + i, mask, value);
                }
            }
        }
    }

    fn fact(&mut self, fact: Fact, wanted: bool) {
        let ip = |shape: &mut Self, bits: u8| {
            shape.byte(field::IP_FACTS, &ByteSet::of(|v| (v & bits != 0) == wanted));
        };
        let l4 =
            |shape: &mut Self, bit: u8, wanted: bool| shape.bits(field::L4_FACTS, bit, if wanted { bit } else { 0 });
        match fact {
            Fact::V6 => ip(self, ip_fact::V6),
            Fact::Df => ip(self, ip_fact::DF),
            Fact::Fragment => ip(self, ip_fact::FRAGMENT_FIRST | ip_fact::FRAGMENT_LATER),
            Fact::FirstFragment => ip(self, ip_fact::FRAGMENT_FIRST),
            Fact::LaterFragment => ip(self, ip_fact::FRAGMENT_LATER),
            Fact::IpOptions => ip(self, ip_fact::OPTIONS),
            Fact::IdZero => ip(self, ip_fact::ID_ZERO),
            Fact::Payload => {
                self.bits(field::L4_FACTS, l4_fact::PRESENT, l4_fact::PRESENT);
                l4(self, l4_fact::PAYLOAD_EMPTY, !wanted);
            }
            Fact::SeqLowZero => {
                self.read(&[protocol::TCP]);
                l4(self, l4_fact::SEQ_LOW_ZERO, wanted);
            }
            Fact::AckZero => {
                self.read(&[protocol::TCP]);
                l4(self, l4_fact::ACK_ZERO, wanted);
            }
        }
    }

    /// One of these protocols, its header read.
    fn read(&mut self, protocols: &[u8]) {
        self.byte(field::PROTOCOL, &ByteSet::of(|v| protocols.contains(&v)));
        self.bits(field::L4_FACTS, l4_fact::PRESENT, l4_fact::PRESENT);
    }

    fn byte(&mut self, at: usize, set: &ByteSet) {
        self.bytes[at] = self.bytes[at].and(set);
    }

    fn bits(&mut self, at: usize, mask: u8, value: u8) {
        self.byte(at, &ByteSet::masked(mask, value));
    }

    fn word(&mut self, which: usize, set: &WordSet) {
        self.words[which] = self.words[which].and(set);
    }
}
