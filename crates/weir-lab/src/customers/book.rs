//! The customers' book: requests by window, how they ended, how long they took.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use serde::Serialize;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Page,
    Name,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No connection within the time limit.
    ConnectTimeout,
    /// A connection, but no whole answer within the time limit.
    AnswerTimeout,
    /// The server or somebody on the way refused.
    Refused,
    /// The connection broke.
    Broken,
    /// No way there.
    Unreachable,
    /// An answer other than the right one.
    Wrong,
    /// The customer's own machine had no socket or address left: the lab is at its limit.
    Local,
}

/// How the requests of one kind ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct KindFigures {
    /// Requests sent.
    pub asked: u64,
    /// Right answers in time.
    pub answered: u64,
    /// The others, by cause.
    pub failures: BTreeMap<Failure, u64>,
    /// Half of the right answers came within so many milliseconds.
    pub p50_ms: f64,
    /// And 99 % within so many.
    pub p99_ms: f64,
}

/// What the customers got in one window.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Length of the window.
    pub seconds: f64,
    /// Right answers a second, of both kinds.
    pub goodput: f64,
    /// Pages.
    pub pages: KindFigures,
    /// Names.
    pub names: KindFigures,
}

/// Requests so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Answered.
    pub answered: u64,
    /// Failed.
    pub failed: u64,
}

struct Record {
    asked: u64,
    failures: BTreeMap<Failure, u64>,
    micros: Histogram<u64>,
}

impl Default for Record {
    fn default() -> Self {
        // One microsecond to a minute, three digits.
        let micros = Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds");
        Record { asked: 0, failures: BTreeMap::new(), micros }
    }
}

#[derive(Default)]
struct Window {
    number: u64,
    opened: Option<Instant>,
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
    /// The window it belongs to; none for what was asked between windows.
    window: Option<u64>,
    kind: Kind,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Window> {
        // A panic elsewhere leaves figures that are still figures.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(&self) {
        let mut window = self.lock();
        *window = Window { number: window.number + 1, opened: Some(Instant::now()), ..Window::default() };
    }

    pub fn entry(self: &Arc<Book>, kind: Kind) -> Entry {
        let mut window = self.lock();
        if window.opened.is_some() {
            window.records[kind as usize].asked += 1;
            window.outstanding += 1;
            return Entry { book: self.clone(), window: Some(window.number), kind };
        }
        Entry { book: self.clone(), window: None, kind }
    }

    pub fn so_far(&self) -> Totals {
        let window = self.lock();
        let answered = window.records.iter().map(|record| record.micros.len()).sum();
        let failed = window.records.iter().flat_map(|record| record.failures.values()).sum();
        Totals { answered, failed }
    }

    pub fn close(&self, patience: Duration) -> Result<Figures> {
        let mut window = self.lock();
        let Some(opened) = window.opened.take() else { bail!("no window is open") };
        let seconds = opened.elapsed().as_secs_f64();
        let wait = self.changed.wait_timeout_while(window, patience, |window| window.outstanding > 0);
        let (window, late) = wait.unwrap_or_else(PoisonError::into_inner);
        if late.timed_out() {
            bail!("{} requests did not end {patience:?} after the window: the machine is too busy", window.outstanding);
        }
        let [pages, names] = &window.records;
        let (pages, names) = (pages.figures(), names.figures());
        let goodput = (pages.answered + names.answered) as f64 / seconds;
        Ok(Figures { seconds, goodput, pages, names })
    }
}

impl Entry {
    pub fn finish(self, outcome: Result<Duration, Failure>) {
        let mut window = self.book.lock();
        // A request of an earlier window that was still under way belongs to nobody.
        if self.window != Some(window.number) {
            return;
        }
        let record = &mut window.records[self.kind as usize];
        match outcome {
            Ok(time) => record.micros.saturating_record(time.as_micros() as u64),
            Err(failure) => *record.failures.entry(failure).or_default() += 1,
        }
        window.outstanding -= 1;
        self.book.changed.notify_all();
    }
}

impl Record {
    fn figures(&self) -> KindFigures {
        let ms = |quantile: f64| self.micros.value_at_quantile(quantile) as f64 / 1e3;
        KindFigures {
            asked: self.asked,
            answered: self.micros.len(),
            failures: self.failures.clone(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_keep_their_requests_apart() {
        let book = Arc::<Book>::default();
        book.entry(Kind::Page).finish(Ok(Duration::from_millis(5)));
        book.open();
        let late = book.entry(Kind::Page);
        book.open();
        book.entry(Kind::Page).finish(Ok(Duration::from_millis(10)));
        book.entry(Kind::Name).finish(Err(Failure::AnswerTimeout));
        late.finish(Ok(Duration::from_millis(1)));
        assert_eq!(book.so_far(), Totals { answered: 1, failed: 1 });
        let figures = book.close(Duration::ZERO).expect("nothing is under way");
        assert_eq!((figures.pages.asked, figures.pages.answered, figures.names.answered), (1, 1, 0));
        assert_eq!(figures.names.failures[&Failure::AnswerTimeout], 1);
        assert!((figures.pages.p50_ms - 10.0).abs() < 0.1, "{}", figures.pages.p50_ms);
        assert!(book.close(Duration::ZERO).is_err(), "closed is closed");
    }

    #[test]
    fn closing_waits_for_the_last_answer() {
        let book = Arc::<Book>::default();
        book.open();
        let entry = book.entry(Kind::Name);
        let closing = std::thread::spawn({
            let book = book.clone();
            move || book.close(Duration::from_secs(10))
        });
        entry.finish(Ok(Duration::from_millis(1)));
        let figures = closing.join().expect("no panic");
        // The answer may even have come before the window closed; either way it is in.
        assert_eq!(figures.expect("an end").names.answered, 1);
    }
}
