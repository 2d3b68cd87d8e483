//! SipHash-2-4 (Aumasson and Bernstein, 2012) of five words: a keyed hash whose key cannot be found from what it says. Cookies go
//! to whoever asks, so the quick hash of the tables is not enough for them.

/// Words that are hashed.
pub const WORDS: usize = 5;

/// One round.
#[inline(always)]
const fn round(mut v: [u64; 4]) -> [u64; 4] {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
    v
}

/// Two rounds over a word.
#[inline(always)]
const fn word(mut v: [u64; 4], m: u64) -> [u64; 4] {
    v[3] ^= m;
    v = round(round(v));
    v[0] ^= m;
    v
}

/// The hash of the words, each taken as eight bytes with the lowest first.
#[inline(always)]
pub const fn siphash(words: [u64; WORDS], key: &[u64; 2]) -> u64 {
    let mut v = [
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ];
    v = word(v, words[0]);
    v = word(v, words[1]);
    v = word(v, words[2]);
    v = word(v, words[3]);
    v = word(v, words[4]);
    // The last word of a message holds its length.
    v = word(v, (WORDS as u64 * 8) << 56);
    v[2] ^= 0xff;
    v = round(round(round(round(v))));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[cfg(test)]
mod tests {
    //! Against the implementation that the standard library once offered.
    #![expect(deprecated, reason = "the standard library has no other SipHash-2-4 to compare with")]
    extern crate std;

    use std::hash::{Hasher, SipHasher};

    use super::{WORDS, siphash};

    #[test]
    fn it_says_what_another_implementation_says() {
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            seed.rotate_left(23)
        };
        for _ in 0..1000 {
            let key = [next(), next()];
            let words: [u64; WORDS] = std::array::from_fn(|_| next());
            let mut other = SipHasher::new_with_keys(key[0], key[1]);
            words.iter().for_each(|w| other.write(&w.to_le_bytes()));
            assert_eq!(siphash(words, &key), other.finish());
        }
    }
}
