//! The words, numbers and signs of a rule's text, each with its column.

use super::problem::{ParseError, Problem};

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word: letters, digits, underscores, not beginning with a digit.
    Word(String),
    /// A number as it was written, `0x` included.
    Number(String),
    /// A quoted string's bytes.
    Quoted(Vec<u8>),
    /// A sign: one of `& = , - | ~`.
    Sign(char),
}

impl Token {
    /// The token as it is quoted in an error.
    pub(super) fn show(&self) -> String {
        match self {
            Token::Word(text) | Token::Number(text) => text.clone(),
            Token::Quoted(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Token::Sign(sign) => sign.to_string(),
        }
    }
}

/// Cuts a text into tokens with their columns, counted in characters from 1.
pub(super) fn scan(text: &str) -> Result<Vec<(usize, Token)>, ParseError> {
    let mut out = Vec::new();
    let mut rest = text.chars().enumerate().map(|(i, c)| (i + 1, c)).peekable();
    while let Some(&(column, c)) = rest.peek() {
        let mut run = |keep: fn(char) -> bool| {
            let mut word = String::new();
            while let Some((_, c)) = rest.next_if(|&(_, c)| keep(c)) {
                word.push(c);
            }
            word
        };
        let token = match c {
            c if c.is_whitespace() => {
                run(char::is_whitespace);
                continue;
            }
            '0'..='9' => Token::Number(run(|c| c.is_ascii_alphanumeric())),
            c if c.is_ascii_alphabetic() => Token::Word(run(|c| c.is_ascii_alphanumeric() || c == '_')),
            '"' => {
                rest.next();
                let mut bytes = String::new();
                loop {
                    match rest.next() {
                        Some((_, '"')) => break,
                        Some((_, c)) => bytes.push(c),
                        None => return Err(ParseError { column, problem: Problem::OpenQuote }),
                    }
                }
                Token::Quoted(bytes.into_bytes())
            }
            '&' | '=' | ',' | '-' | '|' | '~' => {
                rest.next();
                // `==` and `&&` as other languages have them.
                if matches!(c, '=' | '&') {
                    rest.next_if(|&(_, next)| next == c);
                }
                Token::Sign(c)
            }
            c => return Err(ParseError { column, problem: Problem::Character(c) }),
        };
        out.push((column, token));
    }
    Ok(out)
}
