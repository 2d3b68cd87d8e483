//! What packets look like as a whole: three histograms of sampled headers, and how far two such pictures are apart.

use serde::{Deserialize, Serialize};
use weir_abi::rules::field;
use weir_policy::rules::MatchVector;

/// Bins of TTLs: eight TTLs each.
const TTL: usize = 32;
/// Bins of lengths: by powers of two.
const LENGTH: usize = 17;
/// Bins of source ports: well-known ones below 1024 by 128, the others by 8192; 0 apart.
const PORT: usize = 17;

/// Shares by bin; each histogram's shares sum to one, or are all zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    ttl: [f64; TTL],
    length: [f64; LENGTH],
    port: [f64; PORT],
}

impl Shape {
    /// The shape of some packets.
    pub fn of(packets: &[MatchVector]) -> Self {
        let mut shape = Self { ttl: [0.0; TTL], length: [0.0; LENGTH], port: [0.0; PORT] };
        let one = 1.0 / packets.len().max(1) as f64;
        let add = |bins: &mut [f64], at: usize| {
            if let Some(bin) = bins.get_mut(at) {
                *bin += one;
            }
        };
        for v in packets {
            add(&mut shape.ttl, usize::from(v[field::TTL] >> 3));
            let length = u16::from_be_bytes([v[field::LENGTH], v[field::LENGTH + 1]]);
            add(&mut shape.length, length.checked_ilog2().map_or(0, |log| log as usize + 1));
            add(&mut shape.port, port_bin(u16::from_be_bytes([v[field::SOURCE_PORT], v[field::SOURCE_PORT + 1]])));
        }
        shape
    }

    /// The largest divergence of any of the histograms, in bits, 0 to 1.
    pub fn divergence(&self, other: &Self) -> f64 {
        let ttl = jensen_shannon(&self.ttl, &other.ttl);
        let length = jensen_shannon(&self.length, &other.length);
        ttl.max(length).max(jensen_shannon(&self.port, &other.port))
    }

    /// Moves towards another shape by a weight of 0 to 1.
    pub fn learn(&mut self, other: &Self, weight: f64) {
        let mix = |mine: &mut [f64], theirs: &[f64]| {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += weight * (b - *a));
        };
        mix(&mut self.ttl, &other.ttl);
        mix(&mut self.length, &other.length);
        mix(&mut self.port, &other.port);
    }
}

fn port_bin(port: u16) -> usize {
    match port {
        0 => 0,
        1..1024 => 1 + usize::from(port / 128),
        _ => 9 + usize::from(port / 8192),
    }
}

/// The Jensen-Shannon divergence of two distributions, in bits (Lin, "Divergence measures based on the Shannon entropy", 1991).
fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let part = |a: f64, m: f64| if a > 0.0 { a * (a / m).log2() } else { 0.0 };
    let sum = p.iter().zip(q).map(|(a, b)| {
        let middle = f64::midpoint(*a, *b);
        part(*a, middle) + part(*b, middle)
    });
    (sum.sum::<f64>() / 2.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    //! Same, other, and in between.
    use super::*;

    fn packet(ttl: u8, length: u16, port: u16) -> MatchVector {
        let mut v = MatchVector::default();
        v[field::TTL] = ttl;
        v[field::LENGTH..field::LENGTH + 2].copy_from_slice(&length.to_be_bytes());
        v[field::SOURCE_PORT..field::SOURCE_PORT + 2].copy_from_slice(&port.to_be_bytes());
        v
    }

    #[test]
    fn the_same_is_nothing_apart_and_the_wholly_other_one_bit() {
        let here = Shape::of(&[packet(64, 40, 50_000), packet(120, 1500, 40_000)]);
        assert_eq!(here.divergence(&here), 0.0);
        let there = Shape::of(&[packet(255, 512, 53)]);
        assert!((here.divergence(&there) - 1.0).abs() < 1e-9);
        let mut learned = here.clone();
        learned.learn(&there, 0.5);
        assert!(learned.divergence(&there) > 0.0 && learned.divergence(&there) < 1.0);
        (0..100).for_each(|_| learned.learn(&there, 0.5));
        assert!(learned.divergence(&there) < 1e-9);
    }

    #[test]
    fn every_value_has_a_bin() {
        for value in [0, 1, 63, 127, 128, 1023, 1024, 32_768, u16::MAX] {
            let shape = Shape::of(&[packet(value as u8, value, value)]);
            let sum = |bins: &[f64]| bins.iter().sum::<f64>();
            assert_eq!((sum(&shape.ttl), sum(&shape.length), sum(&shape.port)), (1.0, 1.0, 1.0), "{value}");
        }
    }
}
