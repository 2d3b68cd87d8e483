//! Every step of every incident as a message to a syslog daemon: RFC 5424, over its datagram socket or UDP (RFC 5426).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UdpSocket, UnixDatagram, lookup_host};
use tokio::sync::mpsc;
use tokio::time::timeout;
use weir_api::local::IncidentEvent;

use super::Stats;

/// The port of syslog over UDP.
const PORT: u16 = 514;
/// What every receiver should take (RFC 5424, 6.1).
const LONGEST: usize = 2048;
/// A local daemon that does not read fills its socket: then this event is given up.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The facility of daemons.
const DAEMON: u8 = 3;
/// Severities.
const WARNING: u8 = 4;
const NOTICE: u8 = 5;

/// Where the daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A datagram socket such as `/dev/log`.
    Unix(PathBuf),
    /// A host and its port.
    Udp(String, u16),
}

/// A text is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not where a syslog daemon can be: write a socket such as /dev/log, or a host such as udp://192.0.2.5:514"
)]
pub struct SyslogError(String);

impl FromStr for SyslogAddress {
    type Err = SyslogError;

    fn from_str(text: &str) -> Result<Self, SyslogError> {
        let wrong = || SyslogError(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:").or(text.starts_with('/').then_some(text)) {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(wrong()) };
        }
        let rest = text.strip_prefix("udp://").or_else(|| text.strip_prefix("udp:")).unwrap_or(text);
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            // More than one colon without brackets: an IPv6 address alone.
            None if rest.matches(':').count() > 1 => (rest, None),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(PORT), str::parse).map_err(|_| wrong())?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        if host.is_empty() || !host.chars().all(fits) {
            return Err(wrong());
        }
        Ok(Self::Udp(host.to_owned(), port))
    }
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Udp(host, port) if host.contains(':') => write!(f, "udp://[{host}]:{port}"),
            Self::Udp(host, port) => write!(f, "udp://{host}:{port}"),
        }
    }
}

impl SyslogAddress {
    /// Sends one message. A socket of its own each time: daemons are restarted, names change their address.
    async fn send(&self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(path) => UnixDatagram::unbound()?.send_to(message, path).await?,
            Self::Udp(host, port) => {
                let to = lookup_host((host.as_str(), *port)).await?.next();
                let to = to.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))?;
                let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                UdpSocket::bind(from).await?.send_to(message, to).await?
            }
        };
        Ok(())
    }
}

/// Delivers events until nobody has more. Syslog says nothing about what arrived: what is sent is sent once.
pub(super) async fn deliver(address: SyslogAddress, mut events: mpsc::Receiver<Arc<IncidentEvent>>, stats: Arc<Stats>) {
    let mut failing = false;
    while let Some(event) = events.recv().await {
        let message = message(&event, std::process::id());
        let sent = timeout(LONGEST_WAIT, address.send(&message)).await;
        match sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(()) => {
                Stats::count(&stats.sent);
                failing = false;
            }
            Err(e) => {
                Stats::count(&stats.failed);
                if !failing {
                    tracing::warn!(syslog = %address, error = %e, step = event.step, "a step of an incident could not be told");
                }
                failing = true;
            }
        }
    }
}

/// The message: what it is in words, and the same for programs as structured data.
fn message(event: &IncidentEvent, pid: u32) -> Vec<u8> {
    let row = &event.incident;
    let bad = row.label == "ATTACK" && !matches!(event.step.as_str(), "watching" | "ended");
    let priority = 8 * DAEMON + if bad { WARNING } else { NOTICE };
    // The enterprise number that RFC 5612 sets aside: Weir has none of its own.
    let data = [
        ("id", row.id.to_string()),
        ("step", event.step.clone()),
        ("target", row.target.clone()),
        ("vector", row.vector.clone()),
        ("label", row.label.clone()),
        ("state", row.state.clone()),
        ("packets_per_s", format!("{:.0}", row.packets_per_s)),
        ("usual_packets_per_s", format!("{:.0}", row.usual_packets_per_s)),
    ];
    let data = data.iter().map(|(name, value)| format!(" {name}=\"{}\"", escaped(value))).collect::<String>();
    let what = if row.label == "SURGE" { "surge" } else { &row.vector };
    let seen = if row.evidence.is_empty() { String::new() } else { format!(": {}", row.evidence.join("; ")) };
    let host = printable(&event.host);
    let mut text = format!(
        "<{priority}>1 {} {host} weir {pid} incident [weir@32473{data}] incident {}, {what} on {}: {}, {}{seen}",
        event.time, row.id, row.target, event.step, row.state
    );
    text.truncate(text.floor_char_boundary(LONGEST));
    text.into_bytes()
}

/// As a value of structured data has to be (RFC 5424, 6.3.3).
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

