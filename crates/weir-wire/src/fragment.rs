//! Fragments of IPv4 (RFC 791) and IPv6 (RFC 8200, 4.5) in one form.

/// Where a packet stands in its datagram.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Not a fragment. Also IPv6 "atomic" fragments (RFC 6946): a fragment header on a whole datagram.
    #[default]
    Whole,
    /// The first fragment: it carries the transport header.
    First,
    /// A later one: it has no transport header.
    Later,
}

impl Kind {
    /// The kind with this number; the last one for any other.
    #[inline(always)]
    pub(crate) const fn from_number(n: u8) -> Self {
        match n {
            0 => Kind::Whole,
            1 => Kind::First,
            _ => Kind::Later,
        }
    }
}

/// The fragment facts of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// First, later or none.
    pub kind: Kind,
    /// Whether more follow.
    pub more: bool,
    /// Offset of this fragment's data in the datagram, bytes.
    pub offset: u32,
    /// Bytes of the datagram that this packet carries.
    pub length: u32,
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
}

impl Fragment {
    /// Facts from a raw offset field (in bytes) and the more-fragments flag.
    #[inline(always)]
    pub fn new(offset: u32, more: bool, length: u32, id: u32) -> Self {
        let kind = if offset != 0 {
            Kind::Later
        } else if more {
            Kind::First
        } else {
            Kind::Whole
        };
        Self { kind, more, offset, length, id }
    }

    /// Whether the packet is a fragment at all.
    #[inline(always)]
    pub fn is_fragment(&self) -> bool {
        !matches!(self.kind, Kind::Whole)
    }

    /// Offset behind the last byte, in bytes.
    #[inline(always)]
    pub fn end(&self) -> u32 {
        self.offset + self.length
    }
}
