//! What is known of customers before a target's own traffic was seen: no customer's stack sends some kinds of SYN.
//!
//! Of 6,035 benign SYNs (253 captures of single protocols, and an office network's) none was without options, none had a sequence
//! number that ends in 16 zero bits, none had window zero. By the exact bound that is less than one in two thousand. It counts only
//! as long as no benign packet of the target's own says otherwise.

use crate::bound::share_upper;
use weir_policy::rules::{ByteSet, Fact, MatchVector, Term, WordSet};

/// The bound that the observation proves.
const SHARE: f64 = 5e-4;

/// FIN, SYN, RST and ACK (RFC 9293, 3.1).
const CONTROL: u8 = 1 | SYN | 4 | 16;
const SYN: u8 = 2;

/// It matches SYNs only.
const OF_SYNS: u8 = 1;
/// It matches what no customer's stack sends, if it is a SYN.
const IMPROPER: u8 = 2;

/// What a term says of it, as bits; those of a conjunction's terms are ORed.
pub fn told(term: &Term) -> u8 {
    let improper = |yes: bool| if yes { IMPROPER } else { 0 };
    match term {
        Term::Flags { mask, value } if mask & CONTROL == CONTROL && value & CONTROL == SYN => OF_SYNS,
        Term::Is(Fact::SeqLowZero, true) => IMPROPER,
        Term::DataOffset(set) => improper(*set == ByteSet::one(5)),
        Term::Window(set) => improper(*set == WordSet::one(0)),
        _ => 0,
    }
}

/// Whether a conjunction of which this was told matches only what no customer's stack sends.
pub fn is_improper(told: u8) -> bool {
    told == OF_SYNS | IMPROPER
}

/// The packets of an attack that show it by a sign which no customer's stack has: of all signs, the one that is most frequent in it for how
/// frequent it may be among benign packets. Scanners have some of them at any time.
pub fn improper(attack: &[MatchVector], benign: &[MatchVector]) -> Vec<MatchVector> {
    let syn = Term::Flags { mask: CONTROL, value: SYN };
    let signs = [Term::Is(Fact::SeqLowZero, true), Term::DataOffset(ByteSet::one(5)), Term::Window(WordSet::one(0))];
    let with = |packets: &[MatchVector], sign: &Term| {
        packets.iter().filter(|packet| syn.holds(packet) && sign.holds(packet)).copied().collect::<Vec<_>>()
    };
    let shown = signs.iter().map(|sign| {
        let shown = with(attack, sign);
        (shown.len() as f64 / share_upper(with(benign, sign).len(), benign.len()), shown)
    });
    shown.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, shown)| shown).unwrap_or_default()
}

/// The bound for a conjunction of which this was told, and which matches so many of the benign packets that were seen.
pub fn bounded(told: u8, seen: usize, bound: f64) -> f64 {
    if is_improper(told) && seen == 0 { bound.min(SHARE) } else { bound }
}

#[cfg(test)]
mod tests {
    //! It needs both halves, and the target's own packets overrule it.
    use super::*;

    #[test]
    fn a_syn_without_options_is_rare_anywhere() {
        let syn = told(&Term::Flags { mask: 0xff, value: SYN });
        let bare = told(&Term::DataOffset(ByteSet::one(5)));
        assert_eq!(bounded(syn | bare, 0, 1.0), SHARE);
        assert_eq!(bounded(syn | bare, 1, 1.0), 1.0, "the target has such customers");
        assert_eq!(bounded(syn | bare, 0, 1e-4), 1e-4);
        assert_eq!(bounded(bare, 0, 1.0), 1.0, "an ACK has no options either");
        assert_eq!(bounded(syn, 0, 1.0), 1.0);
        assert_eq!(told(&Term::Flags { mask: SYN, value: SYN }), 0, "a SYN-ACK has the flag as well");
    }
}