/// As a header's field has to be: printable ASCII without blanks, 255 at most.
fn printable(text: &str) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(255).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

#[cfg(test)]
pub(super) mod tests {
    //! Against daemons on this host.
    use super::*;
    use weir_api::local::{IncidentRow, SourcesRow};

    /// A step of an incident.
    pub fn event(id: u64, step: &str) -> IncidentEvent {
        let at = "2026-03-01T12:00:00Z".parse().unwrap();
        let incident = IncidentRow {
            id,
            target: "shop/web".into(),
            targets: Vec::new(),
            vector: "SYN flood".into(),
            label: "ATTACK".into(),
            state: "Mitigating".into(),
            started: at,
            detected: at,
            mitigated: Some(at),
            ended: None,
            cut_short: None,
            confidence: 0.99,
            packets_per_s: 50_000.0,
            usual_packets_per_s: 20.0,
            peak_packets_per_s: 60_000.0,
            relapses: 0,
            evidence: vec!["hygiene: 200 of 205 SYNs \"without\" [TCP] options".into()],
            strays_packets_per_s: None,
            challenged: None,
            signatures: Vec::new(),
            sources: SourcesRow::default(),
            dropped: Vec::new(),
            known_flows: None,
            steps: Vec::new(),
        };
        IncidentEvent { step: step.into(), time: at, host: "node 1".into(), incident }
    }

    const TOLD: &str = "<28>1 2026-03-01T12:00:00Z node1 weir 7 incident [weir@32473 id=\"3\" step=\"rules\" target=\"shop/web\" \
        vector=\"SYN flood\" label=\"ATTACK\" state=\"Mitigating\" packets_per_s=\"50000\" usual_packets_per_s=\"20\"] \
        incident 3, SYN flood on shop/web: rules, Mitigating: hygiene: 200 of 205 SYNs \"without\" [TCP] options";

    #[test]
    fn a_message_is_one_of_rfc_5424() {
        assert_eq!(String::from_utf8(message(&event(3, "rules"), 7)).unwrap(), TOLD);
        assert!(message(&event(3, "ended"), 7).starts_with(b"<29>1 "));
        let mut long = event(3, "rules");
        long.incident.target = "a\\b\"c]".into();
        long.incident.evidence = vec!["ü".repeat(3000)];
        let text = String::from_utf8(message(&long, 7)).unwrap();
        assert!(text.len() <= LONGEST && text.contains("target=\"a\\\\b\\\"c\\]\""), "{text}");
    }

    #[test]
    fn addresses() {
        let address = |text: &str| text.parse::<SyslogAddress>().map(|address| address.to_string());
        for (text, shown) in [
            ("/dev/log", "/dev/log"),
            ("unix:/run/log", "/run/log"),
            ("192.0.2.5", "udp://192.0.2.5:514"),
            ("udp://logs.example.org:5514", "udp://logs.example.org:5514"),
            ("2001:db8::5", "udp://[2001:db8::5]:514"),
            ("udp:[2001:db8::5]:99", "udp://[2001:db8::5]:99"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(shown));
        }
        for wrong in ["", "unix:log", "udp://:514", "host:port", "tcp://host"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    async fn deliver_two(address: SyslogAddress) -> [(&'static str, u64); 3] {
        let (queue, events) = mpsc::channel(8);
        for step in ["began", "rules"] {
            queue.send(Arc::new(event(3, step))).await.unwrap();
        }
        drop(queue);
        let stats = Arc::new(Stats::default());
        deliver(address, events, Arc::clone(&stats)).await;
        stats.outcomes()
    }

    #[tokio::test]
    async fn messages_arrive_over_udp_and_the_local_socket() {
        let daemon = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = SyslogAddress::Udp("127.0.0.1".into(), daemon.local_addr().unwrap().port());
        assert_eq!(deliver_two(to).await, [("sent", 2), ("failed", 0), ("dropped", 0)]);
        let mut message = [0; LONGEST];
        for step in ["began", "rules"] {
            let n = daemon.recv(&mut message).await.unwrap();
            assert!(std::str::from_utf8(&message[..n]).unwrap().contains(&format!("step=\"{step}\"")));
        }

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        assert_eq!(deliver_two(SyslogAddress::Unix(path.clone())).await, [("sent", 2), ("failed", 0), ("dropped", 0)]);
        let n = daemon.recv(&mut message).await.unwrap();
        assert!(message[..n].starts_with(b"<28>1 2026-03-01T12:00:00Z node1 weir "));

        std::fs::remove_file(&path).unwrap();
        assert_eq!(deliver_two(SyslogAddress::Unix(path)).await, [("sent", 0), ("failed", 2), ("dropped", 0)]);
    }
}
