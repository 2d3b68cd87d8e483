//! What happens without being asked: samples are fetched, counters read, ended entries cleared away.

use std::time::{Duration, Instant};

use weir_api::local::{Totals, Verdict};

use super::detect::SampleClock;
use super::{ApplyError, Engine, Now};
use crate::sampling::Rates;
use crate::traffic::Traffic;

/// How often samples are fetched.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// How often counters are read.
const READ: Duration = Duration::from_secs(1);
/// Samples of one fetch, ten times what is aimed at: the rates of sampling do not wait for the next second then.
const MANY: usize = 2000;
/// How often ended entries are cleared away, which the kernel has stopped minding by itself, and connections.
const CLEAR: Duration = Duration::from_secs(10);

/// When things happened last.
#[derive(Debug)]
pub(super) struct Seconds {
    read: Instant,
    cleared: Instant,
    rates: Rates,
    /// They were measured.
    measured: bool,
    /// Whether the last reading failed: a lasting fault is told once.
    failing: bool,
}

impl Seconds {
    pub fn new(now: Now) -> Self {
        Self { read: now.steady, cleared: now.steady, rates: Rates::default(), measured: false, failing: false }
    }
}

impl Engine {
    /// To be called every [`POLL`] or so.
    pub fn tick(&mut self, now: Now) {
        if let Some(change) = self.datapath.review_replies() {
            tracing::info!(change, "SYN challenge");
        }
        let fetched = self.fetch_samples(now);
        // Far more than is aimed at: what comes is not what was measured.
        let many = fetched.as_ref().is_ok_and(|n| *n > MANY);
        let mut result = fetched.and_then(|_| self.detect(now));
        if many || now.steady.saturating_duration_since(self.seconds.read) >= READ {
            self.seconds.read = now.steady;
            result = result.and_then(|()| self.read_counters(now));
        }
        match result {
            Ok(()) => self.seconds.failing = false,
            Err(e) if !self.seconds.failing => {
                self.seconds.failing = true;
                tracing::error!(error = %e, "cannot read the packet path");
            }
            Err(_) => {}
        }
        if now.steady.saturating_duration_since(self.seconds.cleared) >= CLEAR {
            self.seconds.cleared = now.steady;
            self.clear_ended(now);
        }
    }

    /// Fetches them, and says how many there were.
    fn fetch_samples(&mut self, now: Now) -> Result<usize, crate::datapath::DatapathError> {
        self.datapath.poll_samples(&mut self.samples)?;
        self.view.recent().extend(now.wall, &self.samples);
        let clock = SampleClock { wall: now.wall, ns: self.datapath.now_ns() };
        self.detection.samples(&self.samples, clock);
        let fetched = self.samples.len();
        self.samples.clear();
        Ok(fetched)
    }

    /// Reads the counters and adapts the sampling to what they say.
    pub(super) fn read_counters(&mut self, now: Now) -> Result<(), crate::datapath::DatapathError> {
        let mut traffic = Traffic::read(&mut *self.datapath, now.steady, &self.view.traffic())?;
        let Totals { passed_packets_per_s, dropped_packets_per_s, would_drop_packets_per_s, .. } = traffic.totals();
        let dropped = dropped_packets_per_s + would_drop_packets_per_s;
        // The first reading is no rate yet.
        let first = !self.seconds.measured && passed_packets_per_s + dropped > 0.0;
        let rates = if first {
            Rates::first(passed_packets_per_s, dropped)
        } else {
            self.seconds.rates.adapt(passed_packets_per_s, dropped)
        };
        self.seconds.measured |= first;
        if rates != self.seconds.rates {
            self.datapath.set_sampling(rates.pass_mask, rates.drop_mask)?;
            self.seconds.rates = rates;
        }
        traffic.sampling = rates;
        let counts: Vec<_> =
            traffic.rows.iter().map(|r| (r.target, r.verdict == Verdict::WouldDrop, r.reason, r.total)).collect();
        self.view.set_traffic(traffic);
        self.tally(&counts)?;
        self.show_incidents()
    }

    /// Sampling as it is to be at the start.
    pub(super) fn start_sampling(&mut self) -> Result<(), crate::datapath::DatapathError> {
        let rates = self.seconds.rates;
        self.datapath.set_sampling(rates.pass_mask, rates.drop_mask)
    }

    fn clear_ended(&mut self, now: Now) {
        if let Err(e) = self.datapath.sweep_flows() {
            tracing::error!(error = %e, "connections that ended are not forgotten");
        }
        let result = self.forget_ended(now).and_then(|()| match self.tables_are_behind() {
            Ok(true) => self.rebuild(now),
            other => other.map(drop).map_err(ApplyError::from),
        });
        if let Err(e) = result {
            tracing::error!(error = %e, "ended entries stay in the tables, where they have no effect");
        }
    }
}
