//! Names that belong to one machine have no place in the repository: a path that only one person's computer has, a
//! registry's host that a lock file took from somebody's mirror.

use std::path::Path;

use super::Finding;

/// Each split in two, so that this file does not contain what it looks for.
const NAMES: [(&str, &str); 13] = [
    ("/wo", "rk/"),
    ("/fa", "rm/"),
    ("/ro", "ot/"),
    ("farm-", "studio"),
    ("farm-", "bench"),
    ("proxy.", "golang"),
    ("index.", "crates.io"),
    ("static.", "crates.io"),
    ("registry.", "npmjs"),
    ("deb.", "debian.org"),
    ("pypi.", "org"),
    ("files.", "pythonhosted"),
    ("issues ", "show"),
];

/// Checks any text file.
pub fn check(file: &Path, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (start, end) in NAMES {
        let name = format!("{start}{end}");
        if !text.contains(&name) {
            continue;
        }
        let lines = (1..).zip(text.lines()).filter(|(_, line)| line.contains(&name));
        found.extend(lines.map(|(number, _)| {
            Finding::at(file, number, format!("`{name}` is a name of one machine or mirror: take it out"))
        }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_names_are_found_with_their_line() {
        let text = format!("fine\nsee {}{}main\n", NAMES[0].0, NAMES[0].1);
        let found = check(Path::new("README.md"), &text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(2));
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        let text =
            "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n$HOME/.cargo framework/ ../shared";
        assert!(check(Path::new("Cargo.lock"), text).is_empty());
    }
}
