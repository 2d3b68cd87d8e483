//! Splits Rust source into code and comments, line by line, so that checks meet neither words in strings nor code in
//! comments. It knows just enough of the language for that: comments, strings, characters against lifetimes.

/// One line: its code with the insides of literals blanked, and the text of its comments.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Line {
    pub code: String,
    pub comment: String,
}

impl Line {
    /// Nothing but a comment.
    pub fn is_comment(&self) -> bool {
        self.code.trim().is_empty() && !self.comment.trim().is_empty()
    }

    /// The code has this word, whole.
    pub fn has_word(&self, word: &str) -> bool {
        words(&self.code).any(|found| found == word)
    }
}

/// The identifiers and keywords of a piece of code.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

enum Inside {
    Code,
    LineComment,
    /// Block comments nest.
    BlockComment(usize),
    /// A string; a raw one ends at a quote and so many hashes.
    Text {
        hashes: Option<usize>,
    },
}

/// Splits a source text.
pub fn lines(source: &str) -> Vec<Line> {
    let chars = source.chars().collect::<Vec<_>>();
    let mut lines = vec![Line::default()];
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < chars.len() {
        let (c, next) = (chars[at], chars.get(at + 1).copied());
        let last = lines.len() - 1;
        if c == '\n' {
            if matches!(inside, Inside::LineComment) {
                inside = Inside::Code;
            }
            lines.push(Line::default());
            at += 1;
            continue;
        }
        let line = &mut lines[last];
        match inside {
            Inside::Code => match (c, next) {
                ('/', Some('/')) => inside = Inside::LineComment,
                ('/', Some('*')) => {
                    inside = Inside::BlockComment(1);
                    at += 1;
                }
                ('"', _) => {
                    line.code.push('"');
                    inside = Inside::Text { hashes: raw_hashes(&chars[..at]) };
                }
                ('\'', _) => {
                    line.code.push('\'');
                    at += skip_char(&chars[at + 1..]);
                }
                _ => line.code.push(c),
            },
            Inside::LineComment => line.comment.push(c),
            Inside::BlockComment(depth) => match (c, next) {
                ('*', Some('/')) => {
                    inside = if depth == 1 { Inside::Code } else { Inside::BlockComment(depth - 1) };
                    at += 1;
                }
                ('/', Some('*')) => {
                    inside = Inside::BlockComment(depth + 1);
                    at += 1;
                }
                _ => line.comment.push(c),
            },
            Inside::Text { hashes: None } => match c {
                // An escaped line end stays a line end.
                '\\' if next != Some('\n') => at += 1,
                '"' => {
                    line.code.push('"');
                    inside = Inside::Code;
                }
                _ => {}
            },
            Inside::Text { hashes: Some(hashes) } => {
                let after = &chars[at + 1..];
                if c == '"' && after.iter().take_while(|c| **c == '#').count() >= hashes {
                    line.code.push('"');
                    at += hashes;
                    inside = Inside::Code;
                }
            }
        }
        at += 1;
    }
    lines
}

/// How many hashes stand before a quote that opens a raw string (`r"`, `br#"`, …); `None` for an ordinary one.
fn raw_hashes(before: &[char]) -> Option<usize> {
    let hashes = before.iter().rev().take_while(|c| **c == '#').count();
    let rest = &before[..before.len() - hashes];
    let (r, rest) = rest.split_last()?;
    if *r != 'r' {
        return None;
    }
    let prefix = rest.iter().rev().take_while(|c| c.is_alphanumeric() || **c == '_').collect::<Vec<_>>();
    matches!(prefix[..], [] | ['b'] | ['c']).then_some(hashes)
}

/// How much to skip behind an opening quote: a whole character literal, or nothing for a lifetime.
fn skip_char(after: &[char]) -> usize {
    match after {
        ['\\', _, rest @ ..] => rest.iter().position(|c| *c == '\'').map_or(0, |end| end + 3),
        [_, '\'', ..] => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(source: &str) -> Vec<String> {
        lines(source).into_iter().map(|line| line.code).collect()
    }

    #[test]
    fn comments_are_no_code() {
        let found = lines("let a = 1; // unsafe\n/* one /* two */ still */ b\n/// doc\n");
        assert_eq!(found[0], Line { code: "let a = 1; ".to_owned(), comment: "/ unsafe".to_owned() });
        assert_eq!(found[1].code, " b");
        assert!(found[2].is_comment() && found[2].comment.ends_with("doc"));
    }

    #[test]
    fn strings_are_blank() {
        assert_eq!(code(r#"f("unsafe { \" // }", 'x')"#), [r#"f("", ')"#]);
        assert_eq!(code("r#\"a \" unsafe\"# + br\"//\" + x"), ["r#\"\" + br\"\" + x"]);
        assert_eq!(code("\"one\ntwo unsafe\" three"), ["\"", "\" three"]);
    }

    #[test]
    fn lifetimes_are_no_characters() {
        assert_eq!(code("fn f<'a>(x: &'a str) { '\"' ; '\\'' ; '\\u{1F}' }"), ["fn f<'a>(x: &'a str) { ' ; ' ; ' }"]);
    }

    #[test]
    fn words_are_whole() {
        let line = &lines("#![deny(unsafe_code)] let r = xunsafe;")[0];
        assert!(!line.has_word("unsafe") && line.has_word("unsafe_code"));
    }
}
