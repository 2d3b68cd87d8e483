//! Cuts a YAML stream at its document marks, keeping count of lines.
//!
//! A line that starts with `---` or `...` and then ends or goes on with white space is a mark wherever it stands (YAML
//! 1.2.2, 9.1.2: it may not occur inside any scalar), so no parser is needed for this.

/// One document, its opening mark included.
pub(super) struct Document<'a> {
    /// The text.
    pub text: &'a str,
    /// Line of the stream on which it starts, from 1.
    pub first_line: u64,
}

/// The documents that hold more than comments and blank lines.
pub(super) fn split(stream: &str) -> Vec<Document<'_>> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut offset) = (0, 1, 0);
    for (number, line) in (1u64..).zip(stream.split_inclusive('\n')) {
        if is_mark(line, "---") && offset > start {
            documents.push(Document { text: &stream[start..offset], first_line });
            (start, first_line) = (offset, number);
        }
        offset += line.len();
        if is_mark(line, "...") {
            documents.push(Document { text: &stream[start..offset - line.len()], first_line });
            (start, first_line) = (offset, number + 1);
        }
    }
    documents.push(Document { text: &stream[start..], first_line });
    documents.retain(|d| has_content(d.text));
    documents
}

fn is_mark(line: &str, mark: &str) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn has_content(text: &str) -> bool {
    text.lines()
        .map(|line| if is_mark(line, "---") { &line[3..] } else { line })
        .map(str::trim)
        .any(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with('%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(stream: &str) -> Vec<(u64, &str)> {
        split(stream).into_iter().map(|d| (d.first_line, d.text)).collect()
    }

    #[test]
    fn counts_lines_across_marks() {
        assert_eq!(lines("a: 1\n---\nb: 2\n--- # c\nc: 3"), [(1, "a: 1\n"), (2, "---\nb: 2\n"), (4, "--- # c\nc: 3")]);
        assert_eq!(lines("a: 1\n...\n---\nb: 2\n"), [(1, "a: 1\n"), (3, "---\nb: 2\n")]);
    }

    #[test]
    fn empty_documents_are_nothing() {
        assert!(lines("").is_empty());
        assert!(lines("---\n# only a comment\n---\n\n...\n").is_empty());
        assert_eq!(lines("---\n---\na: 1\n"), [(2, "---\na: 1\n")]);
    }

    #[test]
    fn a_mark_is_only_a_mark_at_the_start_of_a_line() {
        assert_eq!(lines("a: |\n  ---\n  x\nb: ---x\n").len(), 1);
    }
}
