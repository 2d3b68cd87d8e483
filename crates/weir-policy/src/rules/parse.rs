//! From text to a rule's match: `udp and sport 123 and length 460-480`. Close to pcap-filter, without its "or".

use std::str::FromStr;

use super::cursor::Parser;
use super::problem::{ParseError, Problem};
use super::scan::{Token, scan};
use super::term::{Fact, Payload, Term};
use super::text::{FACTS, FLAGS, PROTOCOLS};
use super::{ByteSet, Match, WordSet};

impl FromStr for Match {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let tokens = scan(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0, end: text.chars().count() + 1 };
        let mut terms = vec![parser.term()?];
        while let Some(token) = parser.peek() {
            // `&&` scans as the sign `&`.
            if !matches!(token, Token::Sign('&')) && *token != Token::Word("and".to_owned()) {
                return parser.fail(Problem::NoAnd(token.show()));
            }
            parser.at += 1;
            terms.push(parser.term()?);
        }
        Ok(Match { terms })
    }
}

impl Parser<'_> {
    fn term(&mut self) -> Result<Term, ParseError> {
        let Some(Token::Word(word)) = self.peek() else {
            return match self.peek() {
                Some(token) => self.fail(Problem::UnknownTerm(token.show())),
                None => self.fail(Problem::NoTerm),
            };
        };
        let word = word.clone();
        if word == "no" || word == "not" {
            self.at += 1;
            return self.negated();
        }
        if let Some(&(_, number)) = PROTOCOLS.iter().find(|(name, _)| *name == word) {
            self.at += 1;
            return Ok(Term::Protocol(ByteSet::one(number)));
        }
        match word.as_str() {
            "protocol" => self.bytes(Term::Protocol),
            "ttl" => self.ttl(),
            "tos" => self.bytes(Term::Tos),
            "icmp_type" => self.bytes(Term::IcmpType),
            "icmp_code" => self.bytes(Term::IcmpCode),
            "data_offset" => self.bytes(Term::DataOffset),
            "layout" => self.bytes(Term::OptionLayout),
            "length" => self.words(Term::Length),
            "sport" => self.words(Term::SourcePort),
            "dport" => self.words(Term::DestinationPort),
            "window" => self.words(Term::Window),
            "flags" => self.flags(),
            "payload" => self.payload(),
            "ip4" | "ip" => self.fact(Fact::V6, false),
            "options" => {
                self.at += 1;
                Ok(Term::DataOffset(ByteSet::of(|v| v != 5)))
            }
            _ => match FACTS.iter().find(|(name, _)| *name == word) {
                Some(&(_, fact)) => self.fact(fact, true),
                None => self.fail(Problem::UnknownTerm(word)),
            },
        }
    }

    fn negated(&mut self) -> Result<Term, ParseError> {
        let Some(Token::Word(word)) = self.peek() else { return self.fail(Problem::NoNegation) };
        if word == "options" {
            self.at += 1;
            return Ok(Term::DataOffset(ByteSet::one(5)));
        }
        match FACTS.iter().find(|(name, _)| name == word) {
            Some(&(_, fact)) => self.fact(fact, false),
            None => self.fail(Problem::NoNegation),
        }
    }

    fn fact(&mut self, fact: Fact, wanted: bool) -> Result<Term, ParseError> {
        self.at += 1;
        Ok(Term::Is(fact, wanted))
    }

    fn bytes(&mut self, make: fn(ByteSet) -> Term) -> Result<Term, ParseError> {
        self.at += 1;
        let ranges = self.ranges(u8::MAX.into())?;
        Ok(make(ranges.into_iter().map(|(low, high)| low as u8..=high as u8).collect()))
    }

    fn words(&mut self, make: fn(WordSet) -> Term) -> Result<Term, ParseError> {
        self.at += 1;
        let ranges = self.ranges(u16::MAX)?;
        Ok(make(ranges.into_iter().map(|(low, high)| low..=high).collect()))
    }

    /// `ttl 64`, `ttl 50-64`, `ttl ~64`: sent with an initial TTL of 64, however many hops ago.
    fn ttl(&mut self) -> Result<Term, ParseError> {
        if self.tokens.get(self.at + 1).map(|(_, token)| token) != Some(&Token::Sign('~')) {
            return self.bytes(Term::Ttl);
        }
        self.at += 2;
        Ok(Term::ttl_bucket(self.number(u8::MAX.into())? as u8))
    }

    /// `flags = syn`, `flags & 0x12 = 0x02`, `flags & syn|ack = syn`
    fn flags(&mut self) -> Result<Term, ParseError> {
        self.at += 1;
        let mask = if self.take('&') { self.flag_set()? } else { 0xff };
        self.need('=')?;
        let start = self.at;
        let value = self.flag_set()?;
        if value & !mask != 0 {
            self.at = start;
            return self.fail(Problem::OutsideMask);
        }
        Ok(Term::Flags { mask, value })
    }

    fn flag_set(&mut self) -> Result<u8, ParseError> {
        let mut set = 0;
        loop {
            set |= match self.peek() {
                Some(Token::Word(word)) => match FLAGS.iter().find(|(name, _)| name == word) {
                    Some(&(_, bit)) => {
                        self.at += 1;
                        bit
                    }
                    None => return self.fail(Problem::NoNumber(Some(word.clone()))),
                },
                _ => self.number(u8::MAX.into())? as u8,
            };
            if !self.take('|') {
                return Ok(set);
            }
        }
    }

    /// `payload`, `payload = 0x474554`, `payload = "GET"`, `payload & 0xff00 = 0x4700`
    fn payload(&mut self) -> Result<Term, ParseError> {
        self.at += 1;
        // `payload & 0x..` is a mask, `payload && udp` the next term.
        let masked = self.peek() == Some(&Token::Sign('&'))
            && matches!(self.tokens.get(self.at + 1), Some((_, Token::Number(_))));
        if !masked && self.peek() != Some(&Token::Sign('=')) {
            return Ok(Term::Is(Fact::Payload, true));
        }
        let mask = if masked {
            self.at += 1;
            Some(self.payload_bytes()?)
        } else {
            None
        };
        self.need('=')?;
        let start = self.at;
        let (len, value) = self.payload_bytes()?;
        let all = std::array::from_fn(|i| if i < len { 0xff } else { 0 });
        let (mask_len, mask) = mask.unwrap_or((len, all));
        let problem = if mask_len != len {
            Problem::MaskLength
        } else if value.iter().zip(mask).any(|(v, m)| v & !m != 0) {
            Problem::OutsideMask
        } else {
            return Ok(Term::Payload(Payload { len: len as u8, mask, value }));
        };
        self.at = start;
        self.fail(problem)
    }

    fn payload_bytes(&mut self) -> Result<(usize, [u8; 8]), ParseError> {
        let bytes = match self.peek() {
            Some(Token::Quoted(bytes)) => Some(bytes.clone()),
            Some(Token::Number(text)) => text.strip_prefix("0x").and_then(|digits| {
                let pairs: Vec<_> = digits.as_bytes().chunks(2).collect();
                pairs
                    .iter()
                    .map(|pair| match pair {
                        [_, _] => u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok(),
                        _ => None,
                    })
                    .collect()
            }),
            _ => None,
        };
        match bytes {
            Some(bytes) if (1..=8).contains(&bytes.len()) => {
                self.at += 1;
                let mut out = [0; 8];
                out[..bytes.len()].copy_from_slice(&bytes);
                Ok((bytes.len(), out))
            }
            _ => self.fail(Problem::BadPayload),
        }
    }
}
