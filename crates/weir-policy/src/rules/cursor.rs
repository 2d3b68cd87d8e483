//! Moving through the tokens of a rule's text: signs, numbers, lists of ranges.

use super::problem::{ParseError, Problem};
use super::scan::Token;

/// Where reading has come to.
pub(super) struct Parser<'a> {
    pub(super) tokens: &'a [(usize, Token)],
    pub(super) at: usize,
    /// The column behind the text.
    pub(super) end: usize,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    pub(super) fn fail<T>(&self, problem: Problem) -> Result<T, ParseError> {
        let column = self.tokens.get(self.at).map_or(self.end, |(column, _)| *column);
        Err(ParseError { column, problem })
    }

    /// `53,123,1900-1910`
    pub(super) fn ranges(&mut self, most: u16) -> Result<Vec<(u16, u16)>, ParseError> {
        let mut out = Vec::new();
        loop {
            let start = self.at;
            let low = self.number(most)?;
            let mut high = low;
            if self.take('-') {
                high = self.number(most)?;
            }
            if low > high {
                self.at = start;
                return self.fail(Problem::EmptyRange(low, high));
            }
            out.push((low, high));
            if !self.take(',') {
                return Ok(out);
            }
        }
    }

    pub(super) fn number(&mut self, most: u16) -> Result<u16, ParseError> {
        let Some(Token::Number(text)) = self.peek() else {
            return self.fail(Problem::NoNumber(self.peek().map(Token::show)));
        };
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        match parsed {
            Ok(n) if n <= most.into() => {
                self.at += 1;
                Ok(n as u16)
            }
            Err(e) if *e.kind() != std::num::IntErrorKind::PosOverflow => {
                self.fail(Problem::NoNumber(Some(text.clone())))
            }
            _ => self.fail(Problem::TooLarge { value: text.clone(), most: most.into() }),
        }
    }

    pub(super) fn take(&mut self, sign: char) -> bool {
        let there = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(there);
        there
    }

    pub(super) fn need(&mut self, sign: char) -> Result<(), ParseError> {
        if self.take(sign) {
            return Ok(());
        }
        self.fail(Problem::NoSign { expected: sign, found: self.peek().map(Token::show) })
    }
}
