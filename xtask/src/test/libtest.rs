//! Reads what libtest prints: result lines to be summed, skips to be told again, noise to be left out.

use std::collections::BTreeSet;
use std::fmt;

/// What tests came to, over any number of runs.
#[derive(Debug, Default)]
pub struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// The lines of tests that could not run; libtest counts these tests as passed.
    skips: BTreeSet<String>,
    /// Runs that ended badly without naming a failed test: not compiled, killed, aborted.
    failures: Vec<String>,
}

impl Tally {
    /// Adds another run's.
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.skips.extend(other.skips);
        self.failures.extend(other.failures);
    }

    /// Notes that a run as a whole failed. Where a failed test explains that, it is no further failure.
    pub fn run_failed(&mut self, what: impl Into<String>) {
        if self.failed == 0 {
            self.failures.push(what.into());
        }
    }

    /// Notes that something beside the tests failed.
    pub fn step_failed(&mut self, what: impl Into<String>) {
        self.failures.push(what.into());
    }

    pub fn failed(&self) -> u64 {
        self.failed + self.failures.len() as u64
    }

    /// There was at least one test that could speak.
    pub fn ran(&self) -> bool {
        self.passed + self.failed > 0
    }

    pub fn skipped(&self) -> u64 {
        self.ignored + self.skips.len() as u64
    }

    pub fn skips(&self) -> impl Iterator<Item = &str> {
        self.skips.iter().map(String::as_str)
    }

    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.failures.iter().map(String::as_str)
    }

    fn passed(&self) -> u64 {
        self.passed.saturating_sub(self.skips.len() as u64)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed(), self.failed(), self.skipped())
    }
}

/// Follows one run's output, line by line.
#[derive(Debug, Default)]
pub struct Reader {
    pub tally: Tally,
    /// Inside what `--show-output` repeats of tests that passed.
    muted: bool,
}

impl Reader {
    /// Takes a line of standard output; `true` when it is worth showing.
    ///
    /// libtest swallows what a passing test prints. It is asked to show it all the same (`--show-output`), since a
    /// skip is told there, but only the skips of it are for the reader's eyes.
    pub fn stdout(&mut self, line: &str) -> bool {
        if let Some(counts) = parse_result(line) {
            self.tally.add(counts);
            self.muted = false;
            return true;
        }
        match line {
            "successes:" => self.muted = true,
            "failures:" => self.muted = false,
            _ => {}
        }
        self.note_skip(line) || !self.muted
    }

    /// Takes a line of standard error, all of which is worth showing.
    pub fn stderr(&mut self, line: &str) -> bool {
        self.note_skip(line);
        true
    }

    fn note_skip(&mut self, line: &str) -> bool {
        // A test's line may stand behind libtest's own `test name ... `, which waits for its `ok`.
        let Some(at) = line.find("SKIPPED: ") else { return false };
        if at > 0 && !line.starts_with("test ") {
            return false;
        }
        self.tally.skips.insert(line[at..].trim_end().to_owned())
    }
}

/// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s`.
fn parse_result(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let mut tally = Tally::default();
    for part in counts.split("; ") {
        let (count, what) = part.split_once(' ')?;
        match what {
            "passed" => tally.passed = count.parse().ok()?,
            "failed" => tally.failed = count.parse().ok()?,
            "ignored" => tally.ignored = count.parse().ok()?,
            _ => {}
        }
    }
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> (Tally, String) {
        let mut reader = Reader::default();
        let shown = lines.lines().filter(|line| reader.stdout(line)).collect::<Vec<_>>().join("\n");
        (reader.tally, shown)
    }

    #[test]
    fn result_lines_are_summed() {
        let (tally, _) = read(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\
             test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        );
        assert_eq!(tally.to_string(), "15 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn what_only_resembles_a_result_line_counts_nothing() {
        let (tally, _) = read("test result: maybe\ntest results are fine. 3 passed; 0 failed\n  3 passed");
        assert_eq!(tally.to_string(), "0 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn a_skipped_test_is_not_a_passed_one() {
        let (tally, shown) = read(
            "test a ... ok\ntest b ... ok\n\nsuccesses:\n\n---- b stdout ----\nSKIPPED: b: no veth\nchatter\n\n\n\
             successes:\n    a\n    b\n\n\
             test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 1 skipped");
        assert_eq!(tally.skips().collect::<Vec<_>>(), ["SKIPPED: b: no veth"]);
        assert!(!shown.contains("chatter") && shown.contains("SKIPPED: b: no veth") && shown.contains("test a ... ok"));
    }

    #[test]
    fn a_failing_tests_words_are_shown() {
        let (_, shown) = read(
            "successes:\n\n---- a stdout ----\nfine\n\nsuccesses:\n    a\n\nfailures:\n\n---- b stdout ----\nbroken",
        );
        assert!(shown.contains("broken") && !shown.contains("fine"));
    }

    #[test]
    fn skips_come_by_either_stream_and_count_once() {
        let mut reader = Reader::default();
        reader.stderr("SKIPPED: b: no veth");
        reader.stdout("test b ... SKIPPED: b: no veth");
        reader.stderr("error: SKIPPED: is a word in a message");
        reader.stdout("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        assert_eq!(reader.tally.to_string(), "0 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn a_run_that_died_is_a_failure_and_a_failed_test_is_not_counted_twice() {
        let (mut tally, _) = read("");
        tally.run_failed("host: cargo test ended with signal 9");
        assert_eq!(tally.to_string(), "0 passed, 1 failed, 0 skipped");
        let (mut tally, _) =
            read("test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s");
        tally.run_failed("host: cargo test ended with exit code 101");
        assert_eq!(tally.failed(), 1);
    }
}
