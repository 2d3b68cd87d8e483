//! How customers' requests ended, and how long they took.

use std::collections::BTreeMap;

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

/// The requests of one kind in one window.
pub struct Record {
    pub asked: u64,
    pub failures: BTreeMap<Failure, u64>,
    pub micros: Histogram<u64>,
}

impl Default for Record {
    fn default() -> Self {
        // One microsecond to a minute, three digits.
        let micros = Histogram::new_with_bounds(1, 60_000_000, 3).expect("constant bounds");
        Record { asked: 0, failures: BTreeMap::new(), micros }
    }
}

impl Record {
    pub fn figures(&self) -> KindFigures {
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
