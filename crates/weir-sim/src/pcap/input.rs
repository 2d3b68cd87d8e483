//! Bytes of a capture with the position in it, and numbers in the capture's byte order.

use super::{Fault, Record};
use std::io::{BufRead, BufReader, ErrorKind, Read};

/// A reader that knows where it is.
pub(super) struct Input {
    reader: BufReader<Box<dyn Read + Send>>,
    position: u64,
    /// A buffer that nobody needs any more.
    spare: Vec<u8>,
}

/// Bytes that are read ahead.
const AHEAD: usize = 1 << 16;

impl Input {
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self { reader: BufReader::with_capacity(AHEAD, Box::new(reader)), position: 0, spare: Vec::new() }
    }

    /// Takes a buffer back: the next bytes need no room of their own.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.spare = buffer;
    }

    /// Offset of the next byte.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Fills as much of `buffer` as the capture has, and says how much that was.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut have = 0;
        while have < buffer.len() {
            match self.reader.read(&mut buffer[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Fault::Io(e)),
            }
        }
        self.position += have as u64;
        Ok(have)
    }

    /// Exactly `N` bytes, or nothing at the end of the capture; a part of them is a fault.
    pub fn header<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Fault> {
        let mut buffer = [0; N];
        match self.fill(&mut buffer)? {
            0 => Ok(None),
            n if n == N => Ok(Some(buffer)),
            n => Err(Fault::Truncated { wanted: N as u64, found: n as u64 }),
        }
    }

    /// Exactly `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.header()?.ok_or(Fault::Truncated { wanted: N as u64, found: 0 })
    }

    /// Exactly `length` bytes. Memory grows with what is there, not with what a corrupt length announces.
    pub fn body(&mut self, length: u32) -> Result<Vec<u8>, Fault> {
        let length = length as usize;
        let mut data = std::mem::take(&mut self.spare);
        data.clear();
        while data.len() < length {
            let ahead = match self.reader.fill_buf() {
                Ok([]) => break,
                Ok(ahead) => ahead,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(Fault::Io(e)),
            };
            let part = ahead.get(..length - data.len()).unwrap_or(ahead);
            data.extend_from_slice(part);
            let taken = part.len();
            self.reader.consume(taken);
        }
        self.position += data.len() as u64;
        if data.len() < length {
            return Err(Fault::Truncated { wanted: length as u64, found: data.len() as u64 });
        }
        Ok(data)
    }
}

/// The byte order of the machine that captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub fn u16(self, b: &[u8], at: usize) -> Option<u16> {
        let b = b.get(at..at + 2)?.try_into().ok()?;
        Some(if self == Order::Little { u16::from_le_bytes(b) } else { u16::from_be_bytes(b) })
    }

    pub fn u32(self, b: &[u8], at: usize) -> Option<u32> {
        let b = b.get(at..at + 4)?.try_into().ok()?;
        Some(if self == Order::Little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) })
    }

    pub fn u64(self, b: &[u8], at: usize) -> Option<u64> {
        let b = b.get(at..at + 8)?.try_into().ok()?;
        Some(if self == Order::Little { u64::from_le_bytes(b) } else { u64::from_be_bytes(b) })
    }
}

/// What reading the next record gives.
pub(super) type Next = Result<Option<Record>, Fault>;
