//! What can be wrong with a capture.

use std::io;
use thiserror::Error;

/// A fault and where it is.
#[derive(Debug, Error)]
#[error("{file}: {}at byte {position}: {fault}", if *.record == 0 { String::new() } else { format!("record {} ", .record) })]
pub struct CaptureError {
    /// The capture's name.
    pub file: String,
    /// Offset of the record (or of the block that should hold it), where reading stopped.
    pub position: u64,
    /// Number of the record that could not be read, from 1; 0 for the file header.
    pub record: u64,
    /// The cause.
    #[source]
    pub fault: Fault,
}

impl CaptureError {
    pub(super) fn new(file: &str, position: u64, record: u64, fault: Fault) -> Self {
        Self { file: file.to_owned(), position, record, fault }
    }
}

/// The cause of a [`CaptureError`].
#[derive(Debug, Error)]
pub enum Fault {
    /// The file has no byte.
    #[error("the file is empty")]
    Empty,
    /// Neither pcap nor pcapng.
    #[error("not a capture: starts with {0:02x?}; pcap and pcapng are read")]
    NotACapture([u8; 4]),
    /// The file ends inside a header, a record or a block.
    #[error("the capture is cut: {wanted} bytes are announced, {found} are there")]
    Truncated {
        /// Bytes that should follow.
        wanted: u64,
        /// Bytes that do.
        found: u64,
    },
    /// A length that no capture tool writes.
    #[error("corrupt: a record of {0} bytes")]
    RecordTooLong(u32),
    /// pcapng: a block's length contradicts itself or its content.
    #[error("corrupt: block type {kind:#x} with length {length}")]
    BadBlock {
        /// Type of the block.
        kind: u32,
        /// Its length field.
        length: u32,
    },
    /// pcapng: the byte-order mark is none.
    #[error("corrupt: byte-order mark {0:02x?}")]
    BadByteOrder([u8; 4]),
    /// pcapng: a packet of an interface that was not described.
    #[error("corrupt: interface {0} is not described")]
    UnknownInterface(u32),
    /// Reading failed.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}
