//! How a lab's things are called. Every run draws an identity of its own, so that runs beside each other never meet.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use weir_datapath::traffic::LAB_PREFIX;

/// Five characters: with the prefix and a suffix an interface's name stays below the kernel's fifteen.
const LENGTH: usize = 5;
/// Without characters that are mistaken for each other.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The identity of one run of the lab.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabId(String);

impl LabId {
    /// A new one, drawn by the kernel.
    pub fn random() -> Result<LabId> {
        let mut bytes = [0; LENGTH];
        File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut bytes))
            .context("cannot read /dev/urandom")?;
        Ok(LabId(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()))
    }

    /// The name of a namespace or interface of this lab.
    pub fn name(&self, part: &str) -> String {
        format!("{LAB_PREFIX}{}-{part}", self.0)
    }

    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabId {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<LabId> {
        if text.len() != LENGTH || !text.bytes().all(|byte| ALPHABET.contains(&byte)) {
            bail!("`{text}` is not the identity of a lab; `weir-lab list` shows those that there are");
        }
        Ok(LabId(text.to_owned()))
    }
}

impl fmt::Display for LabId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_identities_read_back() {
        let id = LabId::random().expect("an identity");
        assert!(id.name("atk0").len() < 16);
        assert_eq!(id.as_str().parse::<LabId>().expect("readable"), id);
        for bad in ["", "../..", "abcd", "abcdef", "ab/de"] {
            assert!(bad.parse::<LabId>().is_err(), "{bad}");
        }
    }
}
