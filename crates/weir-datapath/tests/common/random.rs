//! Random numbers that are the same at every run, and lists made of them.

use weir_abi::Addr;
use weir_policy::Prefix;
use weir_policy::model::{ListEntry, Verdict};

/// Xorshift (Marsaglia, 2003).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below another.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// IPv4 prefixes from /20 to /32; one in fifty is an exception.
pub fn many_v4(count: usize) -> Vec<ListEntry> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut prefix = || {
        let len = 116 + random.below(13) as u8;
        Prefix::new(Addr::v4(random.next() as u32), len).expect("at most 128")
    };
    (0..count).map(|i| ListEntry::new(prefix(), verdict(i), 1)).collect()
}

/// IPv6 prefixes from /32 to /128 of the addresses in use.
pub fn many_v6(count: usize) -> Vec<ListEntry> {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut prefix = || {
        let hi = 1 << 61 | random.next() >> 3;
        Prefix::new(Addr { hi, lo: random.next() }, 32 + random.below(97) as u8).expect("at most 128")
    };
    (0..count).map(|i| ListEntry::new(prefix(), verdict(i), 1)).collect()
}

fn verdict(i: usize) -> Verdict {
    if i.is_multiple_of(50) { Verdict::Allow } else { Verdict::Deny }
}

/// A list of a few networks with many prefixes inside each other: what makes the order of changes matter. Some expire, but not
/// while a test runs.
pub fn nested(random: &mut Random, now: u64) -> Vec<ListEntry> {
    let count = 1 + random.below(24);
    (0..count)
        .map(|_| {
            let verdict = *random.pick(&[Verdict::Deny, Verdict::Deny, Verdict::Deny, Verdict::Allow, Verdict::Allow]);
            let entry = ListEntry::new(nested_prefix(random), verdict, 1 + random.below(3) as u32);
            if random.below(2) == 0 { entry.until(now + 10_000_000) } else { entry }
        })
        .collect()
}

fn nested_prefix(random: &mut Random) -> Prefix {
    let address = nested_address(random);
    let len = if address.is_v4() {
        *random.pick(&[104, 112, 118, 120, 121, 124, 126, 127, 128])
    } else {
        *random.pick(&[20, 28, 32, 48, 56, 64, 96, 127, 128])
    };
    Prefix::new(address, len).expect("at most 128")
}

/// An address of those networks.
pub fn nested_address(random: &mut Random) -> Addr {
    let low = random.below(8) | random.below(2) << 4 | random.below(2) << 7;
    if random.below(2) == 0 {
        Addr::v4(0x0a01_0200 | (random.below(2) as u32) << 8 | low as u32)
    } else {
        Addr { hi: 0x2001_0db8_0000_0000 | random.below(2) << 40 | random.below(2), lo: low }
    }
}
