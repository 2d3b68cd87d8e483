//! D3 for several targets together: whether their packets look otherwise than each one's own usual ones would, mixed as they came.
//!
//! A crowd at one of them changes what comes to all, and is nothing: the mixture that is expected has its packets in the same share.

use std::collections::BTreeMap;

use crate::baseline::WINDOWS_PER_SECOND;
use crate::detector::shape::{LEAST, RARE, SLIGHT, TIMES};
use crate::detector::{CAP, Family, Score, words};
use crate::shape::Shape;
use weir_policy::rules::MatchVector;

/// Weight of a window in the usual distance.
const WEIGHT: f64 = 1.0 / 600.0;
/// Windows from which on a distance is usual.
const LEARNED: u64 = WINDOWS_PER_SECOND as u64;

/// How far calm windows were from what was expected.
#[derive(Clone, Debug, Default)]
pub struct Mix {
    mean: f64,
    variance: f64,
    windows: u64,
}

/// How far packets are from their targets' usual ones, and how many there are; nothing where they are too few. Each comes with its
/// target; `usual` says what is usual there, nothing where that is not known, and such packets do not count.
pub fn distance<'a, 's>(
    packets: impl Iterator<Item = (u32, &'a MatchVector)>,
    usual: impl Fn(u32) -> Option<&'s Shape>,
) -> Option<(f64, usize)> {
    let mut targets: BTreeMap<u32, Option<(&Shape, u32)>> = BTreeMap::new();
    let mut seen = Vec::new();
    for (target, packet) in packets {
        let known = targets.entry(target).or_insert_with(|| usual(target).map(|shape| (shape, 0)));
        if let Some((_, packets)) = known {
            *packets += 1;
            seen.push(*packet);
        }
    }
    if seen.len() < LEAST {
        return None;
    }
    let (mut expected, mut all) = (Shape::of(&[]), 0);
    for (shape, packets) in targets.into_values().flatten() {
        // The mean of all packets so far.
        all += packets;
        expected.learn(shape, f64::from(packets) / f64::from(all));
    }
    Some((Shape::of(&seen).divergence(&expected), seen.len()))
}

impl Mix {
    /// What a distance says; nothing before it is known what is usual.
    pub fn score(&self, (distance, samples): (f64, usize)) -> Option<Score> {
        if self.windows < LEARNED {
            return None;
        }
        let rare = (self.mean + RARE * self.variance.sqrt()).max(SLIGHT);
        let alarm = distance > TIMES * rare;
        let value = if alarm { (4.0 * distance / rare).min(CAP) } else { (distance / rare).min(1.0) - 1.0 };
        let evidence = words(alarm, || {
            format!(
                "TTLs, lengths or ports of {samples} samples are {distance:.2} bits from what these targets usually get, {rare:.2} is rare"
            )
        });
        Some(Score { detector: "shape", family: Family::Shape, value, alarm, evidence })
    }

    /// Learns a calm window's.
    pub fn learn(&mut self, distance: f64) {
        self.windows += 1;
        let weight = WEIGHT.max(1.0 / self.windows as f64);
        let off = distance - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
    }
}

#[cfg(test)]
mod tests {
    //! Two targets with customers of different kinds, and one tool at both.
    use super::*;
    use weir_abi::rules::field;

    fn packet(ttl: u8, i: u16) -> MatchVector {
        let mut v = MatchVector::default();
        v[field::TTL] = ttl;
        v[field::SOURCE_PORT..field::SOURCE_PORT + 2].copy_from_slice(&(0x8000 | i.wrapping_mul(40_503)).to_be_bytes());
        v
    }

    fn calm(ttl: u8, n: u16) -> Vec<MatchVector> {
        (0..n).map(|i| packet(ttl + (i % 5) as u8 * 8, i)).collect()
    }

    #[test]
    fn a_crowd_at_one_target_is_no_other_shape_and_one_tool_at_both_is() {
        let (near, far) = (calm(40, 500), calm(120, 500));
        let shapes = [Shape::of(&near), Shape::of(&far)];
        let of = |near: &[MatchVector], far: &[MatchVector]| {
            let all = near.iter().map(|p| (0, p)).chain(far.iter().map(|p| (1, p)));
            // Of the third one nothing is usual yet.
            let all = all.chain(near.iter().map(|p| (2, p)));
            distance(all, |target| shapes.get(target as usize)).unwrap()
        };
        let mut mix = Mix::default();
        assert_eq!(mix.score((1.0, 100)), None, "nothing is usual yet");
        (0..20).for_each(|i| mix.learn(of(&near[i..i + 50], &far[i..i + 50]).0));
        let crowd = mix.score(of(&near[..30], &far[..480])).unwrap();
        assert!(!crowd.alarm && crowd.value < 0.0, "{crowd:?}");
        let tool = calm(200, 200);
        let attack = mix.score(of(&[&near[..50], &tool[..]].concat(), &[&far[..50], &tool[..]].concat())).unwrap();
        assert!(attack.alarm && attack.value > 3.0, "{attack:?}");
        let five = near[..5].iter().map(|p| (0, p));
        assert!(distance(five, |_| shapes.first()).is_none(), "five packets have no shape");
    }
}
