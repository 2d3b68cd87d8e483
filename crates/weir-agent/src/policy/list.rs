//! Prefix lists in files: one CIDR a line, `#` starts a comment.

use std::sync::Arc;

use weir_api::problem::{Position, Problem, Severity};
use weir_api::spec::Cidr;

/// The largest list file.
pub(super) const MAX_BYTES: u64 = 256 << 20;

/// Findings of one file that are told one by one.
const TOLD: usize = 10;

/// Reads a list. A bad line refuses the list: a truncated download must not pass for a shorter list.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Cidr>, Vec<Problem>> {
    let file: Arc<str> = file.into();
    let (mut cidrs, mut problems, mut wrong) = (Vec::new(), Vec::new(), 0usize);
    for (number, line) in (1u64..).zip(text.lines()) {
        let entry = line.split('#').next().unwrap_or("").trim();
        if entry.is_empty() {
            continue;
        }
        match entry.parse() {
            Ok(cidr) => cidrs.push(cidr),
            Err(e) => {
                wrong += 1;
                if wrong <= TOLD {
                    let column = line.chars().take_while(|c| c.is_whitespace()).count() as u64 + 1;
                    let e: weir_api::spec::cidr::CidrError = e;
                    problems.push(problem(&file, number, column, e.to_string()));
                }
            }
        }
    }
    if wrong > TOLD {
        problems.push(problem(&file, 0, 0, format!("{} more lines are wrong", wrong - TOLD)));
    }
    if problems.is_empty() { Ok(cidrs) } else { Err(problems) }
}

fn problem(file: &Arc<str>, line: u64, column: u64, message: String) -> Problem {
    let position = Position { file: file.clone(), line, column };
    Problem { severity: Severity::Error, position, field: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_and_comments() {
        let list = parse("l", "# bad hosts\n203.0.113.7\n\n  198.51.100.0/24 # a block\r\n2001:db8::/32\n").unwrap();
        let shown: Vec<String> = list.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["203.0.113.7/32", "198.51.100.0/24", "2001:db8::/32"]);
    }

    #[test]
    fn a_bad_line_is_named() {
        let problems = parse("l", "203.0.113.7\n  x\n").unwrap_err();
        assert!(problems[0].to_string().starts_with("l:2:3: `x` is not an address or CIDR"), "{}", problems[0]);
        let problems = parse("l", &"x\n".repeat(25)).unwrap_err();
        assert_eq!(problems.len(), TOLD + 1);
        assert_eq!(problems[TOLD].to_string(), "l: 15 more lines are wrong");
    }
}
