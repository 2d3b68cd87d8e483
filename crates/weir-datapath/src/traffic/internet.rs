//! The Internet checksum as a running sum: what the kernel program continues with the random fields.

/// Adds bytes as big-endian 16-bit words; an odd last byte is the high half of its word.
pub fn add(mut sum: u32, bytes: &[u8]) -> u32 {
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
        sum = fold(sum);
    }
    sum
}

/// Folds the carries in, so that a few more 16-bit values can be added without overflow.
pub fn fold(sum: u32) -> u32 {
    let sum = (sum >> 16) + (sum & 0xffff);
    (sum >> 16) + (sum & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        assert_eq!(add(0, &[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
        assert_eq!(add(0, &[0x12]), 0x1200);
    }
}
