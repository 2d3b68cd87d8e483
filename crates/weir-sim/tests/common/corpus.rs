//! The reference captures. They are large and not ours: they lie beside the project, or where `WEIR_SHARED` says.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A capture and what its manifest says of it.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "every test binary uses a part")]
pub struct Listed {
    /// File name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// `attack`, `benign` or `malformed`.
    pub label: String,
    /// Whom the attack is against, where that is one address.
    pub victim: Option<IpAddr>,
    /// Frames in it.
    pub packets: u64,
    /// Sum of the original frame lengths.
    pub bytes: u64,
    /// From the first frame to the last, seconds.
    pub duration_s: f64,
}

/// Every capture of the manifest, or nothing where the corpus is not there: then the test says that it was skipped.
pub fn all(test: &str) -> Option<Vec<Listed>> {
    let root = env::var_os("WEIR_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from)
        .join("corpus");
    let Ok(manifest) = fs::read_to_string(root.join("manifest.csv")) else {
        eprintln!("SKIPPED: {test}: no captures beside the project (set WEIR_SHARED)");
        return None;
    };
    let listed = manifest.lines().skip(1).map(|line| {
        let fields = fields(line);
        let number = |i: usize| fields[i].parse::<f64>().unwrap_or_else(|e| panic!("{line}: {e}"));
        Listed {
            name: fields[0].clone(),
            path: root.join(&fields[0]),
            label: fields[1].clone(),
            victim: fields[3].parse().ok(),
            packets: number(5) as u64,
            bytes: number(6) as u64,
            duration_s: number(7),
        }
    });
    Some(listed.collect())
}

/// The fields of a line; commas within quotes belong to the field.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().expect("there is always one").push(c),
        }
    }
    fields
}
