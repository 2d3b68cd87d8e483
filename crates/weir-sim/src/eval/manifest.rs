//! The corpus's table of contents: a CSV file with at least the columns `file`, `label`, `vector`; `victim_ip` where it is known.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What a capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// An attack; what comes beside it is not told apart.
    Attack,
    /// Ordinary traffic.
    Benign,
    /// Packets that are broken on purpose.
    Malformed,
}

impl Label {
    /// The word in the manifest.
    pub const fn label(self) -> &'static str {
        match self {
            Label::Attack => "attack",
            Label::Benign => "benign",
            Label::Malformed => "malformed",
        }
    }
}

/// A capture of the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the manifest.
    pub file: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub label: Label,
    /// The kind of attack, or the protocol.
    pub vector: String,
    /// Who is attacked, if that is one address.
    pub victim: Option<IpAddr>,
}

/// Why a manifest cannot be read.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The file.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// Its form.
    #[error("{}: {source}", path.display())]
    Csv {
        /// Which.
        path: PathBuf,
        /// What is wrong, with the line.
        source: csv::Error,
    },
    /// A column is missing.
    #[error("{}: there is no column `{column}`; a manifest has at least file, label, vector", path.display())]
    Column {
        /// Which.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// A label is none.
    #[error("{}: line {line}: {label:?} is no label: attack, benign or malformed", path.display())]
    Label {
        /// Which.
        path: PathBuf,
        /// Its line.
        line: u64,
        /// What stands there.
        label: String,
    },
}

/// Reads one.
pub fn manifest(path: &Path) -> Result<Vec<Entry>, ManifestError> {
    let of = || path.to_owned();
    let file = File::open(path).map_err(|source| ManifestError::Io { path: of(), source })?;
    let mut reader = csv::Reader::from_reader(file);
    let headers = reader.headers().map_err(|source| ManifestError::Csv { path: of(), source })?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let needed = |name| column(name).ok_or_else(|| ManifestError::Column { path: of(), column: name });
    let (file, label, vector) = (needed("file")?, needed("label")?, needed("vector")?);
    let victim = column("victim_ip");
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|source| ManifestError::Csv { path: of(), source })?;
        let field = |at: usize| record.get(at).unwrap_or_default().trim();
        let label = match field(label) {
            "attack" => Label::Attack,
            "benign" => Label::Benign,
            "malformed" => Label::Malformed,
            other => {
                let line = record.position().map_or(0, csv::Position::line);
                return Err(ManifestError::Label { path: of(), line, label: other.to_owned() });
            }
        };
        entries.push(Entry {
            file: field(file).to_owned(),
            path: path.parent().unwrap_or(Path::new("")).join(field(file)),
            label,
            vector: field(vector).to_owned(),
            victim: victim.and_then(|at| field(at).parse().ok()),
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    //! What people get wrong in such files.
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<Entry>, String> {
        let path = std::env::temp_dir().join(format!("weir-manifest-{}-{name}.csv", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let result = manifest(&path).map_err(|e| e.to_string().replace(&path.display().to_string(), "M"));
        std::fs::remove_file(&path).unwrap();
        result
    }

    #[test]
    fn columns_are_found_by_name_and_faults_are_named() {
        let fine =
            read("fine", "vector,file,label,victim_ip,packets\nsyn,a.pcap,attack,192.0.2.1,9\ndns,b.pcap,benign,,9\n");
        let fine = fine.unwrap();
        assert_eq!(
            (fine[0].file.as_str(), fine[0].label, fine[0].victim),
            ("a.pcap", Label::Attack, Some([192, 0, 2, 1].into()))
        );
        assert_eq!((fine[1].vector.as_str(), fine[1].victim), ("dns", None));
        assert!(fine[1].path.ends_with("b.pcap"));
        let missing = read("column", "file,vector\na,b\n").unwrap_err();
        assert_eq!(missing, "M: there is no column `label`; a manifest has at least file, label, vector");
        let label = read("label", "file,label,vector\na.pcap,evil,syn\n").unwrap_err();
        assert_eq!(label, "M: line 2: \"evil\" is no label: attack, benign or malformed");
        assert!(read("short", "file,label,vector\na.pcap\n").unwrap_err().contains("line: 2"));
        assert!(manifest(Path::new("no/such.csv")).unwrap_err().to_string().starts_with("cannot read no/such.csv"));
    }
}
