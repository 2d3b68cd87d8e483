//! Telling others what happens: a webhook, syslog. Detection never waits for them: each has a queue of its own, and what does not
//! fit is counted and left out.

mod http;
mod syslog;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinSet;
use weir_api::local::IncidentEvent;

pub use syslog::SyslogAddress;
pub use webhook::{WebhookError, WebhookUrl};

/// Events that wait at most, for each.
const QUEUE: usize = 256;

/// Whom to tell.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    /// An address that every step is posted to.
    pub webhook: Option<WebhookUrl>,
    /// A syslog daemon.
    pub syslog: Option<SyslogAddress>,
}

/// What became of events, for the metrics.
#[derive(Debug, Default)]
pub struct Stats {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Stats {
    /// Events by what became of them: accepted; given up; not even tried, since too many waited.
    pub fn outcomes(&self) -> [(&'static str, u64); 3] {
        let of = |n: &AtomicU64| n.load(Ordering::Relaxed);
        [("sent", of(&self.sent)), ("failed", of(&self.failed)), ("dropped", of(&self.dropped))]
    }

    fn count(n: &AtomicU64) {
        n.fetch_add(1, Ordering::Relaxed);
    }
}

/// A queue and what became of its events.
#[derive(Debug)]
struct Listener {
    name: &'static str,
    queue: mpsc::Sender<Arc<IncidentEvent>>,
    stats: Arc<Stats>,
}

/// The queues, for whoever has something to tell.
#[derive(Debug, Default)]
pub struct Notifier(Vec<Listener>);

impl Notifier {
    /// Starts what delivers; it ends when the notifier is gone and everything is delivered or given up.
    pub fn start(audience: Audience) -> Result<(Self, JoinSet<()>), WebhookError> {
        let (mut notifier, mut tasks) = (Self::default(), JoinSet::new());
        if let Some(url) = audience.webhook {
            let (events, stats) = notifier.listener("webhook", QUEUE);
            let webhook = webhook::Webhook::new(url)?;
            tasks.spawn(async move { webhook.deliver(events, &stats).await });
        }
        if let Some(address) = audience.syslog {
            let (events, stats) = notifier.listener("syslog", QUEUE);
            tasks.spawn(syslog::deliver(address, events, stats));
        }
        Ok((notifier, tasks))
    }

    fn listener(&mut self, name: &'static str, queue: usize) -> (mpsc::Receiver<Arc<IncidentEvent>>, Arc<Stats>) {
        let ((queue, events), stats) = (mpsc::channel(queue), Arc::new(Stats::default()));
        self.0.push(Listener { name, queue, stats: Arc::clone(&stats) });
        (events, stats)
    }

    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What became of events, by listener.
    pub fn stats(&self) -> Vec<(&'static str, Arc<Stats>)> {
        self.0.iter().map(|listener| (listener.name, Arc::clone(&listener.stats))).collect()
    }

    /// Tells everybody, without waiting for anybody.
    pub fn tell(&self, event: IncidentEvent) {
        let event = Arc::new(event);
        for listener in &self.0 {
            if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = listener.queue.try_send(Arc::clone(&event)) {
                Stats::count(&listener.stats.dropped);
            }
        }
    }
}

/// This host's name, as it calls itself.
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "-".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    //! Nobody is waited for.
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_left_out() {
        let mut notifier = Notifier::default();
        let (mut slow, slow_stats) = notifier.listener("webhook", 2);
        let (gone, gone_stats) = notifier.listener("syslog", 2);
        drop(gone);
        (0..5).for_each(|id| notifier.tell(syslog::tests::event(id, "began")));
        assert_eq!(slow_stats.outcomes()[2], ("dropped", 3));
        assert_eq!(gone_stats.outcomes()[2], ("dropped", 5));
        assert_eq!(slow.try_recv().unwrap().incident.id, 0, "the oldest is told first");
    }
}
