//! What can be wrong with a rule's text, and where.

use thiserror::Error;

/// Where a text stops being a rule, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("column {column}: {problem}")]
pub struct ParseError {
    /// The character where it goes wrong, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a rule's text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// Nothing at all, or nothing behind an `and`.
    #[error("a term is missing, for example `udp` or `sport 123`")]
    NoTerm,
    /// A word that begins no term.
    #[error(
        "`{0}` begins no term; terms are tcp, udp, icmp, icmp6, sctp, gre, esp, protocol, ip4, ip6, ttl, tos, length, df, \
         fragment, first_fragment, later_fragment, ip_options, id_zero, sport, dport, icmp_type, icmp_code, flags, window, \
         data_offset, options, layout, seq_low_zero, ack_zero, payload"
    )]
    UnknownTerm(String),
    /// Something other than `and` between terms.
    #[error(
        "`{0}` stands where `and` was expected; for \"or\" write two rules, or a list such as `sport 53,123,1900-1910`"
    )]
    NoAnd(String),
    /// `no` before a term that is not a yes-or-no fact.
    #[error(
        "`no` goes only before facts such as `df`, `fragment`, `options`, `payload`; name the other values instead"
    )]
    NoNegation,
    /// Not a number.
    #[error("a number was expected{}, decimal or hexadecimal with 0x", instead_of(.0))]
    NoNumber(Option<String>),
    /// A number beyond its field.
    #[error("{value} is beyond this field, which holds 0 to {most}")]
    TooLarge {
        /// What was written.
        value: String,
        /// The largest value.
        most: u64,
    },
    /// A range whose ends are the wrong way round.
    #[error("the range {0}-{1} is empty; write the smaller number first")]
    EmptyRange(u16, u16),
    /// A sign is missing.
    #[error("`{expected}` was expected{}", instead_of(.found))]
    NoSign {
        /// The sign.
        expected: char,
        /// What stands there.
        found: Option<String>,
    },
    /// A value with bits that the mask hides.
    #[error("the value has bits outside its mask and can never match; clear them or widen the mask")]
    OutsideMask,
    /// Payload bytes that are none.
    #[error("payload is one to eight bytes: hexadecimal with two digits a byte (0x474554), or text in quotes")]
    BadPayload,
    /// A mask of another length than its value.
    #[error("mask and value must have the same number of bytes, two hexadecimal digits each")]
    MaskLength,
    /// A quote that is not closed.
    #[error("this quote is not closed")]
    OpenQuote,
    /// A character that occurs nowhere in rules.
    #[error("the character `{0}` has no meaning in a rule")]
    Character(char),
}

/// "found such and such", for the end of a message.
fn instead_of(token: &Option<String>) -> String {
    token.as_ref().map_or(" before the end".to_owned(), |t| format!(" instead of `{t}`"))
}
