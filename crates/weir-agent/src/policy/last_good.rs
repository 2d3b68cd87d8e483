//! A copy of the last policy that was good, so that a restart in front of a broken file keeps protecting.
//!
//! `last-good/index` says where the policy came from and names its files: kind, number and name, one a line;
//! `last-good/N` holds them. A new copy is written
//! beside the old one and takes its place in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Texts;

/// The copy's place in the state directory.
#[derive(Clone, Debug)]
pub struct LastGood {
    dir: PathBuf,
    new: PathBuf,
    old: PathBuf,
}

impl LastGood {
    /// The place within this state directory.
    pub fn new(state_dir: &Path) -> Self {
        let at = |name| state_dir.join(name);
        Self { dir: at("last-good"), new: at("last-good.new"), old: at("last-good.old") }
    }

    /// Keeps a copy of what came from `path`.
    pub fn save(&self, path: &Path, texts: &Texts) -> io::Result<()> {
        remove(&self.new)?;
        fs::create_dir_all(&self.new)?;
        let mut index = format!("from - {}\n", path.display().to_string().escape_default());
        let files = texts.yaml.iter().map(|f| ("yaml", f)).chain(texts.lists.iter().map(|f| ("list", f)));
        for (number, (kind, (name, text))) in files.enumerate() {
            fs::write(self.new.join(number.to_string()), text)?;
            index.push_str(&format!("{kind} {number} {}\n", name.escape_default()));
        }
        fs::write(self.new.join("index"), index)?;
        remove(&self.old)?;
        match fs::rename(&self.dir, &self.old) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        fs::rename(&self.new, &self.dir)?;
        remove(&self.old)
    }

    /// The copy of what came from `path`, if there is one.
    pub fn load(&self, path: &Path) -> io::Result<Option<Texts>> {
        // Between the two renames of `save` only the old one exists.
        let found = [&self.dir, &self.old].into_iter().find(|dir| dir.join("index").exists());
        let Some(dir) = found else { return Ok(None) };
        let mut texts = Texts::default();
        let bad = |line: &str| io::Error::new(io::ErrorKind::InvalidData, format!("unknown line in its index: {line}"));
        for line in fs::read_to_string(dir.join("index"))?.lines() {
            let mut parts = line.splitn(3, ' ');
            let (Some(kind), Some(number), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(bad(line));
            };
            if kind == "from" {
                if unescape(name) != path.display().to_string() {
                    return Ok(None);
                }
                continue;
            }
            let number: u32 = number.parse().map_err(|_| bad(line))?;
            let text = fs::read_to_string(dir.join(number.to_string()))?;
            let files = if kind == "yaml" { &mut texts.yaml } else { &mut texts.lists };
            files.insert(unescape(name), text);
        }
        Ok(Some(texts))
    }
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Undoes `escape_default` for what file names can hold.
fn unescape(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let hex = tail.strip_prefix("u{").and_then(|t| t.split_once('}'));
        let (c, after) =
            match hex.and_then(|(h, after)| Some((char::from_u32(u32::from_str_radix(h, 16).ok()?)?, after))) {
                Some(found) => found,
                None => {
                    let mut chars = tail.chars();
                    let c = match chars.next() {
                        Some('n') => '\n',
                        Some('r') => '\r',
                        Some('t') => '\t',
                        Some(c) => c,
                        None => '\\',
                    };
                    (c, chars.as_str())
                }
            };
        out.push(c);
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let place = LastGood::new(dir.path());
        let from = Path::new("/etc/weir");
        assert_eq!(place.load(from).unwrap(), None);
        let mut texts = Texts::default();
        texts.yaml.insert("/etc/weir/a b\\é\n.yaml".into(), "kind: x\n".into());
        texts.lists.insert("bad.txt".into(), "203.0.113.7\n".into());
        place.save(from, &texts).unwrap();
        assert_eq!(place.load(from).unwrap(), Some(texts.clone()));
        texts.lists.clear();
        place.save(from, &texts).unwrap();
        assert_eq!(place.load(from).unwrap(), Some(texts.clone()));
        assert_eq!(place.load(Path::new("/elsewhere")).unwrap(), None, "another directory's policy is not this one's");

        // A crash between the two renames.
        fs::rename(dir.path().join("last-good"), dir.path().join("last-good.old")).unwrap();
        assert_eq!(place.load(from).unwrap(), Some(texts));
    }
}
