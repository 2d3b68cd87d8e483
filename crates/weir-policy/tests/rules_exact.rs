//! Rules as text and as tables: what is shown parses back, and the tables agree with direct evaluation on every vector.

use proptest::prelude::*;
use weir_abi::rules::{FIELDS, SLOTS, field, ip_fact, l4_fact};
use weir_policy::rules::{
    ByteSet, Fact, Match, MatchVector, Mode, Payload, Reach, Rule, RuleError, Term, WordSet, build, matching,
};

fn rule(text: &str) -> Rule {
    Rule { id: 1, matches: text.parse().unwrap(), mode: Mode::Enforce, reach: Reach::All }
}

/// A TCP SYN without options to port 443, from port 40000, TTL 57, 44 bytes.
fn syn() -> MatchVector {
    let mut v = [0; FIELDS];
    v[field::PROTOCOL] = 6;
    v[field::TTL] = 57;
    v[field::LENGTH + 1] = 44;
    v[field::IP_FACTS] = ip_fact::DF;
    [v[field::SOURCE_PORT], v[field::SOURCE_PORT + 1]] = 40_000u16.to_be_bytes();
    [v[field::DESTINATION_PORT], v[field::DESTINATION_PORT + 1]] = 443u16.to_be_bytes();
    v[field::TCP_FLAGS] = 0x02;
    [v[field::WINDOW], v[field::WINDOW + 1]] = 1024u16.to_be_bytes();
    v[field::DATA_OFFSET] = 5;
    v[field::L4_FACTS] = l4_fact::PRESENT | l4_fact::PAYLOAD_EMPTY | l4_fact::ACK_ZERO;
    v
}

#[test]
fn rules_read_like_what_they_match() {
    let fits = [
        "tcp and flags & 0x12 = 0x02 and no options and ack_zero",
        "tcp and flags & syn|ack = syn and no payload and df",
        "dport 80,443 and sport 32768-60999 and ttl ~64 and length 40-60",
        "ip4 and no fragment and window 1024 and no seq_low_zero",
        "protocol 1,6,17 and tos 0 and data_offset 5 and layout 0",
    ];
    let misses = [
        "udp",
        "udp and sport 123 and length 460-480",
        "tcp and flags = syn|ack",
        "icmp_type 156",
        "tcp and payload = \"GET \"",
        "options",
        "ip6",
        "payload",
    ];
    for text in fits {
        assert!(text.parse::<Match>().unwrap().holds(&syn()), "{text}");
    }
    for text in misses {
        assert!(!text.parse::<Match>().unwrap().holds(&syn()), "{text}");
    }
    let rules: Vec<Rule> = fits.iter().chain(&misses).map(|text| rule(text)).collect();
    let built = build(&rules, None);
    assert_eq!(built.errors, []);
    let hit = matching(&built.tables, &syn());
    for (i, (rule, slots)) in rules.iter().zip(&built.slots).enumerate() {
        assert_eq!(hit & slots != 0, i < fits.len(), "{}", rule.matches);
    }
}

