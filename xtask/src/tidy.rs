//! `tidy`: what the project asks of its sources that neither compiler nor clippy checks. The invariants that it holds
//! are told in ARCHITECTURE.md; each check is a small file here.

mod bans;
mod deny;
mod directions;
mod lex;
mod places;
mod source;
mod spdx;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::project::Project;
use crate::sh::{self, say, tell};

/// A thing to mend, with the place where it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Relative to the repository.
    pub file: PathBuf,
    /// From 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    pub text: String,
    /// Told, but no failure.
    pub warning: bool,
}

impl Finding {
    pub fn at(file: impl Into<PathBuf>, line: usize, text: impl Into<String>) -> Finding {
        Finding { file: file.into(), line: Some(line), text: text.into(), warning: false }
    }

    pub fn of(file: impl Into<PathBuf>, text: impl Into<String>) -> Finding {
        Finding { file: file.into(), line: None, text: text.into(), warning: false }
    }

    pub fn warning(self) -> Finding {
        Finding { warning: true, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let mark = if self.warning { " warning:" } else { "" };
        write!(f, ":{mark} {}", self.text)
    }
}

/// Runs every check and prints what was found; `false` when there is something to mend.
pub fn run(project: &Project) -> Result<bool> {
    let files = sources(&project.root)?;
    let mut findings = Vec::new();
    for file in &files {
        let path = project.root.join(file);
        // A tracked file that is deleted but not yet committed, a link, a picture: nothing to read.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        findings.extend(places::check(file, &text));
        if file.extension().is_some_and(|extension| extension == "rs") {
            findings.extend(source::check(file, &text));
        }
    }
    findings.extend(directions::check(project)?);
    findings.extend(deny::check(project)?);
    findings.sort();

    for finding in &findings {
        tell(finding);
    }
    let wrong = findings.iter().filter(|finding| !finding.warning).count();
    say(format!("tidy: {} files, {wrong} to mend, {} warnings", files.len(), findings.len() - wrong));
    Ok(wrong == 0)
}

/// Every file of the repository: tracked, or new and not ignored.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = sh::output(&mut git).context("tidy asks git which files are the project's")?;
    let mut files = list.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect::<Vec<_>>();
    files.sort();
    files.dedup();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_like_a_compilers() {
        assert_eq!(Finding::at("a/b.rs", 3, "no").to_string(), "a/b.rs:3: no");
        assert_eq!(Finding::of("a/b.rs", "long").warning().to_string(), "a/b.rs: warning: long");
    }
}
