//! Captures: classic pcap and pcapng, read one record at a time.
//!
//! Own readers, because a tool that is shown an incident's captures has to read what people have. The library at hand refuses
//! records longer than the stated snapshot length and fractions of a second above one (both occur, both are harmless) and
//! takes pcapng's ticks for nanoseconds whatever the interface says.
//!
//! A capture that is cut or corrupt yields every record before the fault, then one [`CaptureError`], then nothing.

mod classic;
mod error;
mod input;
mod pcapng;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use error::{CaptureError, Fault};

use crate::link::LinkType;
use classic::Classic;
use input::Input;
use pcapng::Pcapng;

/// One captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// What the bytes start with.
    pub link: LinkType,
    /// Length on the wire, never below that of `data`.
    pub original_length: u32,
    /// What was captured.
    pub data: Vec<u8>,
}

/// A capture being read.
pub struct Capture {
    name: String,
    input: Input,
    format: Format,
    records: u64,
    over: bool,
}

enum Format {
    Classic(Classic),
    Pcapng(Pcapng),
}

/// No record is longer than this (the limit of libpcap and Wireshark): a larger length is corruption, not data.
const MAX_RECORD: u32 = 256 * 1024;

impl Capture {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::new(file, &name),
            Err(e) => Err(CaptureError::new(&name, 0, 0, Fault::Io(e))),
        }
    }

    /// Reads from anything; `name` is what errors call it.
    pub fn new(reader: impl Read + Send + 'static, name: &str) -> Result<Self, CaptureError> {
        let mut input = Input::new(reader);
        match Format::detect(&mut input) {
            Ok(format) => Ok(Self { name: name.to_owned(), input, format, records: 0, over: false }),
            Err(fault) => Err(CaptureError::new(name, input.position(), 0, fault)),
        }
    }

    /// Takes a record back that nobody needs any more: the next one uses its room.
    pub fn recycle(&mut self, record: Record) {
        self.input.recycle(record.data);
    }

    /// Records read so far.
    pub fn records(&self) -> u64 {
        self.records
    }
}

impl Format {
    /// Reads the first bytes, which tell the format, and the file header.
    fn detect(input: &mut Input) -> Result<Self, Fault> {
        let mut magic = [0; 4];
        let found = input.fill(&mut magic)?;
        if found < magic.len() {
            return Err(if found == 0 { Fault::Empty } else { Fault::Truncated { wanted: 4, found: found as u64 } });
        }
        if magic == pcapng::SECTION_HEADER.to_be_bytes() {
            return Ok(Self::Pcapng(Pcapng::open(input)?));
        }
        match Classic::open(magic, input)? {
            Some(classic) => Ok(Self::Classic(classic)),
            None => Err(Fault::NotACapture(magic)),
        }
    }
}

impl Iterator for Capture {
    type Item = Result<Record, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let start = self.input.position();
        let read = match &mut self.format {
            Format::Classic(classic) => classic.next(&mut self.input),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.input),
        };
        match read {
            Ok(Some(record)) => {
                self.records += 1;
                Some(Ok(record))
            }
            Ok(None) => {
                self.over = true;
                None
            }
            Err(fault) => {
                self.over = true;
                Some(Err(CaptureError::new(&self.name, start, self.records + 1, fault)))
            }
        }
    }
}
