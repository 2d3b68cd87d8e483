//! Checks one Rust file: it says its idea, it is clean, and its `unsafe` is where it may be and explained.

use std::path::Path;

use super::Finding;
use super::bans;
use super::lex::{self, Line};

/// The only places with `unsafe`: the kernel programs, and the one crate that talks to the kernel.
const UNSAFE_HOMES: [&str; 2] = ["crates/weir-datapath", "ebpf"];

/// Crates that run in the kernel as well: their root must forbid what the kernel has not.
const KERNEL_CRATES: [&str; 3] = ["weir-abi", "weir-wire", "weir-core"];

/// A file this long is asked whether it still holds one idea.
const LONG: usize = 600;

/// How far above `unsafe` its `SAFETY:` comment may begin: a statement broken over a few lines lies between.
const SAFETY_REACH: usize = 3;

/// All checks of one file.
pub fn check(file: &Path, text: &str) -> Vec<Finding> {
    let lines = lex::lines(text);
    let mut found = shape(file, text);
    found.extend(bans::check(file, &lines));
    found.extend(unsafe_code(file, &lines));
    found.extend(kernel_root(file, &lines));
    found
}

fn shape(file: &Path, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(Finding::at(file, 1, "the file does not begin with its idea: a `//!` line comes first"));
    }
    for (number, line) in (1..).zip(text.split('\n')) {
        if line.ends_with([' ', '\t', '\r']) {
            found.push(Finding::at(file, number, "white space at the end of the line"));
        }
        if line.contains('\t') {
            found.push(Finding::at(file, number, "a tab"));
        }
    }
    if !text.ends_with('\n') {
        found.push(Finding::of(file, "no line end at the end of the file"));
    }
    let count = text.lines().count();
    if count > LONG {
        found.push(Finding::of(file, format!("{count} lines: does it still hold one idea?")).warning());
    }
    found
}

fn unsafe_code(file: &Path, lines: &[Line]) -> Vec<Finding> {
    let mut found = Vec::new();
    let at_home = UNSAFE_HOMES.iter().any(|home| file.starts_with(home));
    for (index, line) in lines.iter().enumerate() {
        // `#[unsafe(no_mangle)]` is an attribute's spelling, not a block.
        if !line.has_word("unsafe") || line.code.contains("#[unsafe(") {
            continue;
        }
        if !at_home {
            let text = format!("`unsafe` outside {}: call weir-datapath instead", UNSAFE_HOMES.join(", "));
            found.push(Finding::at(file, index + 1, text));
        } else if !is_justified(lines, index) {
            found.push(Finding::at(file, index + 1, "`unsafe` without a `// SAFETY:` comment saying why it holds"));
        }
    }
    found
}

/// A `SAFETY:` comment (or, on a declaration, a `# Safety` section) stands on the line or above it, with few lines of
/// code between; a comment's own lines do not count.
fn is_justified(lines: &[Line], index: usize) -> bool {
    let says = |line: &Line| line.comment.contains("SAFETY:") || line.comment.contains("# Safety");
    if says(&lines[index]) {
        return true;
    }
    let mut between = 0;
    for line in lines[..index].iter().rev() {
        if says(line) {
            return true;
        }
        if !line.is_comment() {
            between += 1;
        }
        if between > SAFETY_REACH {
            return false;
        }
    }
    false
}

fn kernel_root(file: &Path, lines: &[Line]) -> Vec<Finding> {
    let Some(name) = KERNEL_CRATES.iter().find(|name| file == Path::new("crates").join(name).join("src/lib.rs")) else {
        return Vec::new();
    };
    let code = lines.iter().map(|line| line.code.replace(' ', "")).collect::<String>();
    let mut found = Vec::new();
    if !code.contains("#![no_std]") && !code.contains("#![cfg_attr(not(test),no_std)]") {
        found.push(Finding::of(file, format!("{name} runs in the kernel: `#![no_std]` is missing")));
    }
    if !code.contains("#![forbid(unsafe_code)]") {
        found.push(Finding::of(file, format!("`#![forbid(unsafe_code)]` is missing in {name}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(file: &str, text: &str) -> Vec<String> {
        check(Path::new(file), text).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_clean_file_is_silent() {
        assert!(texts("crates/weir-policy/src/a.rs", "//! An idea.\n\nfn f() {}\n").is_empty());
    }

    #[test]
    fn shape_is_checked_line_by_line() {
        let found = texts("a.rs", "fn f() {} \n\tlet x;\n// end");
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("a.rs:1: the file does not begin"));
        assert!(found[1].starts_with("a.rs:1: white space"));
        assert!(found[2].starts_with("a.rs:2: a tab"));
        assert!(found[3].starts_with("a.rs: no line end"));
    }

    #[test]
    fn a_long_file_is_warned_about() {
        let text = format!("//! Idea.\n{}", "fn f() {}\n".repeat(LONG));
        assert!(check(Path::new("a.rs"), &text).iter().all(|finding| finding.warning));
    }

    #[test]
    fn unsafe_has_its_homes() {
        let text = "//! Idea.\n// SAFETY: none needed.\nfn f() { unsafe { g() } }\n";
        assert!(texts("crates/weir-datapath/src/a.rs", text).is_empty());
        assert!(texts("ebpf/weir-ebpf/src/main.rs", text).is_empty());
        assert!(texts("crates/weir-sim/src/a.rs", text)[0].contains("`unsafe` outside"));
    }

    #[test]
    fn unsafe_needs_its_reason_near() {
        let home = "ebpf/weir-ebpf/src/main.rs";
        let missing = texts(home, "//! Idea.\nunsafe impl Pod for A {}\n");
        assert_eq!(missing, [format!("{home}:2: `unsafe` without a `// SAFETY:` comment saying why it holds")]);
        assert!(texts(home, "//! I.\nunsafe { f() } // SAFETY: fine.\n").is_empty());
        let broken =
            "//! I.\n// SAFETY: a long reason\n// over\n// four\n// lines.\nlet a = f(\n    unsafe { g() },\n);\n";
        assert!(texts(home, broken).is_empty());
        assert!(texts(home, "//! I.\n/// # Safety\n/// Be careful.\nunsafe fn f() {}\n").is_empty());
        let far = "//! I.\n// SAFETY: of something else.\na();\nb();\nc();\nd();\nunsafe { g() }\n";
        assert_eq!(texts(home, far).len(), 1);
    }

    #[test]
    fn unsafe_in_words_and_attributes_is_none() {
        let text =
            "//! I.\n#![deny(unsafe_code)]\n// unsafe\nlet a = \"unsafe\";\n#[unsafe(no_mangle)]\nstatic A: u8 = 0;\n";
        assert!(texts("crates/weir-policy/src/a.rs", text).is_empty());
    }

    #[test]
    fn kernel_crates_have_no_std_and_no_unsafe() {
        let file = "crates/weir-wire/src/lib.rs";
        assert!(texts(file, "//! I.\n#![no_std]\n#![forbid(unsafe_code)]\n").is_empty());
        assert_eq!(texts(file, "//! I.\n").len(), 2);
        assert!(texts("crates/weir-wire/src/tcp.rs", "//! I.\n").is_empty());
    }
}
