//! D3: packets that look otherwise than usual. How far a window's samples are from the learned shape, against how far calm windows
//! were from it.

use serde::{Deserialize, Serialize};
use weir_policy::rules::MatchVector;

use super::{CAP, Family, Score, words};
use crate::shape::Shape;

/// Samples below which a window's shape is chance.
pub const LEAST: usize = 24;
/// Weight of a window in the learned shape and in the usual distance.
const WEIGHT: f64 = 1.0 / 600.0;
/// Windows from which on there is a shape to compare with.
const LEARNED: u64 = 10;
/// Deviations above the mean distance that one calm window in a thousand reaches (normal quantile, rounded up for the tail).
pub const RARE: f64 = 4.0;
/// A distance below this, in bits, is never an alarm.
pub const SLIGHT: f64 = 0.15;
/// An alarm is so many times farther than a rare calm window.
pub const TIMES: f64 = 1.25;

/// What is usual, and how usual it is to be off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shapes {
    usual: Option<Shape>,
    mean: f64,
    variance: f64,
    windows: u64,
    /// Calm packets that are too few for a window's shape by themselves.
    #[serde(skip)]
    few: Vec<MatchVector>,
}

impl Shapes {
    /// Looks at a window's samples; nothing where they, or what was learned, are too few.
    pub fn window(&self, packets: &[MatchVector]) -> Option<Score> {
        let usual = self.usual().filter(|_| packets.len() >= LEAST)?;
        let distance = Shape::of(packets).divergence(usual);
        let rare = (self.mean + RARE * self.variance.sqrt()).max(SLIGHT);
        let alarm = distance > TIMES * rare;
        let value = if alarm { (4.0 * distance / rare).min(CAP) } else { (distance / rare).min(1.0) - 1.0 };
        let samples = packets.len();
        let evidence = words(alarm, || {
            format!("TTLs, lengths or ports of {samples} samples are {distance:.2} bits from usual, {rare:.2} is rare")
        });
        Some(Score { detector: "shape", family: Family::Shape, value, alarm, evidence })
    }

    /// The learned shape, once there is one to compare with.
    pub fn usual(&self) -> Option<&Shape> {
        self.usual.as_ref().filter(|_| self.windows >= LEARNED)
    }

    /// Learns calm packets.
    pub fn learn(&mut self, packets: &[MatchVector]) {
        self.few.extend_from_slice(packets);
        if self.few.len() < LEAST {
            return;
        }
        let shape = Shape::of(&self.few);
        self.few.clear();
        self.windows += 1;
        let weight = WEIGHT.max(1.0 / self.windows as f64);
        let Some(usual) = &mut self.usual else {
            self.usual = Some(shape);
            return;
        };
        let off = shape.divergence(usual) - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
        usual.learn(&shape, weight);
    }
}

#[cfg(test)]
mod tests {
    //! Customers of three kinds, and a flood of one.
    use super::*;
    use weir_abi::rules::field;

    fn packet(ttl: u8, port: u16) -> MatchVector {
        let mut v = MatchVector::default();
        v[field::TTL] = ttl;
        v[field::SOURCE_PORT..field::SOURCE_PORT + 2].copy_from_slice(&port.to_be_bytes());
        v
    }

    /// A calm window: TTLs 48 to 127, any port above 32768.
    fn calm(window: u32) -> Vec<MatchVector> {
        let mixed = |i: u32| (window * 64 + i).wrapping_mul(2_654_435_761);
        (0..64).map(|i| packet(48 + (mixed(i) >> 8) as u8 % 80, 0x8000 | (mixed(i) >> 16) as u16)).collect()
    }

    #[test]
    fn a_flood_of_one_tool_looks_otherwise() {
        let mut shapes = Shapes::default();
        assert!(shapes.window(&calm(0)).is_none(), "nothing is learned yet");
        (0..300).for_each(|i| shapes.learn(&calm(i)));
        for i in 300..400 {
            let score = shapes.window(&calm(i)).unwrap();
            assert!(!score.alarm, "{score:?}");
        }
        let mut flood = calm(400);
        flood.extend(std::iter::repeat_n(packet(250, 1024), 300));
        let score = shapes.window(&flood).unwrap();
        assert!(score.alarm && score.value > 3.0, "{score:?}");
        assert!(shapes.window(&flood[..10]).is_none(), "ten packets have no shape");
    }
}
