//! The customers' book: which requests belong to which window, and what is still under way.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::figures::{Failure, Figures, Kind, Record, Totals};

#[derive(Default)]
struct Window {
    /// Whether customers ask at all.
    asking: bool,
    /// Requests under way, of whatever window or of none.
    under_way: u64,
    number: u64,
    /// Requests sent before this belong to the window.
    until: Option<Instant>,
    seconds: f64,
    /// The window's requests under way.
    outstanding: u64,
    records: [Record; 2],
}

/// Shared between the customers' thread, which writes, and the lab, which reads.
#[derive(Default)]
pub struct Book {
    window: Mutex<Window>,
    changed: Condvar,
}

/// A request under way.
pub struct Entry {
    book: Arc<Book>,
    /// The window it belongs to, if any.
    window: Option<u64>,
    kind: Kind,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Window> {
        // A panic elsewhere leaves figures that are still figures.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn asking(&self) -> bool {
        self.lock().asking
    }

    pub fn begin(&self) {
        self.lock().asking = true;
    }

    /// Ends the asking and waits for all that is under way.
    pub fn pause(&self, patience: Duration) -> Result<()> {
        let mut window = self.lock();
        window.asking = false;
        let wait = self.changed.wait_timeout_while(window, patience, |window| window.under_way > 0);
        let (window, late) = wait.unwrap_or_else(PoisonError::into_inner);
        if late.timed_out() {
            bail!("{} requests have not ended after {patience:?}: the machine is too busy", window.under_way);
        }
        Ok(())
    }

    pub fn open(&self, length: Duration) {
        let mut window = self.lock();
        let until = Some(Instant::now() + length);
        let (asking, under_way, number) = (window.asking, window.under_way, window.number + 1);
        *window = Window { asking, under_way, number, until, seconds: length.as_secs_f64(), ..Window::default() };
    }

    pub fn entry(self: &Arc<Book>, kind: Kind) -> Entry {
        let mut window = self.lock();
        window.under_way += 1;
        let inside = window.until.is_some_and(|until| Instant::now() < until);
        if inside {
            window.records[kind as usize].asked += 1;
            window.outstanding += 1;
        }
        Entry { book: self.clone(), window: inside.then_some(window.number), kind }
    }

    pub fn so_far(&self) -> Totals {
        let window = self.lock();
        let answered = window.records.iter().map(|record| record.micros.len()).sum();
        let failed = window.records.iter().flat_map(|record| record.failures.values()).sum();
        Totals { answered, failed }
    }

    pub fn close(&self, patience: Duration) -> Result<Figures> {
        let window = self.lock();
        let Some(until) = window.until else { bail!("no window is open") };
        let patience = until.saturating_duration_since(Instant::now()) + patience;
        let deadline = Instant::now() + patience;
        let mut window = window;
        loop {
            let now = Instant::now();
            if now >= until && window.outstanding == 0 {
                break;
            }
            if now > deadline {
                bail!("{} requests did not end after their window: the machine is too busy", window.outstanding);
            }
            // Nobody sends word when the window's time is over.
            let next = if now < until { until - now } else { deadline - now };
            (window, _) = self.changed.wait_timeout(window, next).unwrap_or_else(PoisonError::into_inner);
        }
        window.until = None;
        let [pages, names] = &window.records;
        let (pages, names, seconds) = (pages.figures(), names.figures(), window.seconds);
        let goodput = (pages.answered + names.answered) as f64 / seconds;
        Ok(Figures { seconds, goodput, pages, names })
    }
}

impl Entry {
    pub fn finish(self, outcome: Result<Duration, Failure>) {
        let mut window = self.book.lock();
        window.under_way -= 1;
        // A request of an earlier window that was still under way belongs to nobody.
        if self.window == Some(window.number) {
            let record = &mut window.records[self.kind as usize];
            match outcome {
                Ok(time) => record.micros.saturating_record(time.as_micros() as u64),
                Err(failure) => *record.failures.entry(failure).or_default() += 1,
            }
            window.outstanding -= 1;
        }
        self.book.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const NOW: Duration = Duration::ZERO;

    #[test]
    fn windows_keep_their_requests_apart() {
        let book = Arc::<Book>::default();
        book.entry(Kind::Page).finish(Ok(Duration::from_millis(5)));
        book.open(LONG);
        let late = book.entry(Kind::Page);
        book.open(LONG);
        book.entry(Kind::Page).finish(Ok(Duration::from_millis(10)));
        book.entry(Kind::Name).finish(Err(Failure::AnswerTimeout));
        late.finish(Ok(Duration::from_millis(1)));
        assert_eq!(book.so_far(), Totals { answered: 1, failed: 1 });
        book.lock().until = Some(Instant::now());
        book.entry(Kind::Name).finish(Ok(NOW));
        let figures = book.close(LONG).expect("nothing is under way");
        assert_eq!((figures.pages.asked, figures.pages.answered, figures.names.answered), (1, 1, 0));
        assert_eq!(figures.names.failures[&Failure::AnswerTimeout], 1);
        assert!((figures.pages.p50_ms - 10.0).abs() < 0.1, "{}", figures.pages.p50_ms);
        assert!(book.close(NOW).is_err(), "closed is closed");
    }

    #[test]
    fn closing_and_pausing_wait_for_the_last_answer() {
        let book = Arc::<Book>::default();
        book.begin();
        book.open(LONG);
        let entry = book.entry(Kind::Name);
        book.lock().until = Some(Instant::now());
        let closing = std::thread::spawn({
            let book = book.clone();
            move || book.close(LONG)
        });
        let beside = book.entry(Kind::Page);
        entry.finish(Ok(Duration::from_millis(1)));
        let figures = closing.join().expect("no panic").expect("an end");
        assert_eq!(figures.names.answered, 1);
        assert!(book.pause(NOW).is_err(), "one request is under way");
        beside.finish(Err(Failure::Local));
        book.pause(NOW).expect("no more");
        assert!(!book.asking());
    }
}