#[test]
fn errors_give_the_column_and_say_what_to_write() {
    let cases = [
        ("", "column 1: a term is missing, for example `udp` or `sport 123`"),
        ("udp and", "column 8: a term is missing"),
        ("udp or tcp", "column 5: `or` stands where `and` was expected; for \"or\" write two rules"),
        ("udp and port 53", "column 9: `port` begins no term; terms are tcp, udp"),
        ("sport 70000", "column 7: 70000 is beyond this field, which holds 0 to 65535"),
        ("sport http", "column 7: a number was expected instead of `http`, decimal or hexadecimal"),
        ("ttl 64-50", "column 5: the range 64-50 is empty"),
        ("ttl 300", "column 5: 300 is beyond this field, which holds 0 to 255"),
        ("tcp and flags & 0x02 = 0x12", "column 24: the value has bits outside its mask"),
        ("tcp and flags & syn ack", "column 21: `=` was expected instead of `ack`"),
        ("no ttl 64", "column 4: `no` goes only before facts"),
        ("payload = 0x1", "column 11: payload is one to eight bytes"),
        ("payload = \"", "column 11: this quote is not closed"),
        ("payload & 0xff = 0x4745", "column 18: mask and value must have the same number of bytes"),
        ("sport 53; drop", "column 9: the character `;` has no meaning in a rule"),
    ];
    for (text, expected) in cases {
        let error = text.parse::<Match>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
}

#[test]
fn a_rule_that_needs_too_much_says_how_much() {
    // Every other port of 256 · 63 needs its own low bytes; 65 different high bytes cannot share.
    let ports: Vec<String> = (0..65u32).map(|i| (i * 256 + i).to_string()).collect();
    let rules = [rule("udp"), rule(&format!("udp and sport {}", ports.join(",")))];
    let errors = build(&rules, None).errors;
    assert_eq!(errors, [(1, RuleError::NoRoom { needed: 65, left: SLOTS - 1 })]);

    let contradiction = build(&[rule("udp and flags = syn")], None).errors;
    assert_eq!(contradiction, [(0, RuleError::Contradiction)]);
    let empty = Rule { matches: Match { terms: Vec::new() }, ..rule("udp") };
    assert_eq!(build(&[empty], None).errors, [(0, RuleError::NoTerm)]);
}

#[test]
fn a_rule_keeps_its_slots_while_others_come_and_go() {
    let numbered = |id: u32, text: &str| Rule { id, ..rule(text) };
    let old = build(&[numbered(1, "udp and sport 19"), numbered(2, "udp and sport 123")], None);
    let new = build(&[numbered(3, "udp and sport 53"), numbered(2, "udp and sport 123")], Some(&old.tables));
    assert_eq!(new.slots[1], old.slots[1], "the same rule stays where it was");
    assert_eq!(new.slots[0] & (old.slots[0] | old.slots[1]), 0, "a new one takes no slot that is in use");
    let changed = build(&[numbered(2, "udp and sport 124")], Some(&new.tables));
    assert_eq!(changed.slots[0] & (new.slots[0] | new.slots[1]), 0, "a changed rule is a new one");
}

#[test]
fn modes_are_bits_not_tables() {
    let modes = [Mode::Dormant, Mode::Shadow, Mode::Enforce];
    let rules: Vec<Rule> = modes.into_iter().map(|mode| Rule { mode, ..rule("tcp") }).collect();
    let built = build(&rules, None);
    let [dormant, shadow, enforce] = built.slots[..] else { panic!("three rules") };
    assert_eq!(built.tables.live, shadow | enforce);
    assert_eq!(built.tables.enforce, enforce);
    assert_eq!(matching(&built.tables, &syn()) & dormant, 0);
    let layout = build(&[rule("tcp"), rule("layout 7")], None);
    assert_eq!(
        layout.tables.needs_layout, layout.slots[1],
        "only rules that look at options make the packet path read them"
    );
    let payload = build(
        &[rule("layout 7"), rule("payload = 0x17"), rule("payload & 0x00000000000000ff = 0x0000000000000017")],
        None,
    );
    assert_eq!(payload.tables.needs_payload, payload.slots[1] | payload.slots[2], "and so it is with the payload");
    let header = ["ttl 64", "tos 4", "no df", "length 40-60", "df and window 1024"];
    let facts = ["no ack_zero", "payload", "payload = 0x17", "data_offset 5"];
    let rest = ["tcp and dport 80", "udp and sport 53", "window 1024", "flags = syn"];
    let built = build(&[&header[..], &facts, &rest].concat().into_iter().map(rule).collect::<Vec<_>>(), None);
    assert_eq!(built.errors, []);
    let slots = |from: usize, to: usize| built.slots[from..to].iter().fold(0, |all, slot| all | slot);
    assert_eq!(built.tables.needs_headers, slots(0, 5), "with what few rules look at in the IP header");
    assert_eq!(built.tables.needs_facts, slots(5, 9), "and with facts of what it carries");
}

fn bytes() -> impl Strategy<Value = ByteSet> {
    prop::collection::vec((any::<u8>(), 0..40u8), 1..4)
        .prop_map(|r| r.into_iter().map(|(low, more)| low..=low.saturating_add(more)).collect())
}

fn words() -> impl Strategy<Value = WordSet> {
    prop::collection::vec((any::<u16>(), prop_oneof![Just(0u16), 0..2000u16]), 1..3)
        .prop_map(|r| r.into_iter().map(|(low, more)| low..=low.saturating_add(more)).collect())
}

fn term() -> impl Strategy<Value = Term> {
    let fact = prop::sample::select(vec![
        Fact::V6,
        Fact::Df,
        Fact::Fragment,
        Fact::FirstFragment,
        Fact::LaterFragment,
        Fact::IpOptions,
        Fact::IdZero,
        Fact::Payload,
        Fact::SeqLowZero,
        Fact::AckZero,
    ]);
    let protocols = prop_oneof![prop::sample::select(vec![1u8, 6, 17, 58, 132]).prop_map(ByteSet::one), bytes()];
    let payload = (1..=8usize, any::<[u8; 8]>(), any::<[u8; 8]>()).prop_map(|(len, mask, value)| {
        let mask = std::array::from_fn(|i| if i < len { mask[i] | 0x80 } else { 0 });
        Payload { len: len as u8, mask, value: std::array::from_fn(|i| value[i] & mask[i]) }
    });
    prop_oneof![
        (fact, any::<bool>()).prop_map(|(fact, wanted)| Term::Is(fact, wanted)),
        protocols.prop_map(Term::Protocol),
        bytes().prop_map(Term::Ttl),
        bytes().prop_map(Term::Tos),
        words().prop_map(Term::Length),
        words().prop_map(Term::SourcePort),
        words().prop_map(Term::DestinationPort),
        bytes().prop_map(Term::IcmpType),
        bytes().prop_map(Term::IcmpCode),
        any::<(u8, u8)>().prop_map(|(mask, value)| Term::Flags { mask, value: value & mask }),
        words().prop_map(Term::Window),
        bytes().prop_map(Term::DataOffset),
        bytes().prop_map(Term::OptionLayout),
        payload.prop_map(Term::Payload),
    ]
}

fn matches() -> impl Strategy<Value = Match> {
    prop::collection::vec(term(), 1..4).prop_map(|terms| Match { terms })
}

/// A vector of any bytes, but often of a protocol that rules name and with its header read.
fn vector() -> impl Strategy<Value = MatchVector> {
    (any::<MatchVector>(), prop::sample::select(vec![1u8, 6, 17, 58, 132, 255])).prop_map(|(mut v, protocol)| {
        if protocol != 255 {
            v[field::PROTOCOL] = protocol;
            v[field::L4_FACTS] |= l4_fact::PRESENT;
        }
        v
    })
}

/// Bends a vector towards a term, so that near misses and hits are common.
fn bend(v: &mut MatchVector, term: &Term, pick: u16) {
    let byte = |set: &ByteSet| set.values().nth(usize::from(pick) % set.values().count()).unwrap_or(0);
    let word = |set: &WordSet| (0..=u16::MAX).cycle().skip(usize::from(pick)).find(|w| set.contains(*w)).unwrap_or(0);
    let mut put = |at: usize, value: u16| [v[at], v[at + 1]] = value.to_be_bytes();
    match term {
        Term::Length(set) => put(field::LENGTH, word(set)),
        Term::SourcePort(set) => put(field::SOURCE_PORT, word(set)),
        Term::DestinationPort(set) => put(field::DESTINATION_PORT, word(set)),
        Term::Window(set) => put(field::WINDOW, word(set)),
        Term::Protocol(set) => v[field::PROTOCOL] = byte(set),
        Term::Ttl(set) => v[field::TTL] = byte(set),
        Term::Tos(set) => v[field::TOS] = byte(set),
        Term::IcmpType(set) => v[field::SOURCE_PORT] = byte(set),
        Term::IcmpCode(set) => v[field::SOURCE_PORT + 1] = byte(set),
        Term::DataOffset(set) => v[field::DATA_OFFSET] = byte(set),
        Term::OptionLayout(set) => v[field::OPTION_LAYOUT] = byte(set),
        Term::Flags { mask, value } => v[field::TCP_FLAGS] = v[field::TCP_FLAGS] & !mask | value,
        Term::Payload(p) => {
            (0..8).for_each(|i| v[field::PAYLOAD + i] = v[field::PAYLOAD + i] & !p.mask[i] | p.value[i])
        }
        Term::Is(..) => {}
    }
}

proptest! {
    #[test]
    fn what_is_shown_parses_back(matches in matches()) {
        let text = matches.to_string();
        prop_assert_eq!(text.parse::<Match>(), Ok(matches), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z0-9_x&=,|~\" -]{0,40}") {
        let _ = text.parse::<Match>();
    }

    #[test]
    fn tables_agree_with_direct_evaluation(
        rules in prop::collection::vec(matches(), 1..6),
        vectors in prop::collection::vec((vector(), any::<u16>(), any::<bool>()), 40),
    ) {
        let rules: Vec<Rule> = rules.into_iter().map(|m| Rule { matches: m, ..rule("udp") }).collect();
        let built = build(&rules, None);
        for (mut v, pick, bent) in vectors {
            if bent {
                let target = &rules[usize::from(pick) % rules.len()];
                target.matches.terms.iter().for_each(|t| bend(&mut v, t, pick));
            }
            let hit = matching(&built.tables, &v);
            for (i, (rule, slots)) in rules.iter().zip(&built.slots).enumerate() {
                match built.errors.iter().find(|(at, _)| *at == i) {
                    Some((_, RuleError::Contradiction)) => prop_assert!(!rule.matches.holds(&v), "{}", rule.matches),
                    Some(_) => prop_assert_eq!(*slots, 0),
                    None => prop_assert_eq!(hit & slots != 0, rule.matches.holds(&v), "{} on {:?}", rule.matches, v),
                }
            }
        }
    }
}
