//! The keyed hash of addresses: two multiplications, seeded at every boot so that collisions cannot be computed from outside.

/// Odd constants with well-spread bits (the golden ratio and Murmur-style finalisers of Stafford's "mix13").
const K0: u64 = 0x9E37_79B9_7F4A_7C15;
const K1: u64 = 0xBF58_476D_1CE4_E5B9;
const K2: u64 = 0x94D0_49BB_1331_11EB;

/// 64 hashed bits of two words under a seed.
#[inline(always)]
pub fn hash2(a: u64, b: u64, seed: &[u64; 2]) -> u64 {
    let mut h = (a ^ seed[0]).wrapping_mul(K0);
    h ^= h >> 32;
    h = (h ^ b ^ seed[1]).wrapping_mul(K1);
    h ^= h >> 31;
    h = h.wrapping_mul(K2);
    h ^ h >> 30
}

/// 64 hashed bits of a source under its target's key. Like [`hash2`], but for the order: all but one multiplication is done when the key
/// comes, which is the last thing that is known of a packet.
#[inline(always)]
pub fn source_hash(source: u64, key: u64, seed: &[u64; 2]) -> u64 {
    let mut h = (source ^ seed[0]).wrapping_mul(K0);
    h ^= h >> 32;
    h = (h ^ seed[1]).wrapping_mul(K1);
    h ^= h >> 31;
    h = (h ^ key).wrapping_mul(K2);
    h ^ h >> 30
}

/// 64 hashed bits of four words: fragments' datagram identity.
#[inline(always)]
pub fn hash4(a: u64, b: u64, c: u64, d: u64, seed: &[u64; 2]) -> u64 {
    hash2(hash2(a, b, seed), hash2(c, d, seed).rotate_left(17), seed)
}
