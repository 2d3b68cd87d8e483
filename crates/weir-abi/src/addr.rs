//! One address type for IPv4 and IPv6: 128 bits in host order, IPv4 as `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2).

/// An IPv4 or IPv6 address as two host-order words, so that the kernel compares and hashes it without byte swaps.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addr {
    /// Upper 64 bits; 0 for IPv4.
    pub hi: u64,
    /// Lower 64 bits; `0x0000_ffff_aabb_ccdd` for IPv4.
    pub lo: u64,
}

/// The marker of an IPv4 address in the upper half of `lo`.
const MAPPED: u64 = 0xffff;

impl Addr {
    /// An IPv4 address from its host-order number.
    #[inline(always)]
    pub const fn v4(ip: u32) -> Self {
        Self { hi: 0, lo: MAPPED << 32 | ip as u64 }
    }

    /// An IPv6 address from its sixteen bytes as they stand in the packet.
    #[inline(always)]
    pub const fn v6(b: [u8; 16]) -> Self {
        let n = u128::from_be_bytes(b);
        Self { hi: (n >> 64) as u64, lo: n as u64 }
    }

    /// Whether this is an IPv4 address.
    #[inline(always)]
    pub const fn is_v4(self) -> bool {
        self.hi == 0 && self.lo >> 32 == MAPPED
    }

    /// The IPv4 number; meaningful only when [`Self::is_v4`].
    #[inline(always)]
    pub const fn ip4(self) -> u32 {
        self.lo as u32
    }

    /// All 128 bits as one number.
    #[inline(always)]
    pub const fn bits(self) -> u128 {
        (self.hi as u128) << 64 | self.lo as u128
    }

    /// The address with only its first `len` bits kept. `len` counts from the top of the 128 bits: an IPv4 /24 is 120 here.
    #[inline(always)]
    pub const fn masked(self, len: u8) -> Self {
        let mask = &MASKS[len as usize];
        Self { hi: self.hi & mask.hi, lo: self.lo & mask.lo }
    }
}

/// The bits that a prefix of each length keeps. A table, because the kernel's verifier walks every branch of a computed mask
/// for every length that is probed. All 256 values of the index are there, so that it needs no bound.
static MASKS: [Addr; 256] = {
    let mut masks = [Addr { hi: u64::MAX, lo: u64::MAX }; 256];
    let mut len = 0;
    while len < 128 {
        let mask = !(u128::MAX >> len);
        masks[len] = Addr { hi: (mask >> 64) as u64, lo: mask as u64 };
        len += 1;
    }
    masks
};

const _: () = assert!(size_of::<Addr>() == 16);
