//! The answer to an attack that no rule may drop, where no connection and no challenge tells it from customers either: what comes of it is held to
//! twice what is usual, and sources that come regularly are not counted (see [`crate::regulars`]). Where rules are known to match
//! few customers, if not few enough to drop by them, it is what they match; else it is the whole kind of packets.

use weir_policy::rules::{Match, MatchVector};

use crate::baseline::{Fast, WINDOWS_PER_SECOND};
use crate::vector::Vector;

/// Deviations above the mean that hardly a calm window has (the 99th percentile of a normal distribution is at 2.3).
const BUSY: f64 = 3.0;
/// Times of that.
const ROOM: f64 = 2.0;
/// Packets per second that a target takes in any case.
const LEAST: u64 = 200;
/// What is limited apart, at most: each is a rule, and rules are few.
const MOST: usize = 8;
/// Of the samples, the least share that comes from such a port.
const SHARE: f64 = 0.05;

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Packets per second, of all sources together that do not come regularly.
    pub packets: u64,
    /// What is held to it: packets that any of these matches.
    pub matches: Vec<Match>,
}

impl Limited {
    /// What it is for, in words.
    pub fn told(&self) -> String {
        self.matches.iter().map(Match::to_string).collect::<Vec<_>>().join(" or ")
    }
}

/// Whether a limit is an answer to a flood of a kind: TCP has better ones, its connections and the challenge.
pub const fn answers(vector: Vector) -> bool {
    !matches!(vector, Vector::Syn | Vector::Tcp | Vector::RstFin | Vector::Slow | Vector::Connections)
}

/// Whether packets of a kind are answers, which somebody must have asked for.
pub const fn is_answer(vector: Vector) -> bool {
    matches!(vector, Vector::UdpReflection | Vector::SynAck)
}

/// What is to be held to a limit: what these rules match, and the kind of packets of these samples, which none of them matches. What was
/// limited before stays, since attacks take turns.
pub fn matches(vector: Vector, rules: Vec<Match>, left: &[&MatchVector], before: &[Match]) -> Vec<Match> {
    let text = match vector {
        Vector::UdpReflection => return union(before, rules.into_iter().chain(of_ports(left))),
        Vector::SynAck => "tcp and flags & syn|ack = syn|ack",
        Vector::Udp => "udp",
        Vector::Icmp => "protocol 1,58",
        Vector::Fragment => "fragment",
        // Whatever the others are, they are not one kind.
        Vector::Other | Vector::Syn | Vector::Tcp | Vector::RstFin | Vector::Slow | Vector::Connections => "",
    };
    let whole = if left.is_empty() { None } else { text.parse().ok() };
    union(before, rules.into_iter().chain(whole))
}

/// The newest of all, each once.
fn union(before: &[Match], more: impl Iterator<Item = Match>) -> Vec<Match> {
    let mut all = before.to_vec();
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all.drain(..all.len().saturating_sub(MOST));
    all
}

/// A rule for each port that much of it comes from, the most frequent last.
fn of_ports(packets: &[&MatchVector]) -> Vec<Match> {
    let mut ports = packets.iter().filter_map(|packet| source_port(packet)).collect::<Vec<_>>();
    ports.sort_unstable();
    let least = (SHARE * ports.len() as f64).ceil() as usize;
    let mut ports = ports.chunk_by(|a, b| a == b).filter(|same| same.len() >= least).collect::<Vec<_>>();
    ports.sort_by_key(|same| same.len());
    ports.iter().filter_map(|same| format!("udp and sport {}", same.first()?).parse().ok()).collect()
}

fn source_port(packet: &MatchVector) -> Option<u16> {
    use weir_abi::rules::{field, l4_fact};
    let port = u16::from_be_bytes([packet[field::SOURCE_PORT], packet[field::SOURCE_PORT + 1]]);
    (packet[field::L4_FACTS] & l4_fact::PRESENT != 0).then_some(port)
}

/// Packets per second that are harmless.
pub fn harmless(usual: &Fast) -> u64 {
    let busy = usual.mean() + BUSY * usual.deviation();
    ((busy * ROOM * f64::from(WINDOWS_PER_SECOND)) as u64).max(LEAST)
}

#[cfg(test)]
mod tests {
    //! What is limited, and how wide.
    use super::*;
    use weir_abi::rules::{field, l4_fact};

    fn told(matches: Vec<Match>) -> String {
        Limited { packets: 0, matches }.told()
    }

    fn from_port(port: u16) -> MatchVector {
        let mut packet = MatchVector::default();
        packet[field::PROTOCOL] = 17;
        packet[field::L4_FACTS] = l4_fact::PRESENT;
        packet[field::SOURCE_PORT..field::SOURCE_PORT + 2].copy_from_slice(&port.to_be_bytes());
        packet
    }

    #[test]
    fn every_kind_that_has_no_better_answer_is_limited_as_a_whole() {
        let any = MatchVector::default();
        let whole = |vector| told(matches(vector, Vec::new(), &[&any], &[]));
        assert_eq!(Vector::ALL.map(answers), [false, true, false, false, true, true, true, true, true]);
        let all = Vector::ALL.map(whole).join("; ");
        assert_eq!(all, "; tcp and flags & 0x12 = 0x12; ; ; udp; ; protocol 1,58; fragment; ");
    }

    #[test]
    fn reflectors_are_limited_by_their_ports_and_stay_when_others_take_turns() {
        let ports = |ports: &[(u16, usize)], before: &[Match]| {
            let samples = ports.iter().flat_map(|&(port, n)| vec![from_port(port); n]).collect::<Vec<_>>();
            matches(Vector::UdpReflection, Vec::new(), &samples.iter().collect::<Vec<_>>(), before)
        };
        let first = ports(&[(53, 60), (123, 38), (1900, 2)], &[]);
        assert_eq!(told(first.clone()), "udp and sport 123 or udp and sport 53", "two in a hundred are too few");
        let next = ports(&[(389, 9)], &first);
        assert_eq!(told(next.clone()), "udp and sport 123 or udp and sport 53 or udp and sport 389");
        let many = (0..9).fold(next, |before, i| ports(&[(5000 + i, 1)], &before));
        assert_eq!((many.len(), told(vec![many[7].clone()])), (MOST, "udp and sport 5008".to_owned()));
    }

    #[test]
    fn what_rules_match_is_limited_and_the_rest_where_there_is_much() {
        let any = MatchVector::default();
        let rule = "udp and length 100".parse::<Match>().unwrap();
        let narrow = matches(Vector::Udp, vec![rule.clone()], &[], &[]);
        assert_eq!(told(narrow.clone()), "udp and length 100");
        assert_eq!(told(matches(Vector::Udp, vec![rule], &[&any], &narrow)), "udp and length 100 or udp");
    }

    #[test]
    fn twice_the_busiest_calm_windows_and_never_nothing() {
        let mut usual = Fast::default();
        assert_eq!(harmless(&usual), LEAST);
        (0..2000).for_each(|_| usual.learn(100.0));
        let per_second = harmless(&usual);
        assert!((2000..4000).contains(&per_second), "{per_second}");
    }
}
