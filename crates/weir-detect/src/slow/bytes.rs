//! How a week is kept: for each hour the hour in which it was taken in last (8 bytes), the number of buckets (1), and each as its
//! number (1) and its seconds (4, a float), all little-endian. The hour that runs is kept apart, as it changes every second.

use super::{DAY, HOURS, Running, Sketch, Slow};

impl Slow {
    /// The week, without the hour that runs.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (sketch, taken) in &self.hours {
            out.extend(taken.to_le_bytes());
            out.push(sketch.buckets().len() as u8);
            for (bucket, seconds) in sketch.buckets() {
                out.push(*bucket);
                out.extend(seconds.to_le_bytes());
            }
        }
        out
    }

    /// The hour that runs.
    pub fn running(&self) -> Running {
        self.running.clone()
    }

    /// Back from both; nothing where either is not understood.
    pub fn from_parts(running: Running, week: &[u8]) -> Option<Self> {
        let level = |level: &f64| level.is_finite() && *level >= 0.0;
        let sane = running.now.is_sane() && running.levels.len() <= DAY && running.levels.iter().all(level);
        let mut rest = week;
        let mut take = |n: usize| {
            let (piece, left) = rest.split_at_checked(n)?;
            rest = left;
            Some(piece)
        };
        let mut hours = Vec::with_capacity(HOURS);
        for _ in 0..HOURS {
            let taken = u64::from_le_bytes(take(8)?.try_into().ok()?);
            let buckets = take(1)?.first().copied()?;
            let bucket = |piece: &[u8]| Some((*piece.first()?, f32::from_le_bytes(piece.get(1..)?.try_into().ok()?)));
            let buckets = (0..buckets).map(|_| bucket(take(5)?)).collect::<Option<Vec<_>>>()?;
            hours.push((Sketch::from_buckets(buckets)?, taken));
        }
        if !sane || !rest.is_empty() {
            return None;
        }
        let mut slow = Self { running, hours, usual: None, ceiling: f64::INFINITY };
        slow.look();
        Some(slow)
    }
}
