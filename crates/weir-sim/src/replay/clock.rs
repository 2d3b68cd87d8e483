//! The virtual clock: the kernel's tick counter, driven by a capture's times.

/// Ticks by capture time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    hz: u32,
    start: u64,
    /// Capture time at `start`.
    first_ns: Option<u64>,
    latest: u64,
}

impl Clock {
    /// A clock of `hz` ticks per second that shows `start` at the first record.
    pub fn new(hz: u32, start: u64) -> Self {
        Self { hz, start, first_ns: None, latest: start }
    }

    /// The tick at a record's time. It never goes back: a record that is earlier than one before it is taken as of the same tick,
    /// as a receiver would see it.
    pub fn tick(&mut self, time_ns: u64) -> u64 {
        let first = *self.first_ns.get_or_insert(time_ns);
        let elapsed = time_ns.saturating_sub(first) as u128 * self.hz as u128 / 1_000_000_000;
        self.latest = self.latest.max(self.start.saturating_add(elapsed as u64));
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_follow_the_capture() {
        let mut clock = Clock::new(250, 1000);
        assert_eq!(clock.tick(5_000_000_000), 1000);
        assert_eq!(clock.tick(5_003_999_999), 1000);
        assert_eq!(clock.tick(5_004_000_000), 1001);
        assert_eq!(clock.tick(6_000_000_000), 1250);
        assert_eq!(clock.tick(5_500_000_000), 1250, "it never goes back");
        assert_eq!(clock.tick(1), 1250, "not even before its start");
        assert_eq!(clock.tick(7_000_000_000), 1500);
    }

    #[test]
    fn centuries_do_not_overflow() {
        let mut clock = Clock::new(1000, 0);
        clock.tick(0);
        assert_eq!(clock.tick(u64::MAX), 18_446_744_073_709);
    }
}
