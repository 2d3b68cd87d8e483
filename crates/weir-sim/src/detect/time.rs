//! Windows of 100 ms on captures' clocks.

/// Length of a window.
const WINDOW_NS: u64 = 100_000_000;
/// A pause longer than this (ten minutes) is cut: little changes in it any more, and some captures pause for years.
const LONGEST: u64 = 6_000;

/// Which window it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Windows {
    /// Time of the capture at which window `number` began.
    start_ns: Option<u64>,
    number: u64,
}

impl Windows {
    /// The window that is over at a time, if one is; to be asked until none is.
    pub fn over(&mut self, time_ns: u64) -> Option<u64> {
        let start = *self.start_ns.get_or_insert(time_ns);
        let elapsed = time_ns.saturating_sub(start) / WINDOW_NS;
        if elapsed == 0 {
            return None;
        }
        let skipped = elapsed.saturating_sub(LONGEST);
        self.start_ns = Some(start + (skipped + 1) * WINDOW_NS);
        let over = self.number;
        self.number += 1 + skipped;
        Some(over)
    }

    /// The window that runs, which is over now.
    pub fn last(&mut self) -> Option<u64> {
        let start = self.start_ns?;
        self.start_ns = Some(start.saturating_add(WINDOW_NS));
        self.number += 1;
        Some(self.number - 1)
    }

    /// The next time begins the next window, wherever it is.
    pub fn rebase(&mut self) {
        self.start_ns = None;
    }

    /// The number of the window that runs, or comes next.
    pub fn next(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_capture_and_pauses_are_cut() {
        let mut windows = Windows::default();
        let ms = |n: u64| 5_000_000_000 + n * 1_000_000;
        assert_eq!(windows.over(ms(0)), None);
        assert_eq!(windows.over(ms(99)), None);
        assert_eq!((windows.over(ms(250)), windows.over(ms(250)), windows.over(ms(250))), (Some(0), Some(1), None));
        assert_eq!(windows.over(ms(100)), None, "time does not go back");
        let year = ms(365 * 24 * 3600 * 1000);
        let passed = std::iter::from_fn(|| windows.over(year)).count() as u64;
        assert_eq!(passed, LONGEST);
        let number = windows.next();
        assert_eq!(number, 365 * 24 * 3600 * 10, "numbers tell the time");
        assert_eq!(windows.last(), Some(number));
        windows.rebase();
        assert_eq!((windows.over(0), windows.next()), (None, number + 1));
    }
}
