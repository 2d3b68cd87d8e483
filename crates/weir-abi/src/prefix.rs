//! Allow and deny lists as the packet path reads them: no trie, one load for nearly every packet.
//!
//! IPv4: two bits for every /24 ([`State`]). Only a /24 that is listed in part needs its [`Part4`] block.
//! IPv6: two bits for every /27 below 2000::/3; only a partly listed /27 needs its [`Lengths6`], which names the prefix
//! lengths to probe in the exact map, longest first. Which rule it was stands in user space, found from the address.

use crate::Addr;

/// What a list says of an address or block. Two bits.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not listed.
    #[default]
    None = 0,
    /// All of it is denied.
    Deny = 1,
    /// All of it is allowed.
    Allow = 2,
    /// Look closer: listed in part, or holds entries with an expiry.
    Part = 3,
}

impl State {
    /// The state in the lowest two bits.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        match bits & 3 {
            0 => State::None,
            1 => State::Deny,
            2 => State::Allow,
            _ => State::Part,
        }
    }
}

/// Words of the IPv4 /24 table: 32 states in each.
pub const SLOTS4_WORDS: u32 = 1 << 19;
/// Words of the IPv6 /27 table (the 2^24 blocks below 2000::/3).
pub const SLOTS6_WORDS: u32 = 1 << 19;
/// The slot number that stands for every IPv6 address outside 2000::/3.
pub const SLOT6_OUTSIDE: u32 = 1 << 24;
/// Prefix lengths of IPv6 slots.
pub const SLOT6_LEN: u8 = 27;

/// Detail of one partly listed IPv4 /24.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part4 {
    /// Two bits ([`State`], never `Part`) for each of the 256 addresses.
    pub states: [u64; 8],
    /// Bit `len - 24` is set where the exact map holds timed entries of that length in this /24.
    pub timed_lens: u32,
    /// Always zero.
    pub pad: u32,
}

const _: () = assert!(size_of::<Part4>() == 72);

/// How many distinct prefix lengths one IPv6 slot or one scoped list may hold.
pub const MAX_LENGTHS: usize = 30;

/// The prefix lengths present in one IPv6 slot (or in one scoped list), longest first.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths6 {
    /// How many of `lens` count.
    pub count: u8,
    /// The [`State`] where no length matches.
    pub otherwise: u8,
    /// Lengths, longest first. Counted from the top of 128 bits: an IPv4 /24 is 120.
    pub lens: [u8; MAX_LENGTHS],
    /// A Bloom filter of one hash (CACM 1970) over the prefixes that these lengths may find: where a prefix's bit is clear,
    /// the exact map need not be asked for it, which costs more than all else here.
    pub filter: [u64; 2],
}

const _: () = assert!(size_of::<Lengths6>() == 48);

impl Lengths6 {
    /// Word and bit of a prefix; its address must have all bits behind `len` cleared.
    #[inline(always)]
    const fn filter_bit(addr: Addr, len: u8) -> (usize, u32) {
        let folded = addr.hi ^ addr.lo.rotate_left(29) ^ (len as u64) << 57;
        let h = folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57;
        ((h >> 6) as usize & 1, h as u32 & 63)
    }

    /// Notes a prefix.
    pub const fn note(&mut self, addr: Addr, len: u8) {
        let (word, bit) = Self::filter_bit(addr, len);
        self.filter[word] |= 1 << bit;
    }

    /// 1 where the exact map may hold the prefix, else 0: a number, so that no branch is made of it.
    #[inline(always)]
    pub const fn may_hold(&self, addr: Addr, len: u8) -> u64 {
        let (word, bit) = Self::filter_bit(addr, len);
        self.filter[word] >> bit & 1
    }
}

/// The list that holds for the whole node.
pub const LIST_NODE: u16 = 0;

/// Key of the exact map: one prefix of one list.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PrefixKey {
    /// The address with all bits behind `len` cleared.
    pub addr: Addr,
    /// [`LIST_NODE`], or the list of a target.
    pub list: u16,
    /// Prefix length, 0 to 128, counted from the top of 128 bits.
    pub len: u8,
    /// Always zero. Two fields: an array of five bytes would be cleared by a loop in the kernel.
    pub pad: u8,
    /// Always zero.
    pub pad4: u32,
}

const _: () = assert!(size_of::<PrefixKey>() == 24);

impl PrefixKey {
    /// A key; the address must have all bits behind `len` cleared ([`Addr::masked`]).
    #[inline(always)]
    pub const fn new(addr: Addr, list: u16, len: u8) -> Self {
        Self { addr, list, len, pad: 0, pad4: 0 }
    }
}

/// Value of the exact map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefixEntry {
    /// The tick (`jiffies64`) from which the entry no longer counts; 0: never.
    pub expires: u64,
    /// [`State::Deny`] or [`State::Allow`].
    pub state: u8,
    /// 1: never-block entry (its passes are counted as such).
    pub never_block: u8,
    /// Always zero.
    pub pad: u16,
    /// Identity of the rule, for samples and `explain`.
    pub rule: u32,
}

const _: () = assert!(size_of::<PrefixEntry>() == 16);

/// The IPv6 slot of an address: its bits 3 to 26 below 2000::/3.
#[inline(always)]
pub const fn slot6(hi: u64) -> u32 {
    if hi >> 61 == 1 { (hi >> 37) as u32 & 0xff_ffff } else { SLOT6_OUTSIDE }
}
