//! What must not stay in committed code: places left open, and debugging aids.

use std::path::Path;

use super::Finding;
use super::lex::Line;

/// Macros, with what to do instead.
const MACROS: [(&str, &str); 3] = [
    ("todo", "finish it, or leave the feature out"),
    ("unimplemented", "finish it, or refuse with an error that names the cause"),
    ("dbg", "use tracing, or nothing"),
];

/// Words in comments that mark a place as unfinished. Split, so that this line is none.
const MARKS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// A test that never runs is worse than none.
const IGNORE: &str = "#[ignore";

/// Checks one file's lines.
pub fn check(file: &Path, lines: &[Line]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(lines) {
        for (name, instead) in MACROS {
            if calls(&line.code, name) {
                found.push(Finding::at(file, number, format!("`{name}!`: {instead}")));
            }
        }
        for mark in MARKS.iter().filter(|mark| has_mark(&line.comment, mark)) {
            found.push(Finding::at(file, number, format!("`{mark}` in a comment: do it, or open an issue")));
        }
        if line.code.contains(IGNORE) {
            found.push(Finding::at(file, number, "an ignored test: let it say SKIPPED with its reason"));
        }
    }
    found
}

fn calls(code: &str, name: &str) -> bool {
    let call = format!("{name}!");
    code.match_indices(&call).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn has_mark(comment: &str, mark: &str) -> bool {
    comment.split(|c: char| !c.is_alphanumeric()).any(|word| word == mark)
}

#[cfg(test)]
mod tests {
    use super::super::lex;
    use super::*;

    fn count(source: &str) -> usize {
        check(Path::new("a.rs"), &lex::lines(source)).len()
    }

    #[test]
    fn macros_are_found_in_code_only() {
        assert_eq!(count("todo!()"), 1);
        assert_eq!(count("core::unimplemented!(\"x\")"), 1);
        assert_eq!(count("let x = dbg!(y);"), 1);
        assert_eq!(count("// todo!() and \"dbg!\"\nmy_todo!(); \"unimplemented!\""), 0);
    }

    #[test]
    fn marks_are_found_in_comments_only() {
        assert_eq!(count(&format!("// {}: later", MARKS[0])), 1);
        assert_eq!(count(&format!("let {} = 1;", MARKS[0])), 0);
        assert_eq!(count(&format!("// {}S are many", MARKS[0])), 0);
    }

    #[test]
    fn ignored_tests_are_found() {
        assert_eq!(count("#[ignore = \"slow\"]"), 1);
    }
}
