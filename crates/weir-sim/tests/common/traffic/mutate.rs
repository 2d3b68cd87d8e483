//! One hostile change to a frame.

use super::rng::Rng;

/// Values that are edges of something.
const EDGES: [u8; 12] = [0, 1, 4, 5, 6, 15, 0x40, 0x45, 0x7f, 0x80, 0xfe, 0xff];

/// Changes the frame in one place or in its length; `other` is a frame to mix with.
pub fn once(rng: &mut Rng, frame: &mut Vec<u8>, other: &[u8]) {
    if frame.is_empty() {
        frame.push(rng.byte());
        return;
    }
    let length = frame.len() as u64;
    // Headers are where it matters.
    let near = rng.below(length.min(96)) as usize;
    match rng.below(10) {
        0 => frame[near] ^= 1 << rng.below(8),
        1 => frame[near] = rng.pick(&EDGES),
        2 => frame[near] = rng.byte(),
        3 => frame.truncate(rng.below(length) as usize),
        4 => {
            let more = rng.below(64) as usize;
            frame.extend(rng.bytes(more));
        }
        // A length field a little off: total length of IPv4, payload length of IPv6, length of UDP over IPv4.
        5 => {
            let at = rng.pick(&[16, 18, 38]);
            if let Some([a, b]) = frame.get_mut(at..at + 2) {
                let off = rng.below(17) as u16;
                let new = u16::from_be_bytes([*a, *b]).wrapping_add(off).wrapping_sub(8);
                [*a, *b] = new.to_be_bytes();
            }
        }
        6 => {
            let cut = rng.below(length) as usize;
            let from = rng.below(other.len() as u64 + 1) as usize;
            frame.truncate(cut);
            frame.extend(&other[from..]);
        }
        7 => {
            let (start, count) = (near, 1 + rng.below(8) as usize);
            frame.drain(start..(start + count).min(frame.len()));
        }
        // A jumbo frame, or what offload made of many.
        8 => {
            let most = if rng.one_in(8) { 70_000 } else { 6_000 };
            let longer = frame.len() + rng.below(most) as usize;
            frame.resize(longer, 0x77);
            if let Some(total) = frame.get_mut(16..20).filter(|_| rng.one_in(2)) {
                total.fill(0);
            }
        }
        _ => {
            let count = 1 + rng.below(8) as usize;
            let new = rng.bytes(count);
            frame.splice(near..near, new);
        }
    }
}
